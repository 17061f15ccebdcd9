"""The same input is embedded once, whoever sends it and however it is spelt; each gets the vector of their own."""

import base64
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import running
from dummy_model import DummyModel
from file_server import answer, serving
from pictures import b64, encoded, gradient
from vecmod.serving.engine.engine import Inputs
from vecmod.serving.media.remote import RemoteFiles, RemoteLimits
from vecmod.serving.media.url_rules import UrlRules

KEPT, NOTHING_FITS = 1 << 20, 1


def colour(number: int) -> bytes:
    return encoded(Image.new("RGB", (2, 2), (number % 256, number // 256, 0)))


def lookups(caller: running.Caller) -> dict[str, float]:
    return {
        result: caller.metric(f'vecmod_vector_lookups_total{{result="{result}"}}')
        for result in ("hit", "joined", "miss")
    }


def hold(model: DummyModel, caller: running.Caller, callers: ThreadPoolExecutor) -> "Future[list[float]]":
    """A caller with whose picture the model is busy, until it is released."""
    model.release.clear()
    held = callers.submit(caller.vector, b64(colour(0)))
    assert model.entered.wait(30)
    return held


@contextmanager
def busy(model: DummyModel) -> Iterator[tuple[running.Caller, ThreadPoolExecutor, "Future[list[float]]"]]:
    """A service that keeps no vectors, callers of it, and the one whose picture the model is at."""
    service = running.service_of(lambda: model, cache_bytes=NOTHING_FITS)
    with running.in_thread(service) as caller, ThreadPoolExecutor(16) as callers:
        yield caller, callers, hold(model, caller, callers)


def spellings(data: bytes) -> list[str]:
    plain = b64(data)
    return [
        plain,
        plain.rstrip("="),
        base64.urlsafe_b64encode(data).decode(),
        f"data:image/png;base64,{plain}",
        "\n".join(plain[start : start + 40] for start in range(0, len(plain), 40)),
    ]


@pytest.mark.parametrize("size", [20, 1000])
def test_all_spellings_are_one(size: int) -> None:
    """The larger one is read beside the event loop, and its bytes are not kept."""
    model = DummyModel()
    data = encoded(Image.effect_noise((size, size), 200).convert("RGB"))
    assert (len(data) > 1 << 20) == (size == 1000)
    with running.in_thread(running.service_of(lambda: model, cache_bytes=KEPT)) as caller:
        vectors = [caller.vector(value) for value in spellings(data)]
        assert vectors == [vectors[0]] * 5
        assert lookups(caller) == {"hit": 4, "joined": 0, "miss": 1}
    assert model.sizes == [1]


def test_without_room_each_is_embedded_by_itself() -> None:
    """As benchmarks want it."""
    model = DummyModel()
    with running.in_thread(running.service_of(lambda: model)) as caller:
        assert (
            caller("POST", "/vectorize", {"images": [b64(colour(1))] * 20}).json()["imageVectors"] == [[1, 0, 0]] * 20
        )
        assert caller.vector(b64(colour(1))) == [1, 0, 0]
        assert lookups(caller) == {"hit": 0, "joined": 0, "miss": 21}
    assert sum(model.sizes) == 21


def test_callers_at_the_same_time_share_and_may_leave() -> None:
    """Whoever came first leaves; the others get their answer. Then all leave, and nothing is done for them."""
    model = DummyModel()
    body = json.dumps({"image": b64(colour(5))}).encode()
    with busy(model) as (caller, callers, held):
        with running.send(caller, body):
            running.wait_for(lambda: lookups(caller)["miss"] == 2)
            others = [callers.submit(caller.vector, b64(colour(5))) for _ in range(10)]
            running.wait_for(lambda: lookups(caller)["joined"] == 10)
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 11)
        model.release.set()
        assert held.result() == [0, 0, 0]
        assert [one.result() for one in others] == [[5, 0, 0]] * 10
        model.entered.clear()
        again = hold(model, caller, callers)
        for opened in [running.send(caller, body) for _ in range(10)]:
            running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") >= 2)
            opened.close()
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 1)
        model.release.set()
        assert again.result() == [0, 0, 0]
        caller.vector(b64(colour(7)))
    assert model.sizes == [1, 1, 1, 1]


def test_a_query_does_not_wait_for_an_import() -> None:
    model = DummyModel()
    image = {"image": b64(colour(5))}
    with busy(model) as (caller, callers, held):
        asked = [
            callers.submit(caller, "POST", "/vectors", image, X_Vecmod_Priority=priority)
            for priority in ("import", "query", "query")
        ]
        running.wait_for(lambda: sum(lookups(caller).values()) == 4)
        assert lookups(caller) == {"hit": 0, "joined": 1, "miss": 3}
        model.release.set()
        assert [one.result().json()["vector"] for one in asked] == [[5, 0, 0]] * 3
        held.result()


def test_whoever_has_time_outlasts_those_who_have_none() -> None:
    model = DummyModel()
    image = {"image": b64(colour(5))}
    with busy(model) as (caller, callers, held):
        hasty = callers.submit(caller, "POST", "/vectors", image, X_Vecmod_Timeout="0.5")
        running.wait_for(lambda: lookups(caller)["miss"] == 2)
        patient = callers.submit(caller, "POST", "/vectors", image)
        running.wait_for(lambda: lookups(caller)["joined"] == 1)
        assert hasty.result().status == 503
        time.sleep(0.1)
        model.release.set()
        assert patient.result().json()["vector"] == [5, 0, 0]
        held.result()


def test_faults_are_told_to_all_and_not_kept() -> None:
    fails = threading.Event()
    fails.set()

    def fail(_: Sequence[Inputs]) -> None:
        if fails.is_set():
            raise RuntimeError("out of luck")

    model = DummyModel(before_run=fail)
    with running.in_thread(running.service_of(lambda: model, cache_bytes=KEPT)) as caller:
        model.release.clear()
        body = {"images": [b64(colour(1)), b64(colour(1))]}
        with ThreadPoolExecutor(4) as callers:
            asked = [callers.submit(caller, "POST", "/vectorize", body) for _ in range(4)]
            running.wait_for(lambda: lookups(caller)["joined"] == 7)
            model.release.set()
        assert {(one.result().status, one.result().json()["error"]) for one in asked} == {
            (500, "images[0] (item 1 of 2): the model failed on this input: RuntimeError: out of luck")
        }
        fails.clear()
        for _ in range(2):  # decoded each time
            refused = caller("POST", "/vectorize", {"images": [b64(b"no picture"), b64(b"no picture")]})
            assert refused.status == 422
            assert refused.json()["error"].startswith("images[0] (item 1 of 2): ")
        assert caller.vector(b64(colour(3))) == [3, 0, 0]
        assert lookups(caller) == {"hit": 0, "joined": 9, "miss": 4}


def test_what_a_url_leads_to_is_known_by_its_bytes() -> None:
    model = DummyModel()
    with serving() as files:
        remote = RemoteFiles(UrlRules((files.authority,)), RemoteLimits(max_bytes=2**20, seconds=5))
        urls = [files.url(f"/{number}.png", answer(colour(9))) for number in range(40)]
        service = running.service_of(lambda: model, remote=remote, cache_bytes=KEPT)
        with running.in_thread(service) as caller:
            # More than there are turns to fetch: each is given back.
            vectors = caller("POST", "/vectorize", {"images": [*urls, b64(colour(9))]}).json()["imageVectors"]
            assert vectors == [[9, 0, 0]] * 41
            assert lookups(caller)["miss"] == 1
    assert model.sizes == [1]


def test_nobody_gets_anothers_vector() -> None:
    """64 callers, 100 pictures, queries and imports, small cache; some leave, some have no time."""
    model = DummyModel(seconds=0.002)
    images = [b64(colour(number)) for number in range(100)]
    bodies = [json.dumps({"images": [image]}).encode() for image in images]
    service = running.service_of(lambda: model, cache_bytes=20 * 512)
    with running.in_thread(service) as caller, ThreadPoolExecutor(64) as callers:

        def call(seed: int) -> int:
            chosen = random.Random(seed)  # noqa: S311 -- no secret
            answered = 0
            for _ in range(20):
                numbers = [chosen.randrange(100) for _ in range(chosen.choice([1, 1, 1, 12]))]
                if chosen.random() < 0.2:
                    running.send(caller, bodies[numbers[0]], path="/vectorize").close()
                    continue
                headers = {"X_Vecmod_Priority": chosen.choice(["query", "import"])}
                if chosen.random() < 0.2:
                    headers["X_Vecmod_Timeout"] = str(chosen.choice([0.001, 0.01, 0.1]))
                told = caller("POST", "/vectorize", {"images": [images[number] for number in numbers]}, **headers)
                assert told.status in ((200, 503) if "X_Vecmod_Timeout" in headers else (200,)), told.body
                if told.status == 200:
                    assert [vector[0] for vector in told.json()["imageVectors"]] == numbers
                    answered += 1
            return answered

        assert sum(callers.map(call, range(64))) > 64 * 10
        found = lookups(caller)
        assert min(found.values()) > 0
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 0)


def test_warnings_and_tokens_are_kept_with_the_vector(cache: Path) -> None:
    texts = ["word " * 1000, "a cat"]
    with running.in_thread(running.clip(cache, VECMOD_VECTOR_CACHE_MB=1)) as caller:
        first, second = (caller("POST", "/v1/embeddings", {"input": texts}).json() for _ in range(2))
        assert first == second
        assert first["usage"]["prompt_tokens"] > 256
        assert len(first["warnings"]) == 1
        assert "input[0] (item 1 of 2)" in first["warnings"][0]
        # Found, and told of at the place where it stands now.
        third = caller("POST", "/vectorize", {"texts": texts[::-1]}).json()
        assert "texts[1] (item 2 of 2)" in third["warnings"][0]
        assert lookups(caller) == {"hit": 4, "joined": 0, "miss": 2}
        assert caller.metric("vecmod_texts_truncated_total") == 3
        # A text is not what it would be as base64, nor a picture.
        image = encoded(gradient(8, 8))
        both = caller("POST", "/vectorize", {"texts": [b64(image)], "images": [b64(image)]}).json()
        assert not np.allclose(both["textVectors"][0], both["imageVectors"][0])
