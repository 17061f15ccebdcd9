"""Answers of the explorer: JSON, and the one place where what went wrong becomes an answer."""

import json
import logging
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from vecmod.explore.explore_errors import ExploreFault
from vecmod.host.host_errors import (
    HostError,
    InvalidClass,
    InvalidObject,
    InvalidQuery,
    ServiceError,
    ServiceUnreachable,
    StoreError,
    UnknownClass,
    UnknownObject,
)

_log = logging.getLogger(__name__)

# The first row that fits counts.
_STATUSES: Mapping[type[HostError], int] = {
    UnknownClass: 404,
    UnknownObject: 404,
    InvalidQuery: 400,
    InvalidClass: 422,
    InvalidObject: 422,
    ServiceUnreachable: 503,
    ServiceError: 502,
    StoreError: 503,
}
# What a service says of the medium that it was sent: it is the asker's.
_MEDIA_CODES = ("undecodable", "too_large", "unsupported_modality", "malformed")
_UNPROCESSABLE, _BUSY = 422, 503


def json_answer(body: object, status: int = 200, **headers: str) -> Response:
    """A body as JSON; a header's name has ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    # Infinite numbers are none in JSON; what a store gives back has been JSON before.
    return Response(json.dumps(body, ensure_ascii=False).encode(), status, named, "application/json")


def answer_fault(fault: ExploreFault) -> Response:
    """A fault of our own."""
    again = {"Retry_After": "1"} if fault.status == _BUSY else {}
    return json_answer({"error": str(fault), "code": fault.code}, fault.status, **again)


def explore_fault(_: Request, error: Exception) -> Response:
    """The same, for starlette."""
    return answer_fault(error) if isinstance(error, ExploreFault) else unforeseen(_, error)


def host_error(_: Request, error: Exception) -> Response:
    """What went wrong on the database side."""
    if not isinstance(error, HostError):
        return unforeseen(_, error)
    status = next((number for kind, number in _STATUSES.items() if isinstance(error, kind)), 500)
    if isinstance(error, ServiceError) and error.code in _MEDIA_CODES:
        status = _UNPROCESSABLE
    return json_answer({"error": error.reason, "code": error.code}, status)


def http_error(_: Request, error: Exception) -> Response:
    """What starlette refuses: unknown paths, methods that a path does not take."""
    if not isinstance(error, HTTPException):
        return unforeseen(_, error)
    words = {404: "there is no such path here", 405: "this path does not take that method"}
    return json_answer({"error": words.get(error.status_code, error.detail), "code": "http"}, error.status_code)


def gone(_: Request, __: Exception) -> Response:
    """For a browser that has left, and reads nothing more."""
    return Response(status_code=400)


def unforeseen(request: Request, error: Exception) -> Response:
    """A fault in this program."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return json_answer({"error": "the explorer failed; its log says more", "code": "internal"}, 500)
