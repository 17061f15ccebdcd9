"""The server process: signals, draining, exit code. The one door to uvicorn."""

import logging
import os
import signal
import socket
import time
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from vecmod.serving.http.lifecycle import Lifecycle, Phase
from vecmod.serving.http.protocol import Connection

_log = logging.getLogger(__name__)
# Weaviate opens many short connections; a short queue would reset them at bursts.
_BACKLOG = 4096


class GracefulServer(uvicorn.Server):
    """Uvicorn that, on SIGTERM, turns not ready, serves on for a moment, answers what is in flight, and exits with 0.

    The moment is for load balancers: they go on sending until they have seen that the service is not ready.

    Args:
        app: the app to serve.
        lifecycle: told to drain.
        address: host and port to listen on.
        keep_alive: seconds an idle connection is kept.
        drain: seconds to serve on after SIGTERM, and seconds to wait for answers after that.
    """

    def __init__(
        self,
        app: Starlette,
        lifecycle: Lifecycle,
        address: tuple[str, int],
        keep_alive: int,
        drain: tuple[float, int],
    ) -> None:
        self._lifecycle = lifecycle
        self._drain_delay, drain_timeout = drain
        self._close_at: float | None = None
        host, port = address
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            timeout_keep_alive=keep_alive,
            timeout_graceful_shutdown=drain_timeout,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            # With h11, not httptools, which drops the body of a request that offers an upgrade, as Java's client does.
            http=Connection,
            ws="none",
        )
        super().__init__(config)

    def serve_until_stopped(self) -> int:
        """Serve; the exit code: 0 after a signal, 1 if the service could not start."""
        # Before anything else, so that a port that is taken is known before a model is loaded in vain.
        try:
            listener = _listen(self.config.host, self.config.port)
        except OSError as error:
            _log.error("cannot listen: %s; set VECMOD_HOST and VECMOD_PORT", error.strerror)
            return 1
        _log.info("listening on %s port %d", *listener.getsockname()[:2])
        self.run(sockets=[listener])
        _log.info("stopped")
        return 1 if self._lifecycle.phase is Phase.FAILED else 0

    def has_threads_at_work(self) -> bool:
        """Whether something is still being decoded for callers who have left; leaving in order would wait for it."""
        return not self._lifecycle.closed

    def stop(self) -> None:
        """Close the door at the next tick."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's signature
        """First SIGTERM: drain. Ctrl-C or a second signal: close the door and answer what is in flight. Then: exit."""
        if sig == signal.SIGTERM and self._close_at is None:
            _log.info("draining: not ready any more, serving on for %g s", self._drain_delay)
            self._lifecycle.drain()
            self._close_at = time.monotonic() + self._drain_delay
            return
        self._lifecycle.drain()
        if self.should_exit:
            _log.warning("stopped at once, as asked: what was in flight is lost")
            # Leaving in order would tear down what the model's threads still use.
            os._exit(1)
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Uvicorn asks ten times a second whether to stop."""
        if self._close_at is None and self._lifecycle.is_lost():
            self._close_at = time.monotonic() + self._drain_delay
        if self._close_at is not None and time.monotonic() >= self._close_at:
            self.should_exit = True
        return await super().on_tick(counter)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::")
