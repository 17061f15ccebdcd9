"""A server of files on a loopback address that behaves as badly as a test wants, and counts who came."""

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from machine_tools import tool

Behaviour = Callable[[socket.socket], None]


def answer(body: bytes, *headers: str, status: str = "200 OK", length: bool = True) -> Behaviour:
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else []), "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + body)


def redirect(location: str, status: str = "302 Found") -> Behaviour:
    return answer(b"", f"Location: {location}", status=status)


class FileServer(ThreadingTCPServer):
    """Attributes:
    files: what is done for each path; anything else is answered 404.
    connections: how many were made, whatever came of them.
    requests: the bytes of each.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, Behaviour] = {}
        self.connections = 0
        self.requests: list[bytes] = []
        self._tls = tls
        super().__init__((address, port), _Requests)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def authority(self) -> str:
        return f"{self.server_address[0]!s}:{self.port}"

    def url(self, path: str, behaviour: Behaviour | None = None) -> str:
        if behaviour is not None:
            self.files[path] = behaviour
        return f"{'https' if self._tls else 'http'}://{self.authority}{path}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        with suppress(OSError):
            if self._tls:
                request = self._tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            request.close()


class _Requests(StreamRequestHandler):
    server: FileServer

    def handle(self) -> None:
        if (first := self.rfile.read(1)) == b"G":  # else it is TLS, and has no lines
            request = first + b"".join(iter(self.rfile.readline, b"\r\n"))
            self.server.requests.append(request)
            path = request.split()[1].decode()
            self.server.files.get(path, answer(b"no", status="404 Not Found"))(self.connection)


@contextmanager
def serving(address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    with FileServer(address, port, tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Names:
    """A name server: every name that ends in ``.test``; what is asked for is noted, the rest is looked up as ever.

    Args:
        answers: for a name its addresses, a list for each time it is asked for, the last one for ever.
    """

    def __init__(self, patch: pytest.MonkeyPatch, **answers: list[list[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {f"{name}.test": lists for name, lists in answers.items()}
        self._ask_others = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._ask)

    def _ask(self, host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if not str(host).endswith(".test"):
            return self._ask_others(host, port, *rest, **options)
        self.asked.append(host)
        lists = self._answers.get(host)
        if not lists:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [entry for text in (lists.pop(0) if len(lists) > 1 else lists[0]) for entry in self._entry(text, port)]

    def _entry(self, address: str, port: Any) -> Any:
        return self._ask_others(address, port, type=socket.SOCK_STREAM)


def certificate(folder: Path, names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate that it signed itself, for names such as ``DNS:a.test,IP:127.0.0.1``."""
    openssl = tool("openssl", advice="apt-get install openssl")
    made = folder / re.sub(r"\W", "-", names)
    key, pem = made.with_suffix(".key"), made.with_suffix(".pem")
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout {key} -out {pem}"
    subprocess.run([*command.split(), "-addext", f"subjectAltName={names}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return context, pem
