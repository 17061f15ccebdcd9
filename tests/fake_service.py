"""A recording HTTP server in the place of an inference service: answers what a test says, notes what it was sent."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any

from vecmod.contract.modality import MODALITIES
from vecmod.contract.priority import PRIORITY_HEADER


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    content_type: str | None
    body: str
    priority: str = ""


@dataclass
class FakeService:
    """``reply`` maps a request to status, body and headers; the port is free again while ``down``."""

    reply: Callable[[Sent], tuple[int, str, dict[str, str]]]
    requests: list[Sent] = field(default_factory=list)
    origin: str = ""


def by_image(vectors: dict[str, Any]) -> Callable[[Sent], tuple[int, str, dict[str, str]]]:
    """Answers like img2vec: the vector of the image, 500 for images it does not know."""

    def reply(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.method == "GET":
            return 204, "", {}
        body = json.loads(sent.body)
        if body["image"] not in vectors:
            return 500, '{"error":"no fake vector"}', {}
        vector = vectors[body["image"]]
        return 200, json.dumps({"id": body["id"], "vector": vector, "dim": len(vector)}), {}

    return reply


def by_lists(vectors: dict[str, Any], extra: dict[str, Any]) -> Callable[[Sent], tuple[int, str, dict[str, str]]]:
    """Answers like multi2vec: vectors by list and value, 500 for values it does not know."""

    def reply(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.method == "GET":
            return 204, "", {}
        body = json.loads(sent.body)
        known = {modality.plural: vectors.get(modality.plural, {}) for modality in MODALITIES}
        if any(value not in known[name] for name, values in body.items() for value in values):
            return 500, '{"error":"no fake vector"}', {}
        answer = {
            modality.answer: [known[modality.plural][value] for value in body[modality.plural]]
            for modality in MODALITIES
            if modality.plural in body
        }
        return 200, json.dumps({**answer, **extra}), {}

    return reply


def by_content(sent: Sent) -> tuple[int, str, dict[str, str]]:
    """Answers like multi2vec: the numbers that stand in each medium; 1, 1, 1 for texts, and for media without any."""
    if sent.method == "GET":
        return 204, "", {}
    body = json.loads(sent.body)
    answer = {
        modality.answer: [_numbers_in(value) for value in body[modality.plural]]
        for modality in MODALITIES
        if modality.plural in body
    }
    return 200, json.dumps(answer), {}


def _numbers_in(value: str) -> list[float]:
    try:
        return [float(word) for word in base64.b64decode(value, validate=True).split()]
    except ValueError:
        return [1.0, 1.0, 1.0]


def always(status: int, body: str, **headers: str) -> Callable[[Sent], tuple[int, str, dict[str, str]]]:
    """The same answer to every POST; ready."""
    return lambda sent: (204, "", {}) if sent.method == "GET" else (status, body, headers)


@contextmanager
def fake_service(reply: Callable[[Sent], tuple[int, str, dict[str, str]]], port: int = 0) -> Iterator[FakeService]:
    service = FakeService(reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            sent = Sent(
                self.command, self.path, self.headers.get("Content-Type"), body, self.headers.get(PRIORITY_HEADER, "")
            )
            if sent.method == "POST":
                service.requests.append(sent)
            status, answer, headers = service.reply(sent)
            if status == 0:  # hang up without an answer
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        service.origin = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def short_lived(answers: int) -> Iterator[str]:
    """Its URL; it says that it is ready, answers so many POSTs with a vector, and takes no connection from then on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"vector":[1]}')

        def log_message(self, *_: object) -> None:
            pass

    def serve() -> None:
        with server:
            for _ in range(1 + answers):
                server.handle_request()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.timeout = 20
    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    thread.join(30)
