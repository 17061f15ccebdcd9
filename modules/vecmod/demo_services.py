"""The services that the demo starts: processes of their own, which end with it."""

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from vecmod.host.catalog import KnownModule
from vecmod.host.client import ServiceClient
from vecmod.host.host_errors import ServiceUnreachable

_START_SECONDS = 120
_STOP_SECONDS = 20


class Served(NamedTuple):
    """A module, the model that its service serves, and (if it is free) the port."""

    module: KnownModule
    model: str
    port: int


class DemoServices:
    """Services, none of which is started yet; at the end of the ``with`` block none runs any more.

    Args:
        wanted: which ones.
        folder: for their logs.

    Attributes:
        origins: their URLs.

    Raises:
        ServiceUnreachable: if there is no free port for one.
    """

    def __init__(self, wanted: Sequence[Served], folder: Path) -> None:
        self.origins = {one: f"http://127.0.0.1:{_free_port(one.port)}" for one in wanted}
        self._folder = folder
        self._running: dict[Served, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # All at once: each serves on for a second when it is told to stop.
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, one: Served) -> None:
        """Start a service, and do not wait for it."""
        port = self.origins[one].rpartition(":")[2]
        command = [sys.executable, "-m", "vecmod", "serve", one.module.name, "--model", one.model, "--port", port]
        with self._log(one).open("wb") as output:
            # A group of its own: Ctrl-C is for the demo, which then stops the service in good order.
            self._running[one] = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)  # noqa: S603

    def wait_until_ready(self, one: Served) -> None:
        """Return when a service that was started is ready.

        Raises:
            ServiceUnreachable: with the end of its log, or naming the log.
        """
        client = ServiceClient(one.module, self.origins[one], timeout=0)
        deadline = time.monotonic() + _START_SECONDS
        while reason := client.is_ready():
            if self._running[one].poll() is not None:
                raise ServiceUnreachable(f"the service stopped at once: {self._log(one).read_text('utf-8')[-2000:]}")
            if time.monotonic() > deadline:
                raise ServiceUnreachable(
                    f"{one.module.name} was not ready within {_START_SECONDS} s ({reason}); see {self._log(one)}"
                )
            time.sleep(0.1)
        client.close()

    def all_run(self) -> bool:
        """Whether none of those that were started has ended."""
        return all(process.poll() is None for process in self._running.values())

    def _log(self, one: Served) -> Path:
        return self._folder / f"{one.module.name}.log"


def _free_port(usual: int) -> int:
    """The usual port if it is free, else any."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceUnreachable("this machine has no free port on 127.0.0.1")
