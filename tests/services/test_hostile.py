"""Bodies and pictures made to cost memory or time do not get them."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

import running
from dummy_model import DummyModel
from growth import growth_below
from pictures import b64, encoded, gradient, png_of_size

SMALL = b64(encoded(gradient(4, 4)))
LARGE = b64(png_of_size(10_000, 10_000))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"images":[' + b"1," * 1_000_000 + b"1]}", 413),
        (b'{"images":[' + b'"",' * 8_000_000 + b'""]}', 413),
        (b'{"other":[' + b"[]," * 8_000_000 + b"[]]}", 413),
        (b'{"other":{' + b'"a":1,' * 1_000_000 + b'"a":1}}', 413),
        (b'{"images":[' + b'"",' * 2048 + b'""]}', 413),
        (b'{"images":[' + b'"" ' * 100_000 + b'"",,]}', 400),
        (b'{"images":["' + b'\\"' * 8_000_000 + b"," * 20_000, 400),
        (b"[" * 1_000_000, 400),
        (b'{"other":"' + b"\\\\," * 10_000_000 + b'"}', 200),
    ],
    ids=[
        "numbers",
        "empty strings",
        "lists",
        "keys",
        "one item too many",
        "no commas",
        "unclosed string",
        "depth",
        "escapes",
    ],
)
def test_bodies_of_many_values(body: bytes, status: int) -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller:
        with growth_below(200):
            start = time.monotonic()
            answer = caller("POST", "/vectorize", body)
            seconds = time.monotonic() - start
        assert answer.status == status
        assert answer.json().get("code") == {413: "too_large", 400: "malformed", 200: None}[status]
        assert len(answer.body) < 300
        assert seconds < 5


def test_commas_inside_a_text_are_no_values() -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller:
        answer = caller("POST", "/vectors", {"image": SMALL, "other": ',",[' * 100_000})
        assert answer.status == 200
        answer = caller("POST", "/vectorize", {"images": [SMALL] * 2048, "other": [1] * 5_000})
        assert answer.status == 200


def test_damaged_large_pictures_leave_nothing_behind() -> None:
    """Each is 400 MB until its damage is found."""
    damaged = b64(png_of_size(10_000, 10_000)[:-100])
    with running.in_thread(running.service_of(DummyModel)) as caller, growth_below(300):
        for _ in range(3):
            answer = caller("POST", "/vectorize", {"images": [damaged]})
            assert (answer.status, answer.json()["code"]) == (422, "undecodable")


def test_refused_items_leave_nothing_behind() -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller, growth_below(200):
        for _ in range(5):
            answer = caller("POST", "/vectorize", {"images": ["A" * 60_000_000]})
            assert (answer.status, answer.json()["code"]) == (422, "undecodable")


def test_a_small_picture_does_not_wait_for_large_ones() -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller, ThreadPoolExecutor(8) as callers:
        large = [callers.submit(caller.vector, LARGE) for _ in range(8)]
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 8)
        caller.vector(SMALL)
        assert sum(future.done() for future in large) < 4
        assert all(len(future.result()) == 3 for future in large)


def test_a_short_list_does_not_wait_for_a_long_one() -> None:
    model = DummyModel(seconds=0.02)
    images = [b64(encoded(Image.new("RGB", (2, 2), (number % 256, number // 256, 0)))) for number in range(2000)]
    with running.in_thread(running.service_of(lambda: model)) as caller, ThreadPoolExecutor(2) as callers:
        long = callers.submit(caller, "POST", "/vectorize", {"images": images})
        running.wait_for(lambda: len(model.sizes) > 3)
        caller.vector(SMALL)
        assert sum(model.sizes) < 1000
        assert len(long.result().json()["imageVectors"]) == 2000


def test_ids_and_keys_do_not_come_back_by_the_megabyte() -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller:
        for body in ({"id": "x" * 5_000, "image": SMALL}, {"image": SMALL, "weights": {"k" * 1_000_000: "x"}}):
            answer = caller("POST", "/vectors", body)
            assert answer.status == 400
            assert len(answer.body) < 300


@pytest.mark.parametrize(("body", "words"), [({"id": True, "image": SMALL}, "id"), ({"id": 1.5, "image": SMALL}, "id")])
def test_an_id_is_a_string_or_an_integer(body: dict[str, object], words: str) -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller:
        answer = caller("POST", "/vectors", json.dumps(body).encode())
    assert answer.status == 400
    assert words in answer.json()["error"]
