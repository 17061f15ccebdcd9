"""A real Redis, of the package that the system offers, with nothing kept on disk."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import running

INSTALLED = shutil.which("redis-server")


class RedisServer:
    """Starts, stops for a while, and goes; at one port."""

    def __init__(self, folder: Path) -> None:
        self.port = running.free_port()
        self.url = f"redis://:secret@127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert INSTALLED
        options = {"port": self.port, "bind": "127.0.0.1", "requirepass": "secret", "save": "", "dir": self._folder}
        command = [INSTALLED, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        running.wait_for(self._listens)

    def pause(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
