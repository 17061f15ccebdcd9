"""Sounds and films of the largest size, from many callers at once: memory is bounded, and nobody else waits."""

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO

import av
import numpy as np
import psutil
import pytest
import urllib3

import running
from films import film
from growth import peak_below
from hostile_media import gif_of
from pictures import b64, encoded, gradient
from sounds import tone, wav
from vecmod.serving.media.limits import AudioLimits, VideoLimits

CALLERS = 16
WIDTH = 4096
# Seconds. On a machine that has other things to do an answer from memory takes a tenth, seldom one.
USUALLY, AT_MOST = 0.1, 3.0
SMALL = {
    "texts": "a cat",
    "images": b64(encoded(gradient(60, 40))),
    "audio": b64(wav(tone(1).tobytes())),
    "video": b64(film(3, 10, size=(32, 24))),
    "imu": b64(b"a,b,c,d,e,f\n" + b"1,2,3,4,5,6\n" * 20),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[running.Caller, int]]:
    """ImageBind with default limits, as a process of its own; its id."""
    model = {"MODEL_NAME": "imagebind_huge", "VECMOD_MODEL_PATH": running.TINY_IMAGEBIND}
    # As the container sets it: what was freed goes back to the system.
    allocator = {"MALLOC_MMAP_THRESHOLD_": 4194304}
    cache = tmp_path_factory.mktemp("cache")
    with running.process(cache, running.free_port(), "multi2vec_bind", **model, **allocator) as (caller, process):
        for key, value in SMALL.items():
            assert caller("POST", "/vectorize", {key: [value]}).status == 200
        yield caller, process.pid


def silence(seconds: int, rate: int) -> bytes:
    """Stereo, in FLAC: next to nothing, until it is decoded."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=rate, layout="stereo")
        for _ in range(seconds // 10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 20 * rate), np.int16), format="s16", layout="stereo")
            frame.rate = rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


@contextmanager
def posted(caller: running.Caller, bodies: list[bytes]) -> Iterator[list[Future[int]]]:
    """Statuses to come; all have come at the end of the block."""
    pool = urllib3.PoolManager(maxsize=len(bodies), retries=False)

    def post(body: bytes) -> int:
        return pool.request("POST", f"{caller.url}/vectorize", body=body, timeout=300).status

    with ThreadPoolExecutor(len(bodies)) as callers:
        yield [callers.submit(post, body) for body in bodies]
    pool.clear()


@contextmanager
def asked_meanwhile(caller: running.Caller) -> Iterator[None]:
    """Readiness and meta, all the time; they are answered at once."""
    seconds: list[float] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.01):
            for path, status in (("/.well-known/ready", 204), ("/meta", 200)):
                start = time.perf_counter()
                assert caller("GET", path).status == status
                seconds.append(time.perf_counter() - start)

    with ThreadPoolExecutor(1) as asker:
        asking = asker.submit(ask)
        try:
            yield
        finally:
            done.set()
        asking.result()
    assert len(seconds) > 10
    assert statistics.median(seconds) < USUALLY
    assert max(seconds) < AT_MOST


def is_back(caller: running.Caller, pid: int, before: int, megabytes: int) -> bool:
    return caller.metric("vecmod_requests_in_flight") == 0 and (resident(pid) - before) >> 20 < megabytes


def resident(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


def large_sound() -> str:
    limits = AudioLimits()
    seconds = limits.max_seconds - 10
    return b64(silence(seconds, limits.max_values // (2 * limits.max_seconds) - 500))


def large_film() -> str:
    return b64(gif_of(WIDTH, VideoLimits().max_pixels // WIDTH, 60))


@pytest.mark.parametrize(
    ("key", "make", "megabytes"), [("audio", large_sound, 700), ("video", large_film, 400)], ids=["sounds", "films"]
)
def test_sixteen_callers_with_the_largest(
    key: str, make: Callable[[], str], megabytes: int, service: tuple[running.Caller, int]
) -> None:
    caller, pid = service
    body = json.dumps({key: [make()]}).encode()
    before = resident(pid)
    with peak_below(megabytes, pid), posted(caller, [body] * CALLERS) as statuses, asked_meanwhile(caller):
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == CALLERS)
        for name, value in SMALL.items():
            assert caller("POST", "/vectorize", {name: [value]}).status == 200
        for _ in range(20):
            assert caller("POST", "/vectorize", {"texts": ["a cat"]}).status == 200
        # Each takes longer than all of those together.
        assert sum(status.done() for status in statuses) < CALLERS // 2
        assert {status.result() for status in statuses} == {200}
    running.wait_for(lambda: is_back(caller, pid, before, 150), 20)


def test_sixteen_bodies_of_the_largest_size(service: tuple[running.Caller, int]) -> None:
    """Four are let in at a time; to read their JSON and their base64 holds up nobody for long."""
    caller, pid = service
    data = wav(bytes(100_000_000), rate=90_000, channels=2)
    body = b'{"audio": ["' + b64(data).encode() + b'"]}'
    assert len(body) < 2**27
    before = resident(pid)
    with peak_below(1800, pid), posted(caller, [body] * CALLERS) as statuses, asked_meanwhile(caller):
        while not all(status.done() for status in statuses):
            assert caller("POST", "/vectorize", {"texts": ["a cat"]}).status in (200, 503)
            time.sleep(0.02)
        found = [status.result() for status in statuses]
        assert set(found) == {200, 503}
        assert found.count(200) >= 4
    running.wait_for(lambda: is_back(caller, pid, before, 150), 20)
