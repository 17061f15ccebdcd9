"""Services that really run: in a thread of this process, or as a process of their own."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import urllib3

from vecmod.contract.meta_api import LimitsMeta
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.pipeline import Pipeline
from vecmod.serving.flow.vector_cache import SharedVectors, VectorCache
from vecmod.serving.http.admission import Door, DoorLimits
from vecmod.serving.http.app import AppParts, create_app
from vecmod.serving.http.lifecycle import Lifecycle
from vecmod.serving.http.server import GracefulServer
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.limits import MediaLimits
from vecmod.serving.media.remote import RemoteFiles, RemoteLimits
from vecmod.serving.media.url_rules import UrlRules
from vecmod.serving.model.model import Model
from vecmod.serving.run import build_server, find_service
from vecmod.serving.service_settings import ServiceSettings

BUILTIN = "builtin/efficientnet-lite0"
IMG2VEC = "img2vec-neural"
CONSE = "builtin/conse-en"
CLIP = "multi2vec-clip"
BIND = "multi2vec-bind"
# The largest of models, converted on a busy machine; whoever fails to start says so at once.
_START_SECONDS = 600
# What is fastest is found by measuring, which takes seconds and may end differently each time.
UNMEASURED = {"VECMOD_ENGINE": "onnx", "VECMOD_STREAMS": 1}
# Tests and benchmarks send the same few inputs again and again, and mean to have them embedded each time.
_ALIKE = {"VECMOD_OFFLINE": 1, "VECMOD_VECTOR_CACHE_MB": 0}
TINY_IMAGEBIND = Path(__file__).parent / "fixtures/imagebind"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """A plain HTTP client, one connection pool, no retries."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(maxsize=64, retries=False)

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._pool.request(method, self.url + path, body=raw, headers=named, timeout=60, redirect=False)
        return Answer(answer.status, answer.data, dict(answer.headers))

    def vector(self, image: str) -> list[float]:
        answer = self("POST", "/vectors", {"id": "x", "image": image})
        assert answer.status == 200, answer.body
        return list(answer.json()["vector"])

    def vectorize(self, **lists: object) -> dict[str, Any]:
        """The answer to lists, by their names on the wire."""
        answer = self("POST", "/vectorize", lists)
        assert answer.status == 200, answer.body
        return dict(answer.json())

    def metric(self, line: str) -> float:
        """The value of one line of ``/metrics``, zero if it is not there."""
        lines = self("GET", "/metrics").body.decode().splitlines()
        return next((float(text.rpartition(" ")[2]) for text in lines if text.startswith(line + " ")), 0.0)

    def close(self) -> None:
        self._pool.clear()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextmanager
def in_thread(server: GracefulServer, *, until_ready: bool = True) -> Iterator[Caller]:
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    wait_for(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    caller = Caller(f"http://127.0.0.1:{port}")
    try:
        if until_ready:
            wait_for(lambda: caller("GET", "/.well-known/ready").status == 204)
        yield caller
    finally:
        caller.close()
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


def settings(cache: Path, **variables: object) -> ServiceSettings:
    given = {"VECMOD_PORT": 0, "VECMOD_CACHE_DIR": cache, **_ALIKE, "MODEL_NAME": BUILTIN}
    given = {**given, **UNMEASURED, **variables}
    return ServiceSettings.read({name: str(value) for name, value in given.items()})


def img2vec(cache: Path, **variables: object) -> GracefulServer:
    return build_server(find_service(IMG2VEC), settings(cache, **variables))


def clip(cache: Path, **variables: object) -> GracefulServer:
    return build_server(find_service(CLIP), settings(cache, **{"MODEL_NAME": CONSE, **variables}))


def bind(cache: Path, **variables: object) -> GracefulServer:
    """A small ImageBind, whose vectors are known."""
    given = {"MODEL_NAME": "imagebind_huge", "VECMOD_MODEL_PATH": TINY_IMAGEBIND, **variables}
    return build_server(find_service(BIND), settings(cache, **given))


Started = tuple[Caller, subprocess.Popen[str]]
DOOR = DoorLimits(token="", max_body=2**27, max_in_flight=2**29, max_requests=256, body_timeout=30.0)
NO_URLS = RemoteFiles(UrlRules(()), RemoteLimits(max_bytes=2**20, seconds=5))
MEDIA = MediaLimits()
LIMITS = LimitsMeta(
    max_body_bytes=2**27,
    max_items=2048,
    max_pixels=MEDIA.images.max_pixels,
    max_aspect=MEDIA.images.max_aspect,
    max_audio_seconds=MEDIA.sounds.max_seconds,
    max_video_seconds=MEDIA.films.max_seconds,
    max_video_pixels=MEDIA.films.max_pixels,
    max_video_frames=MEDIA.films.max_frames,
    max_imu_rows=MEDIA.motion.max_rows,
    max_requests=256,
)


def service_of(
    model: Callable[[], Model],
    door: DoorLimits = DOOR,
    drain: tuple[float, int] = (0.2, 20),
    *,
    remote: RemoteFiles = NO_URLS,
    max_wait: float = 50.0,
    cache_bytes: int = 0,
    run_timeout: float = 300.0,
    redis_url: str = "",
) -> GracefulServer:
    """A service around any model, without settings and weights."""
    metrics = Metrics()

    def load() -> Pipeline:
        made = model()
        decoder = Decoder(MEDIA, made.kinds.values())
        shared = _redis_vectors(redis_url, metrics) if redis_url else None
        return Pipeline(made, decoder, metrics, 4, remote, VectorCache("dummy", cache_bytes, shared))

    lifecycle = Lifecycle(load, on_failure=lambda: server.stop(), run_timeout=run_timeout)
    app = create_app(AppParts("img2vec-neural", "dummy", Door(door, metrics), LIMITS, lifecycle, metrics, max_wait))
    server = GracefulServer(app, lifecycle, ("127.0.0.1", 0), keep_alive=120, drain=drain)
    return server


def _redis_vectors(url: str, metrics: Metrics) -> SharedVectors:
    from vecmod.serving.flow.redis_vectors import RedisVectors  # noqa: PLC0415 -- an optional extra

    return RedisVectors(url, metrics)


def send(caller: Caller, body: bytes, announced: int | None = None, path: str = "/vectors") -> socket.socket:
    """A connection on which a POST was begun, or sent whole; closing it is the caller's."""
    host, port = caller.url.removeprefix("http://").split(":")
    opened = socket.create_connection((host, int(port)), timeout=30)
    length = len(body) if announced is None else announced
    opened.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n".encode() + body)
    return opened


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environ(variables: Mapping[str, object]) -> dict[str, str]:
    """Ours, with these variables."""
    return {**os.environ, **{name: str(value) for name, value in variables.items()}}


def process(
    cache: Path, port: int, package: str = "img2vec_neural", **variables: object
) -> AbstractContextManager[Started]:
    """``python -m img2vec_neural``, or another service, with the built-in image model or what variables say; ready.

    ``package`` may have arguments behind it.
    """
    return process_in(None, cache, port, package, variables)


def process_in(
    folder: Path | None, cache: Path, port: int, package: str, variables: Mapping[str, object]
) -> AbstractContextManager[Started]:
    """The same, at work in a folder."""
    given = {"VECMOD_CACHE_DIR": cache, **_ALIKE, "MODEL_NAME": BUILTIN, **UNMEASURED, **variables}
    return command([sys.executable, "-m", *package.split()], port, given, folder)


@contextmanager
def command(
    arguments: Sequence[str], port: int, variables: Mapping[str, object], cwd: Path | None = None
) -> Iterator[Started]:
    """A command that becomes a service, ready."""
    given = environ({"VECMOD_PORT": port, **variables})
    running = subprocess.Popen(arguments, env=given, cwd=cwd, stderr=subprocess.PIPE, text=True)
    caller = Caller(f"http://127.0.0.1:{port}")
    try:
        wait_for(partial(_is_ready, caller, running), _START_SECONDS)
        yield caller, running
    finally:
        caller.close()
        running.kill()
        running.communicate()


def _is_ready(caller: Caller, running: subprocess.Popen[str]) -> bool:
    assert running.poll() is None, running.stderr and running.stderr.read()
    try:
        return caller("GET", "/.well-known/ready").status == 204
    except urllib3.exceptions.HTTPError:
        return False
