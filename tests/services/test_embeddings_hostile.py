"""Bodies for ``/v1/embeddings`` made to cost memory or time do not get them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import running
from dummy_model import DummyModel
from growth import growth_below
from pictures import b64, encoded, gradient
from running import send

IMAGE = b64(encoded(gradient(4, 4)))
# 128 spaces are one token.
SPACES = b"58040"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"input":[' + b"1," * 10_000_000 + b"1]}", 413),
        (b'{"input":[' + b"[1]," * 5_000_000 + b"[1]]}", 413),
        (b'{"input":[' + b"[]," * 5_000_000 + b"[]]}", 413),
        (b'{"input":[' + b'{"text":""},' * 2_000_000 + b"{}]}", 413),
        (b'{"messages":[' + b'{"content":[{}]},' * 2_000_000 + b"{}]}", 413),
        (b'{"messages":[' + b'{"content":"a"},' * 100_000 + b'{"content":3}]}', 400),
        (b'{"input":[' + b'"a",' * 300_000 + b'"a"]}', 413),
        (b'{"input":[' + b'{"text":"a"},' * 100_000 + b'"a"]}', 413),
        (b'{"input":' + b"[" * 1_000_000, 400),
        (b'{"input":' + b"[" * 100 + b"1" + b"]" * 100 + b"}", 400),
        (b'{"input":[1' + b"0" * 5_000_000 + b"]}", 400),
        (b'{"input":[' + (SPACES + b",") * 290_000 + SPACES + b"]}", 413),
        (b'{"input":[' + (b"[" + SPACES + b"," + SPACES + b"],") * 2000 + b'"a"]}', 200),
        (b'{"input":[' + b"9906," * 290_000 + b"9906]}", 200),
        (b'{"input":[' + b"true," * 290_000 + b"1]}", 413),
        (b'{"input":["' + b"a cat, " * 10_000_000 + b'"]}', 200),
        (b'{"input":{"' + b"k" * 10_000_000 + b'":1}}', 400),
        (b'{"input":"x","model":"' + b"k" * 10_000_000 + b'"}', 404),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else str(value),
)
def test_bodies_of_many_values(body: bytes, status: int, token_service: running.Caller) -> None:
    with growth_below(200):
        start = time.monotonic()
        answer = token_service("POST", "/v1/embeddings", body)
        seconds = time.monotonic() - start
    assert answer.status == status, answer.body[:300]
    assert len(answer.body) < (40_000_000 if status == 200 else 700)
    assert seconds < 30 if status == 200 else seconds < 5


def test_token_ids_of_many_callers_are_no_numbers_for_long(token_service: running.Caller) -> None:
    """A million numbers are tens of megabytes; what waits for the model is the text they stand for."""
    body = b'{"input":[' + b"100000," * 290_000 + b"100000]}"
    with growth_below(300), ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda _: token_service("POST", "/v1/embeddings", body).status, range(16)))
    assert set(answers) == {200}


def test_nobody_waits_for_a_large_body(token_service: running.Caller) -> None:
    body = b'{"input":[' + b"9906," * 290_000 + b"9906]}"
    with ThreadPoolExecutor(4) as callers:
        large = [callers.submit(token_service, "POST", "/v1/embeddings", body) for _ in range(4)]
        longest = 0.0
        while not all(future.done() for future in large):
            start = time.monotonic()
            assert token_service("GET", "/.well-known/live").status == 204
            longest = max(longest, time.monotonic() - start)
    assert longest < 0.5


def test_who_hangs_up_is_worked_for_no_more() -> None:
    model = DummyModel()
    model.release.clear()
    body = (b'{"input":[' + b",".join([f'{{"image":"{IMAGE}"}}'.encode()] * 2000) + b"]}").replace(b"\n", b"")
    with running.in_thread(running.service_of(lambda: model)) as caller:
        with send(caller, body, path="/v1/embeddings"):
            running.wait_for(model.entered.is_set)
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 0)
        model.release.set()
        caller.vector(IMAGE)
    assert sum(model.sizes) < 100


def test_a_stop_is_answered_in_their_words() -> None:
    model = DummyModel()
    model.release.clear()
    answers: list[running.Answer] = []
    server = running.service_of(lambda: model, drain=(0.0, 1))
    with running.in_thread(server) as caller:
        asking = threading.Thread(
            target=lambda: answers.append(caller("POST", "/v1//embeddings/", {"input": {"image": IMAGE}}))
        )
        asking.start()
        running.wait_for(model.entered.is_set)
        server.stop()
        asking.join(20)
        model.release.set()
    assert (answers[0].status, answers[0].json()["error"]["type"]) == (503, "service_unavailable")
