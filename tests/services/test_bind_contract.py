"""multi2vec-bind as its clients see it: files over the wire, vectors of ImageBind's own code back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import running
from bind_golden import AUDIO_ERROR, FOLDER, LISTS, LONG, TEXTS, assert_equal, error_of, files_of, golden, raw
from pictures import b64

EXAMPLES: list[dict[str, Any]] = json.loads((FOLDER / "e2e/http_examples.json").read_text("utf-8"))
ANSWERS = {"textVectors", *(answer for answer, _, _ in LISTS.values())}


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def service(request: pytest.FixtureRequest, cache: Path) -> Iterator[running.Caller]:
    with running.in_thread(running.bind(cache, VECMOD_ENGINE=request.param)) as caller:
        yield caller


@pytest.mark.parametrize("key", LISTS)
def test_files_to_vectors(key: str, service: running.Caller) -> None:
    answer, name, kind = LISTS[key]
    given = service.vectorize(**{key: files_of(kind)})
    assert_equal(given[answer], golden(name), error_of(key))
    assert all(not given[other] for other in ANSWERS - {answer})


def test_texts_to_vectors(service: running.Caller) -> None:
    ours = np.array(service.vectorize(texts=TEXTS)["textVectors"])
    theirs = golden("text")
    assert_equal(np.delete(ours, LONG, axis=0), np.delete(theirs, LONG, axis=0))
    assert len(np.unique(theirs[LONG], axis=0)) == 1
    assert len(np.unique(ours[LONG], axis=0)) == 3


def test_one_item_of_each_to_one_vector(service: running.Caller) -> None:
    lists = {key: files_of(kind)[0] for key, (_, _, kind) in LISTS.items()}
    body = {"text": TEXTS[0], **{LISTS[key][1]: value for key, value in lists.items()}}
    answer = service("POST", "/vectors", {"id": 7, **body})
    assert answer.status == 200, answer.body
    mean = np.mean([golden("text")[0], *(golden(name)[0] for _, name, _ in LISTS.values())], axis=0)
    assert answer.json()["id"] == "7"
    np.testing.assert_allclose(answer.json()["vector"], mean, atol=1e-4)


def posts() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for example in EXAMPLES:
        request = example["request"]
        if request["path"] == "/vectorize" and example["status"] == 200:
            yield request["body"], example["response"]


def filled(body: Any) -> Any:
    """With files where their names are."""
    if isinstance(body, str) and (named := re.fullmatch(r"<base64 of raw/(\w+)/([\w.]+)>", body)):
        return b64(raw(*named.groups()))
    return [filled(one) for one in body] if isinstance(body, list) else body


def test_objects_of_an_embeddings_api_are_of_the_kind_that_they_name(service: running.Caller) -> None:
    """All kinds in one list, in its order; vectors of the same numbers as of the other routes."""
    named = {name: files_of(kind)[:2] for _, name, kind in LISTS.values()}
    given = [{name: value} for name, values in named.items() for value in values]
    answer = service("POST", "/v1/embeddings", {"input": [TEXTS[0], *given], "normalized": False})
    assert answer.status == 200, answer.body
    vectors = [one["embedding"] for one in answer.json()["data"]]
    known = [golden("text")[:1], *(golden(name)[:2] for name in named)]
    assert_equal(vectors, np.concatenate(known), AUDIO_ERROR)
    uri = f"data:audio/wav;base64,{named['audio'][0]}"
    (one,) = service("POST", "/v1/embeddings", {"input": {"audio": uri}, "encoding_format": "float"}).json()["data"]
    assert np.linalg.norm(one["embedding"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("item", "code", "words"),
    [
        ({"audio": "AAAA", "text": "a"}, "malformed", 'an object with one string: {"text"}, {"image"}, {"audio"}, '),
        ({"audio": {"url": "x"}}, "malformed", "must be a text, a list of token ids, or an object with one string"),
        ({"audio": None}, "malformed", '{"depth"}, {"url"} or {"bytes"}'),
        ({"audios": "AAAA"}, "malformed", "must be a text"),
        ({"video": "AAAA"}, "undecodable", "is not a film"),
        ({"video": "http://127.0.0.1:9/a.mp4"}, "url_refused", "is a URL, and this service fetches none"),
        ({"imu": ""}, "undecodable", "is empty; send"),
    ],
    ids=str,
)
def test_objects_of_an_embeddings_api_are_named(
    item: dict[str, object], code: str, words: str, service: running.Caller
) -> None:
    answer = service("POST", "/v1/embeddings", {"input": ["a cat", item]})
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)
    assert answer.json()["detail"].startswith("input[1] (item 2 of 2): ")
    assert words in answer.json()["detail"]


def test_what_the_official_container_was_asked(service: running.Caller) -> None:
    asked = 0
    for body, expected in posts():
        given = service.vectorize(**{name: filled(values) for name, values in body.items()})
        assert given.keys() == expected.keys()
        for key, vectors in expected.items():
            assert len(given[key]) == len(vectors)
            if vectors:
                assert_equal(given[key], np.array(vectors), AUDIO_ERROR)
        asked += 1
    assert asked >= 3


def test_all_seven_lists_are_answered_when_nothing_is_asked(service: running.Caller) -> None:
    assert service.vectorize() == {answer: [] for answer in ANSWERS}


def test_meta_is_the_official_one_and_ours(service: running.Caller) -> None:
    meta = service("GET", "/meta").json()
    (official,) = (example["response"] for example in EXAMPLES if example["request"]["path"] == "/meta")
    assert meta.items() >= official.items()
    assert meta["service"] == "multi2vec-bind"
    assert "no commercial use" in meta["details"]["licence"]
    assert set(meta["details"]["dimensions"].values()) == {32}
    assert meta["details"]["modalities"] == ["text", "image", "audio", "video", "imu", "thermal", "depth"]
    assert meta["limits"]["max_audio_seconds"] == 600


def test_the_official_ways_can_be_chosen(cache: Path) -> None:
    with running.in_thread(running.bind(cache, VECMOD_OFFICIAL_LONG_TEXTS=1, VECMOD_TOWERS="text")) as caller:
        assert_equal(caller.vectorize(texts=TEXTS)["textVectors"], golden("text"))


def test_motion_sensors_can_be_read_as_the_model_was_trained(cache: Path) -> None:
    tables = files_of("imu")
    with running.in_thread(running.bind(cache, VECMOD_IMU_TRANSPOSE=1, VECMOD_TOWERS="imu")) as caller:
        turned = np.array(caller.vectorize(imu=tables)["imuVectors"])
    assert (np.abs(turned - golden("imu")).max(axis=1) > 0.1).all()


def test_a_modality_that_was_left_out_is_said(cache: Path) -> None:
    with running.in_thread(running.bind(cache, VECMOD_TOWERS="text,image")) as caller:
        assert caller("GET", "/meta").json()["details"]["modalities"] == ["text", "image"]
        answer = caller("POST", "/vectorize", {"audio": files_of("audio")[:1]})
        assert answer.status == 422
        assert answer.json()["code"] == "unsupported_modality"
        assert answer.json()["error"] == (
            "audio[0] (item 1 of 1): this model embeds text, image, not audio; "
            "VECMOD_TOWERS leaves audio out; add it there"
        )
