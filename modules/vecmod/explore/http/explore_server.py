"""The process of the explorer: where it listens, and how it ends. A door to uvicorn."""

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from vecmod.explore.explore_errors import ExploreFault

USUAL_PORT = 8765
_TRIED_PORTS = 20
_BACKLOG = 128
# Somebody waits in front of it.
_GRACE_SECONDS = 1


class ExploreServer(uvicorn.Server):
    """Uvicorn that ends at the first signal, without waiting for those who still read.

    Args:
        app: the app to serve.
        until: asked ten times a second whether to end.
    """

    def __init__(self, app: Starlette, until: Callable[[], bool] = lambda: False) -> None:
        self._until = until
        super().__init__(
            uvicorn.Config(
                app,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                http="h11",
                ws="none",
                lifespan="off",
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's signature
        """End at the next tick; uvicorn's own would raise the signal once more afterwards."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to end."""
        self.should_exit = self.should_exit or self._until()
        return await super().on_tick(counter)


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens: at the port, or without one at the usual port or the next that is free.

    Raises:
        ExploreFault: if that is not possible.
    """
    tried = [port] if port is not None else [*range(USUAL_PORT, USUAL_PORT + _TRIED_PORTS), 0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for one in tried:
        try:
            return socket.create_server((host, one), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::")
        except OSError as error:
            fault = error
    raise ExploreFault(500, "cannot_listen", f"cannot listen at {host} port {tried[0]}: {fault.strerror or fault}")
