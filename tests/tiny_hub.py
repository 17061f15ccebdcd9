"""A model hub on this machine: the routes that the hub's own client asks, answered from folders."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "5" * 40


class Hub:
    """Its address, and which files were asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        self.url = ""


@contextmanager
def serve(root: Path) -> Iterator[Hub]:
    """Repositories are ``root/owner/name``, all at one commit."""
    hub = Hub(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path).strip("/")
            status, headers, body = _find(hub, path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _find(hub: Hub, path: str) -> tuple[int, dict[str, str], bytes]:
    parts = path.split("/")
    if parts[:2] == ["api", "models"]:
        hub.asked.append("/".join(parts[2:4]))
        folder = hub.root / parts[2] / parts[3]
        return _list(folder) if "tree" in parts else _describe(folder, "/".join(parts[2:4]))
    file = hub.root / parts[0] / parts[1] / "/".join(parts[4:])
    if parts[2] != "resolve" or not file.is_file():
        return 404, {"X-Error-Code": "EntryNotFound"}, b""
    hub.asked.append(f"{parts[0]}/{parts[1]}/{'/'.join(parts[4:])}")
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return 200, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT}, content


def _list(folder: Path) -> tuple[int, dict[str, str], bytes]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    tree = [
        {"type": "file", "path": file.relative_to(folder).as_posix(), "size": file.stat().st_size, "oid": "0" * 40}
        for file in files
    ]
    return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()


def _describe(folder: Path, name: str) -> tuple[int, dict[str, str], bytes]:
    if not folder.is_dir():
        return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    siblings = [{"rfilename": file.relative_to(folder).as_posix()} for file in files]
    body = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []}
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()
