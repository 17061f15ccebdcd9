"""The one place where a fault becomes an answer."""

import logging

import orjson
from starlette.requests import Request
from starlette.responses import Response

from vecmod.contract.embeddings_api import OpenAIErrorBody, openai_error
from vecmod.contract.errors import (
    ErrorBody,
    RequestFault,
    Unauthorized,
    Unavailable,
    UnknownRoute,
    VecmodError,
    WrongMethod,
)
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.http.paths import speaks_openai

_log = logging.getLogger(__name__)
# nginx's word for a client that hung up; nobody reads this answer.
_CLIENT_GONE = 499


class FaultAnswers:
    """Exception handlers of an app; counts what is refused."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def answer_fault(self, request: Request, fault: Exception) -> Response:
        """A fault of the tree: its own status, code and message."""
        return self._answer(request, fault if isinstance(fault, VecmodError) else VecmodError(str(fault)))

    async def answer_http_exception(self, request: Request, error: Exception) -> Response:
        """What the router says of paths and methods."""
        path = request.url.path
        status = getattr(error, "status_code", 0)
        if status == WrongMethod.status:
            allowed = (getattr(error, "headers", None) or {}).get("Allow", "")
            fault = WrongMethod(f"{request.method} {path} is not possible; {path} takes {allowed}")
            return self._answer(request, fault, Allow=allowed)
        if status == UnknownRoute.status:
            return self._answer(request, UnknownRoute(f"there is no {path} here; GET /docs lists what there is"))
        return self._answer(request, RequestFault(str(error)))

    async def answer_nobody(self, _: Request, __: Exception) -> Response:
        """The client hung up."""
        return Response(status_code=_CLIENT_GONE)

    async def answer_bug(self, request: Request, error: Exception) -> Response:
        """Anything else: the caller learns that it is ours, the log what it is."""
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return self._answer(request, VecmodError("internal fault: this is a bug; the service's log has the details"))

    def _answer(self, request: Request, fault: VecmodError, **headers: str) -> Response:
        self._metrics.rejections.labels(fault.code).inc()
        if isinstance(fault, Unavailable):
            headers["Retry-After"] = str(fault.retry_after)
        if isinstance(fault, Unauthorized):
            headers["WWW-Authenticate"] = "Bearer"
        status, body = _wire_form(request, fault)
        return Response(
            orjson.dumps(body.model_dump()), status_code=status, headers=headers, media_type="application/json"
        )


def _wire_form(request: Request, fault: VecmodError) -> tuple[int, ErrorBody | OpenAIErrorBody]:
    if speaks_openai(request.scope["path"]):
        return openai_error(fault)
    return fault.status, ErrorBody(error=fault.message, code=fault.code)
