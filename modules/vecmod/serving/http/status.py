"""Live, ready, meta, metrics: answered from memory, off the compute path, at any load."""

import platform
from importlib.metadata import PackageNotFoundError, version

from starlette.requests import Request
from starlette.responses import Response

from vecmod.contract.meta_api import LimitsMeta, MetaResponse
from vecmod.serving.flow.metrics import CONTENT_TYPE, Metrics
from vecmod.serving.http.lifecycle import Lifecycle

_REPORTED = ("vecmod", "numpy", "onnxruntime", "pillow", "torch")


class StatusRoutes:
    """The routes that say how the service is.

    Args:
        service: its name.
        model: the name of the model it was asked to serve.
        limits: as announced in ``/meta``.
        lifecycle: its phase.
        metrics: its counters.
    """

    def __init__(self, service: str, model: str, limits: LimitsMeta, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self._service = service
        self._model = model
        self._limits = limits
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._versions = {"python": platform.python_version(), **_installed()}

    async def live(self, _: Request) -> Response:
        """The process runs and its event loop turns."""
        return Response(status_code=204)

    async def ready(self, _: Request) -> Response:
        """The model has answered a real batch, and new work is welcome; else 503 with the reason."""
        self._lifecycle.check_ready()
        return Response(status_code=204)

    async def meta(self, _: Request) -> Response:
        """What this service is; Weaviate asks on each of its own readiness probes."""
        pipeline = self._lifecycle.loaded()
        details = pipeline.model.meta() if pipeline else None
        ours = {
            "service": self._service,
            "model": self._model,
            "state": self._lifecycle.phase,
            "details": details,
            "limits": self._limits,
            "versions": self._versions,
        }
        meta = MetaResponse.model_validate({**ours, **(details.official if details else {})})
        return Response(meta.model_dump_json(exclude_none=True), media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        """Prometheus text."""
        return Response(self._metrics.render(), media_type=CONTENT_TYPE)


def _installed() -> dict[str, str]:
    found = {}
    for name in _REPORTED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
