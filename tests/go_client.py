"""Weaviate's HTTP client, byte for byte: Go's net/http with its default transport, and Go's encoding/json."""

import gzip
import json
import socket
import threading
from http.client import HTTPResponse
from typing import Any, NamedTuple

# What Go's encoding/json escapes beyond what Python does.
_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
# http.DefaultMaxIdleConnsPerHost
_IDLE = 2


class GoAnswer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """As Weaviate reads it: whatever the status, the whole body is one object; NaN and Infinity are errors."""
        answer = json.loads(self.body, parse_constant=_refuse)
        assert isinstance(answer, dict), self.body
        assert isinstance(answer.get("error", ""), str)
        return answer


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def go_json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()


def as_go_sends(method: str, path: str, host: str, body: bytes | None = None, content_type: str = "") -> bytes:
    """Request line and headers in Go's order: what it adds itself, then the caller's, then Accept-Encoding."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: Go-http-client/1.1"]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    lines += [f"Content-Type: {content_type}"] if content_type else []
    return "\r\n".join([*lines, "Accept-Encoding: gzip", "", ""]).encode() + (body or b"")


class GoClient:
    """Keeps two idle connections and opens as many as it needs; follows no redirect."""

    def __init__(self, origin: str) -> None:
        host, port = origin.removeprefix("http://").split(":")
        self._address = (host, int(port))
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()
        self.opened = 0

    def __call__(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> GoAnswer:
        connection = self._connection()
        connection.sendall(as_go_sends(method, path, f"{self._address[0]}:{self._address[1]}", body, content_type))
        with HTTPResponse(connection, method=method) as response:
            response.begin()
            content = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            closing = response.will_close
        self._give_back(connection, closing)
        if headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        return GoAnswer(response.status, headers, content)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    def _connection(self) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self.opened += 1
        return socket.create_connection(self._address, timeout=50)

    def _give_back(self, connection: socket.socket, closing: bool) -> None:
        with self._lock:
            if not closing and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()
