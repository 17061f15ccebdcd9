"""Replicas share vectors through a real Redis; one that is slow, down or full of rubbish costs nobody an answer."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from PIL import Image

import running
from dummy_model import DummyModel
from pictures import b64, encoded
from redis_server import INSTALLED, RedisServer, redis_server
from start import start
from vecmod.serving.flow import redis_vectors

pytestmark = pytest.mark.skipif(not INSTALLED, reason="redis-server is not installed: apt-get install redis-server")


def picture(number: int) -> str:
    return b64(encoded(Image.new("RGB", (2, 2), (number, 0, 0))))


def asked(caller: running.Caller) -> dict[str, float]:
    return {
        result: caller.metric(f'vecmod_shared_vectors_total{{result="{result}"}}')
        for result in ("hit", "miss", "fault", "skipped")
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as one:
        yield one


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine Redis may take longer than production should wait."""
    monkeypatch.setattr(redis_vectors, "_SECONDS", 2.0)


def kept(server: RedisServer) -> "redis.Redis":
    return redis.Redis.from_url(server.url)


@pytest.mark.usefixtures("patient")
def test_what_one_replica_has_embedded_another_need_not(server: RedisServer) -> None:
    models = [DummyModel(), DummyModel()]
    with (
        running.in_thread(running.service_of(lambda: models[0], redis_url=server.url)) as first,
        running.in_thread(running.service_of(lambda: models[1], redis_url=server.url)) as second,
        kept(server) as client,
    ):
        numbers = range(10)
        assert [first.vector(picture(number)) for number in numbers] == [[number, 0, 0] for number in numbers]
        running.wait_for(lambda: client.dbsize() == 10)
        assert [second.vector(picture(number)) for number in numbers] == [[number, 0, 0] for number in numbers]
        assert asked(first) == {"hit": 0, "miss": 10, "fault": 0, "skipped": 0}
        assert asked(second) == {"hit": 10, "miss": 0, "fault": 0, "skipped": 0}
    assert [sum(model.sizes) for model in models] == [10, 0]


@pytest.mark.usefixtures("patient")
def test_warnings_and_tokens_come_along(server: RedisServer, cache: Path) -> None:
    body = {"input": ["word " * 1000, "a cat"]}
    variables = {"VECMOD_TOWERS": "text", "VECMOD_VECTOR_CACHE_URL": server.url}
    with running.in_thread(running.clip(cache, **variables)) as caller, kept(server) as client:
        first = caller("POST", "/v1/embeddings", body).json()
        running.wait_for(lambda: client.dbsize() == 2)
    with running.in_thread(running.clip(cache, **variables)) as caller:
        assert caller("POST", "/v1/embeddings", body).json() == first
        assert asked(caller)["hit"] == 2
    # Other vectors of the same texts.
    with running.in_thread(running.clip(cache, VECMOD_NORMALIZE=0, **variables)) as caller:
        assert caller("POST", "/v1/embeddings", body).status == 200
        assert asked(caller)["hit"] == 0


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("damage", [b"", b"rubbish", b"vec1", "cut", "longer", "nan", "other"])
def test_what_is_damaged_is_embedded_anew(damage: bytes | str, server: RedisServer) -> None:
    with (
        running.in_thread(running.service_of(DummyModel, redis_url=server.url)) as caller,
        kept(server) as client,
    ):
        caller.vector(picture(5))
        running.wait_for(lambda: client.dbsize() == 1)
        (key,) = client.keys()
        value = client.get(key)
        assert isinstance(value, bytes)
        head, numbers = value[:12], value[12:]
        made = {
            "cut": value[:-1],
            "longer": head[:4] + b"\x04" + head[5:] + numbers + b"1234",
            "nan": head + b"\0\0\xc0\x7f" * 3,
            "other": b"vec2" + value[4:],
        }
        client.set(key, damage if isinstance(damage, bytes) else made[damage])
        assert caller.vector(picture(5)) == [5, 0, 0]
        assert asked(caller) == {"hit": 0, "miss": 2, "fault": 0, "skipped": 0}
        running.wait_for(lambda: client.get(key) == value)
        assert caller.vector(picture(5)) == [5, 0, 0]
        assert asked(caller)["hit"] == 1


def test_one_that_does_not_answer_is_passed_by(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_vectors, "_PAUSE", 1.0)
    caplog.set_level(logging.INFO, "vecmod.serving.flow.redis_vectors")
    with running.in_thread(running.service_of(DummyModel, redis_url=server.url)) as caller:
        caller.vector(picture(0))
        server.pause()  # connections are there, answers are not
        began = time.monotonic()
        for number in range(1, 21):
            assert caller.vector(picture(number)) == [number, 0, 0]
        assert time.monotonic() - began < 1.5
        stopped = asked(caller)
        assert stopped["fault"] >= 1
        assert stopped["skipped"] >= 10
        server.resume()
        server.stop()  # nobody listens
        time.sleep(1.0)
        for number in range(21, 31):
            assert caller.vector(picture(number)) == [number, 0, 0]
        assert asked(caller)["fault"] > stopped["fault"]
        assert asked(caller)["hit"] == 0
        server.start()
        monkeypatch.setattr(redis_vectors, "_SECONDS", 2.0)

        def is_back() -> bool:
            caller.vector(picture(200))
            return asked(caller)["hit"] > 0

        running.wait_for(is_back)
    messages = [record.getMessage() for record in caplog.records]
    assert [message.partition("(")[0] for message in messages] == [
        "the Redis of VECMOD_VECTOR_CACHE_URL does not answer within 0.02 s ",
        "the Redis of VECMOD_VECTOR_CACHE_URL answers again",
    ]
    assert "secret" not in "".join(messages)


def test_a_wrong_password_costs_nobody_an_answer(server: RedisServer) -> None:
    with running.in_thread(running.service_of(DummyModel, redis_url=server.url.replace("secret", "wrong"))) as caller:
        for number in range(5):
            assert caller.vector(picture(number)) == [number, 0, 0]
        assert asked(caller)["hit"] == 0
        assert asked(caller)["fault"] >= 1


def test_a_url_that_is_none_of_redis(tmp_path: Path) -> None:
    code, log = start(
        "img2vec_neural",
        MODEL_NAME=running.BUILTIN,
        VECMOD_CACHE_DIR=str(tmp_path),
        VECMOD_VECTOR_CACHE_URL="http://:secret@host",
    )
    assert code == 1
    assert "VECMOD_VECTOR_CACHE_URL is not a Redis's URL; write redis://host:6379/0" in log
    assert "secret" not in log
    assert "Traceback" not in log
