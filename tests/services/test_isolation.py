"""Bad input disturbs nobody else, costs little, and callers who leave cost nothing."""

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import psutil
from PIL import Image

import running
from dummy_model import DummyModel
from pictures import b64, encoded, gradient, photo, png_of_size
from vecmod.serving.engine.engine import FloatArray, Inputs

GOOD = [photo(name) for name in ("cat", "coffee", "rocket", "temple", "lime", "peach")]
GOOD += [encoded(gradient(200 + 10 * number, 150, number), "JPEG") for number in range(6)]
BAD = {
    "base64": ("!" * 50, 422, "is not base64"),
    "truncated": (b64(photo("melon")[:20000]), 422, "is damaged: image file is truncated"),
    "text": (b64(b"these are words"), 422, "is not a picture"),
    "bomb": (b64(png_of_size(20000, 20000)), 413, "has more than 178956970 pixels"),
    "line": (b64(png_of_size(1, 30000)), 422, "is 1x30000 pixels"),
    "empty": ("", 422, "is empty"),
}


def test_sixteen_callers_of_whom_four_are_broken(service: running.Caller) -> None:
    alone = [service.vector(b64(data)) for data in GOOD]
    process = psutil.Process()
    before = process.memory_info().rss
    for kinds in (("base64", "truncated", "text", "bomb"), ("line", "empty", "bomb", "truncated")):
        images = [b64(data) for data in GOOD] + [BAD[kind][0] for kind in kinds]
        with ThreadPoolExecutor(16) as callers:
            answers = list(callers.map(lambda image: service("POST", "/vectors", {"id": "1", "image": image}), images))
        for answer, expected in zip(answers, alone, strict=False):
            assert answer.status == 200
            # The same numbers up to the order of float32 sums, which may change with the size of the batch.
            np.testing.assert_allclose(answer.json()["vector"], expected, atol=1e-5 * np.abs(expected).max())
        for answer, kind in zip(answers[len(GOOD) :], kinds, strict=True):
            assert answer.status == BAD[kind][1]
            assert BAD[kind][2] in answer.json()["error"]
    # A decoded bomb alone would be 1.6 GB.
    assert process.memory_info().rss - before < 300e6


def test_requests_with_one_id_get_their_own_vectors(service: running.Caller) -> None:
    """64 at once, one id, 8 pictures: the official container mixes them up."""
    alone = [service.vector(b64(data)) for data in GOOD[:8]]
    with ThreadPoolExecutor(64) as callers:
        vectors = list(callers.map(lambda number: service.vector(b64(GOOD[number % 8])), range(64)))
    for number, vector in enumerate(vectors):
        np.testing.assert_allclose(vector, alone[number % 8], atol=1e-4)


def test_callers_share_batches() -> None:
    model = DummyModel(seconds=0.02)
    with running.in_thread(running.service_of(lambda: model)) as caller:
        images = [b64(encoded(Image.new("RGB", (8, 8), (number, 0, 0)))) for number in range(160)]
        with ThreadPoolExecutor(16) as callers:
            vectors = list(callers.map(caller.vector, images))
        assert [vector[0] for vector in vectors] == list(range(160))
        count = caller.metric('vecmod_batch_size_count{modality="image"}')
        assert caller.metric('vecmod_batch_size_sum{modality="image"}') == 160
        assert caller.metric('vecmod_items_total{modality="image"}') == 160
    assert 160 / count > 4
    assert max(model.sizes) == 8


def test_an_engine_fault_answers_everyone_and_fails_alone() -> None:
    def fail_on_red(items: Sequence[Inputs]) -> None:
        if any(item[0] > 250 and item[1] < 5 for item in items):
            raise RuntimeError("out of luck")

    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)] * 8
    images = [b64(encoded(Image.new("RGB", (4, 4), colour))) for colour in colours]
    with running.in_thread(running.service_of(lambda: DummyModel(0.01, fail_on_red))) as caller:
        with ThreadPoolExecutor(16) as callers:
            answers = list(callers.map(lambda image: caller("POST", "/vectors", {"image": image}), images))
        for colour, answer in zip(colours, answers, strict=True):
            if colour == (255, 0, 0):
                assert answer.status == 500
                assert answer.json() == {
                    "error": "image: the model failed on this input: RuntimeError: out of luck",
                    "code": "engine_fault",
                }
            else:
                assert answer.json()["vector"] == list(colour)
        assert caller("GET", "/.well-known/ready").status == 204


def test_a_vector_that_is_not_finite_is_never_sent() -> None:
    class Broken(DummyModel):
        def embed(self, modality: str, items: Sequence[Inputs]) -> FloatArray:
            return super().embed(modality, items) * np.float32(np.nan)

    with running.in_thread(running.service_of(Broken)) as caller:
        answer = caller("POST", "/vectors", {"image": b64(encoded(gradient(4, 4)))})
    assert (answer.status, answer.json()["code"]) == (500, "engine_fault")


def test_work_of_callers_who_left_is_not_done() -> None:
    model = DummyModel()
    bodies = [json.dumps({"image": b64(encoded(gradient(4, 4, seed)))}).encode() for seed in range(1, 21)]
    with running.in_thread(running.service_of(lambda: model)) as caller:
        model.release.clear()
        with ThreadPoolExecutor(1) as waiting:
            first = waiting.submit(caller.vector, b64(encoded(gradient(4, 4))))
            assert model.entered.wait(30)  # in a batch of its own
            left = [running.send(caller, body) for body in bodies]
            running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 21)
            for opened in left:
                opened.close()
            running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 1)
            model.release.set()
            assert len(first.result()) == 3
        caller.vector(b64(encoded(gradient(4, 4))))
    assert model.sizes == [1, 1]


def test_too_many_requests_are_told_to_come_back() -> None:
    model = DummyModel()
    image = b64(encoded(gradient(4, 4)))
    with running.in_thread(running.service_of(lambda: model, replace(running.DOOR, max_requests=4))) as caller:
        model.release.clear()
        with ThreadPoolExecutor(12) as callers:
            futures = [callers.submit(caller, "POST", "/vectors", {"image": image}) for _ in range(12)]
            running.wait_for(lambda: sum(future.done() for future in futures) == 8)
            assert caller("GET", "/.well-known/live").status == 204
            assert caller("GET", "/meta").status == 200
            model.release.set()
        answers = [future.result() for future in futures]
    assert sorted(answer.status for answer in answers) == [200] * 4 + [503] * 8
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["code"] == "busy"


def test_the_event_loop_is_not_held_up(service: running.Caller) -> None:
    """While a 30 MB body is parsed and refused, probes are answered."""
    stop = threading.Event()
    slowest = 0.0

    def probe() -> None:
        nonlocal slowest
        while not stop.is_set():
            start = time.perf_counter()
            assert service("GET", "/.well-known/live").status == 204
            slowest = max(slowest, time.perf_counter() - start)

    with ThreadPoolExecutor(1) as prober:
        probing = prober.submit(probe)
        assert service("POST", "/vectors", {"image": "A" * 30_000_000}).status == 422
        stop.set()
        probing.result()
    assert slowest < 1.0
