"""Weaviate's own requests, byte for byte, against our running services."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import running
from go_client import GoAnswer, GoClient, as_go_sends, go_json
from pictures import b64, photo

CAT = b64(photo("cat"))
JSON = "application/json"
CASES = json.loads((Path(__file__).parents[1] / "fixtures/weaviate_cases.json").read_text())["cases"]
# Every request of theirs that the 118 recorded cases hold.
RECORDED = {
    (one["path"], one["content_type"] or "", one["body"].replace("<UNIX_NANOSECONDS>", "1700000000000000000"))
    for case in CASES
    for one in case["expect"].get("requests", [])
}


@pytest.fixture
def image_client(service: running.Caller) -> Iterator[GoClient]:
    client = GoClient(service.url)
    yield client
    client.close()


@pytest.fixture
def clip_client(clip_service: running.Caller) -> Iterator[GoClient]:
    client = GoClient(clip_service.url)
    yield client
    client.close()


def test_the_bytes_are_theirs() -> None:
    """Recorded from the server's Go code."""
    assert as_go_sends("POST", "/vectors", "i2v-neural:8080", b'{"id":"id_0","image":"aW1n"}') == (
        b"POST /vectors HTTP/1.1\r\nHost: i2v-neural:8080\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 28\r\n"
        b'Accept-Encoding: gzip\r\n\r\n{"id":"id_0","image":"aW1n"}'
    )
    assert as_go_sends("POST", "/vectorize", "h", b"{}", JSON).split(b"\r\n")[3:6] == [
        b"Content-Length: 2",
        b"Content-Type: application/json",
        b"Accept-Encoding: gzip",
    ]
    assert go_json({"texts": ['<a> & "b"\\ \u2028\u2029 \b\f\n\r\t\x01\x7f é漢😀 \udcff']}) == (
        b'{"texts":["\\u003ca\\u003e \\u0026 \\"b\\"\\\\ \\u2028\\u2029 \\b\\f\\n\\r\\t\\u0001\x7f '
        + "é漢😀 \ufffd".encode()
        + b'"]}'
    )
    assert {path for path, _, _ in RECORDED} == {"/vectors", "/vectorize", "//vectorize"}
    assert len(RECORDED) == 47


@pytest.mark.parametrize(("path", "content_type", "body"), sorted(RECORDED))
def test_every_recorded_request_is_answered(
    path: str, content_type: str, body: str, image_client: GoClient, clip_client: GoClient
) -> None:
    """Their pictures are no pictures, and no model here hears: that is said in the form that Weaviate reads."""
    client = image_client if path == "/vectors" else clip_client
    answer = client("POST", path, body.encode(), content_type)
    lists = json.loads(body)
    if lists.keys() <= {"texts"}:
        assert answer.status == 200
        vectors = answer.json()["textVectors"]
        assert [len(vector) for vector in vectors] == [384] * len(lists.get("texts", []))
    else:
        assert answer.status == 422
        assert answer.json()["error"]
    assert client.opened == 1


def test_an_object_of_each_module(image_client: GoClient, clip_client: GoClient) -> None:
    text = '<b>fish</b> & chips\u2028\t"é漢😀"'
    image = image_client("POST", "/vectors", go_json({"id": "8d5a3aa2-3c8d-4589-9ae1-3f638f506970_0", "image": CAT}))
    clip = clip_client("POST", "/vectorize", go_json({"texts": [text], "images": [CAT]}), JSON)
    bind = clip_client("POST", "/vectorize", go_json({"texts": [text], "images": [CAT]}))  # no Content-Type
    plain = clip_client("POST", "/vectorize", json.dumps({"texts": [text], "images": [CAT]}).encode(), JSON)
    assert (image.status, clip.status, bind.status) == (200, 200, 200)
    assert image.json()["id"] == "8d5a3aa2-3c8d-4589-9ae1-3f638f506970_0"
    assert image.json()["dim"] == len(image.json()["vector"]) == 1280
    for answer in (bind, plain):
        for key in ("textVectors", "imageVectors"):
            np.testing.assert_allclose(answer.json()[key], clip.json()[key], atol=1e-5)


@pytest.mark.parametrize("path", ["/.well-known/ready", "//.well-known/ready"])
def test_readiness(path: str, image_client: GoClient, clip_client: GoClient) -> None:
    for client in (image_client, clip_client):
        answer = client("GET", path)
        assert (answer.status, answer.body) == (204, b"")  # 299 at most; Weaviate's own tests want 204


def test_meta_is_one_object(clip_client: GoClient) -> None:
    answer = clip_client("GET", "/meta")
    assert answer.status == 200
    assert answer.json()["model"] == running.CONSE


def ask(client: GoClient, number: int) -> GoAnswer:
    if number % 10 == 9:
        return client("GET", "/meta")
    return client("POST", "/vectorize", go_json({"texts": [f"number {number % 4}"], "images": [CAT]}), JSON)


def test_waves_of_objects(clip_client: GoClient) -> None:
    """2 x cores at once; all but two connections are closed after each wave, and opened again for the next."""
    callers = 2 * (os.cpu_count() or 2)
    with ThreadPoolExecutor(callers) as pool:
        for _ in range(5):
            answers = list(pool.map(ask, [clip_client] * callers, range(callers)))
            assert [answer.status for answer in answers] == [200] * callers
            for number, answer in enumerate(answers):
                found: dict[str, Any] = answer.json()
                assert number % 10 == 9 or (len(found["textVectors"]), len(found["imageVectors"])) == (1, 1)
    assert clip_client.opened >= 2


def test_a_request_that_comes_three_times_gets_one_answer(clip_client: GoClient) -> None:
    body = go_json({"texts": ["a cat"]})
    vectors = [clip_client("POST", "/vectorize", body, JSON).json()["textVectors"] for _ in range(3)]
    np.testing.assert_allclose(vectors[1:], [vectors[0]] * 2, atol=1e-6)
    assert clip_client.opened == 1
