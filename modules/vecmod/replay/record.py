"""A recording proxy: passes every request on as it came, and writes down each POST that was answered."""

import json
import sys
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from socket import socket
from typing import Any

from vecmod.replay.recording import RecordedRequest, Recording, is_target
from vecmod.replay.replay_errors import NoAnswer, NotReached, ReplayError
from vecmod.replay.upstream import Headers, Reply, Upstream

# Of one connection, not of the message (RFC 9110, 7.6.1); or written anew for the next one.
_OF_ONE_CONNECTION = frozenset(
    "connection content-length expect host keep-alive proxy-authorization proxy-connection te trailer "
    "transfer-encoding upgrade".split()
)
_NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_READ_BYTES = 1 << 16
_LINE_BYTES = 1 << 12


class RecordingProxy(ThreadingHTTPServer):
    """The proxy; ``serve_forever`` runs it.

    Args:
        address: host and port to listen at.
        upstream: the service behind it.
        recording: where requests are written.
        max_body: bytes; larger bodies are passed on without being recorded.

    Attributes:
        too_large: how many of these there were.

    Raises:
        ReplayError: if the port cannot be opened.
    """

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], upstream: Upstream, recording: Recording, max_body: int) -> None:
        self.upstream = upstream
        self.recording = recording
        self.max_body = max_body
        self.too_large = 0
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            host, port = address
            raise ReplayError(f"{host}:{port} cannot be listened at ({error}); choose another --port") from error

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401 -- theirs
        """A client that hangs up or falls silent is its own affair."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Malformed(Exception):
    """The request cannot be read; nothing after it can be either."""


class _Handler(BaseHTTPRequestHandler):
    server: RecordingProxy
    protocol_version = "HTTP/1.1"
    # Longer than databases keep idle connections, so that it is they who close.
    timeout = 120
    # Head and body leave as one.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _pass_on(self) -> None:
        # `path` has repeated slashes taken out.
        target = self.requestline.split()[1]
        if not is_target(target):
            self._refuse(HTTPStatus.BAD_REQUEST, f"{target!r} is not a path, such as /vectors")
            return
        try:
            self._pass_on_to(target)
        except _Malformed as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except (NotReached, NoAnswer) as error:
            self._refuse(HTTPStatus.BAD_GATEWAY, f"the service at {error}")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _pass_on  # noqa: N815 -- theirs

    def _pass_on_to(self, target: str) -> None:
        upstream, headers = self.server.upstream, self._headers_on()
        parts = self._parts()
        held = bytearray()
        for part in parts:
            held += part
            if len(held) > self.server.max_body:
                # What is left unread if the service answers early cannot be told from the next request.
                self.close_connection = True
                self.server.too_large += 1
                length = self.headers.get_all("Content-Length", [])[:1]
                known = [] if self._is_chunked() else [("Content-Length", value) for value in length]
                rest: Iterable[bytes] = chain([bytes(held)], parts)
                self._answer(upstream.send(self.command, target, [*headers, *known], rest, decode=False))
                return
        body = bytes(held) if self._has_body() else None
        reply = upstream.send(self.command, target, headers, body, decode=False)
        if self.command == "POST":
            self.server.recording.add(RecordedRequest(target, self.headers.get("Content-Type"), bytes(held)))
        self._answer(reply)

    def _headers_on(self) -> Headers:
        named = {name.strip().lower() for value in self.headers.get_all("Connection", []) for name in value.split(",")}
        left_out = _OF_ONE_CONNECTION | named
        return [(name, value) for name, value in self.headers.items() if name.lower() not in left_out]

    def _is_chunked(self) -> bool:
        return "Transfer-Encoding" in self.headers

    def _has_body(self) -> bool:
        return self._is_chunked() or "Content-Length" in self.headers

    def _parts(self) -> Iterator[bytes]:
        """The body, as it comes in; raises _Malformed, or ConnectionError if the client hangs up."""
        if self._is_chunked():
            if self.headers["Transfer-Encoding"].strip().lower() != "chunked":
                raise _Malformed("Transfer-Encoding: only chunked is read here")
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdecimal()):
            raise _Malformed(f"Content-Length: {length!r} is not a number")
        return self._read(int(length))

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            yield from self._read(size)
            self.rfile.readline(_LINE_BYTES)
        while self.rfile.readline(_LINE_BYTES).strip():
            pass

    def _chunk_size(self) -> int:
        line = self.rfile.readline(_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise ConnectionAbortedError
        digits = line.partition(b";")[0].strip()
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise _Malformed(f"{digits[:20]!r} is not the size of a chunk")
        return int(digits, 16)

    def _read(self, length: int) -> Iterator[bytes]:
        while length:
            part = self.rfile.read(min(length, _READ_BYTES))
            if not part:
                raise ConnectionAbortedError
            length -= len(part)
            yield part

    def _answer(self, reply: Reply) -> None:
        self.send_response_only(reply.status, reply.reason)
        as_it_is = self.command == "HEAD" or reply.status in _NO_BODY
        for name, value in reply.headers:
            if name.lower() not in _OF_ONE_CONNECTION or (as_it_is and name.lower() == "content-length"):
                self.send_header(name, value)
        if not as_it_is:
            self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self.close_connection = self.close_connection or status is HTTPStatus.BAD_REQUEST
        body = json.dumps({"error": f"vecmod record: {message}", "code": "not_passed_on"}).encode()
        self._answer(Reply(status, status.phrase, [("Content-Type", "application/json")], body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is theirs
        """Nothing for each request."""
