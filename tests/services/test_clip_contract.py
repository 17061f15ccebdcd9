"""multi2vec-clip as its clients see it, with the built-in model."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import running
from pictures import b64, encoded, gradient, photo
from vecmod.host.catalog import MULTI2VEC_CLIP
from vecmod.host.client import ServiceClient
from vecmod.serving.http.lifecycle import StartupFault
from vecmod.serving.model.conse import conse_en
from vecmod.serving.run import load_model

IMAGE = b64(encoded(gradient(20, 10)))


def test_lists_are_answered_in_order(clip_service: running.Caller) -> None:
    images = [b64(photo(name)) for name in ("cat", "rocket", "coffee")]
    texts = ["a cup of coffee", "a cat", "a rocket launch"]
    # Weaviate's client of this module says what the body is; that of multi2vec-bind does not.
    answer = clip_service(
        "POST", "/vectorize", {"texts": texts, "images": images}, Content_Type="application/json"
    ).json()
    assert answer.keys() == {"textVectors", "imageVectors"}
    alike = np.array(answer["textVectors"]) @ np.array(answer["imageVectors"]).T
    assert alike.argmax(axis=1).tolist() == [2, 0, 1]
    np.testing.assert_allclose(np.linalg.norm(answer["textVectors"] + answer["imageVectors"], axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("body", [{}, {"texts": [], "images": []}, {"texts": None, "images": None}, {"other": 1}])
def test_empty_lists_are_answered_with_empty_lists(body: dict[str, object], clip_service: running.Caller) -> None:
    assert clip_service.vectorize(**body) == {"textVectors": [], "imageVectors": []}


def test_long_text_is_cut_and_says_so(clip_service: running.Caller) -> None:
    answer = clip_service("POST", "/vectorize", {"texts": ["short", "word " * 10_000]})
    assert answer.status == 200
    body = answer.json()
    assert body["warnings"] == [
        "texts[1] (item 2 of 2): the text has 10002 tokens, of which the model reads the first 256"
    ]
    (first,) = clip_service.vectorize(texts=["word " * 254])["textVectors"]
    np.testing.assert_allclose(body["textVectors"][1], first, atol=1e-6)
    assert clip_service.metric("vecmod_texts_truncated_total") >= 1


def test_500_items_in_one_request(clip_service: running.Caller) -> None:
    texts = [f"number {number}" for number in range(500)]
    vectors = clip_service.vectorize(texts=texts)["textVectors"]
    assert len(vectors) == 500
    for number in (0, 7, 499):
        alone = clip_service.vectorize(texts=[texts[number]])["textVectors"][0]
        np.testing.assert_allclose(vectors[number], alone, atol=1e-5)


def test_a_text_of_megabytes_costs_no_more_than_a_page(clip_service: running.Caller) -> None:
    start = time.monotonic()
    answer = clip_service.vectorize(texts=["a cat, " * 1_000_000, "a cat, " * 14_000])
    assert time.monotonic() - start < 5
    assert (
        answer["warnings"][0] == "texts[0] (item 1 of 2): the text has 7000000 characters, of which 256 tokens are read"
    )
    assert answer["textVectors"][0] == answer["textVectors"][1]


def test_a_broken_image_is_named(clip_service: running.Caller) -> None:
    images = [IMAGE] * 6 + ["AAAA"] + [IMAGE] * 3
    answer = clip_service("POST", "/vectorize", {"texts": ["a"], "images": images})
    assert answer.status == 422
    assert "images[6] (item 7 of 10): is not a picture" in answer.json()["error"]


def test_one_item(clip_service: running.Caller) -> None:
    text = clip_service("POST", "/vectors", {"id": "7", "text": "a cat"}).json()
    image = clip_service("POST", "/vectors", {"id": "8", "image": IMAGE}).json()
    both = clip_service("POST", "/vectors", {"text": "a cat", "image": IMAGE}).json()
    heavy = clip_service("POST", "/vectors", {"text": "a cat", "image": IMAGE, "weights": {"text": 3}}).json()
    assert (text["id"], text["dim"], image["id"], both["dim"]) == ("7", 384, "8", 384)
    assert "warnings" not in text
    t, i = np.array(text["vector"]), np.array(image["vector"])
    np.testing.assert_allclose(both["vector"], (t + i) / 2, atol=1e-6)
    np.testing.assert_allclose(heavy["vector"], 0.75 * t + 0.25 * i, atol=1e-6)


@pytest.mark.parametrize(
    "weights", [{"text": 1, "image": -1}, {"text": 0, "image": 0}, {"text": 1e308, "image": 1e308}]
)
def test_weights_that_make_no_sense(weights: dict[str, float], clip_service: running.Caller) -> None:
    answer = clip_service("POST", "/vectors", {"text": "a", "image": IMAGE, "weights": weights})
    assert (answer.status, "sum is finite and not zero" in answer.json()["error"]) == (400, True)


def test_what_the_model_has_not(clip_service: running.Caller) -> None:
    answer = clip_service("POST", "/vectorize", {"audio": ["UklGRg=="]})
    assert answer.status == 422
    assert "this model embeds text, image, not audio" in answer.json()["error"]


def test_mixed_callers_get_what_they_get_alone(clip_service: running.Caller) -> None:
    texts = [f"a photo of {thing}" for thing in ("a cat", "a dog", "tea", "the sea and a very long row of words")]
    images = [b64(photo(name)) for name in ("cat", "lime", "temple", "peach")]
    alone = clip_service.vectorize(texts=texts, images=images)
    bodies = [{"texts": [text]} for text in texts] + [{"images": [image]} for image in images]
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda number: clip_service.vectorize(**bodies[number % 8]), range(64)))
    for number, answer in enumerate(answers):
        name, index = ("textVectors", number % 8) if number % 8 < 4 else ("imageVectors", number % 8 - 4)
        np.testing.assert_allclose(answer[name][0], alone[name][index], atol=1e-5)


def test_meta(clip_service: running.Caller) -> None:
    details = clip_service("GET", "/meta").json()["details"]
    assert details["family"] == "builtin/conse-en"
    assert details["dimensions"] == {"text": 384, "image": 384}
    assert details["normalized"] is True
    assert "text: at most 256 tokens" in details["preprocessing"]


def test_one_tower_alone(cache: Path) -> None:
    with running.in_thread(running.clip(cache, VECMOD_TOWERS="text", VECMOD_NORMALIZE="0")) as text_only:
        details = text_only("GET", "/meta").json()["details"]
        assert (details["dimensions"], details["normalized"]) == ({"text": 384}, False)
        answer = text_only.vectorize(texts=["a cat"])
        assert answer.keys() == {"textVectors"}
        assert np.linalg.norm(answer["textVectors"][0]) != pytest.approx(1, abs=0.01)
        assert text_only("POST", "/vectorize", {"images": [IMAGE]}).status == 422
    with running.in_thread(running.clip(cache, VECMOD_TOWERS="image")) as image_only:
        assert ServiceClient(MULTI2VEC_CLIP, image_only.url, 10).dimension() == 384


def test_a_tower_that_is_not_there(cache: Path) -> None:
    settings = running.settings(cache, MODEL_NAME=running.CONSE, VECMOD_TOWERS="text,audio")
    with pytest.raises(StartupFault, match=r"VECMOD_TOWERS names audio, .* it has text, image"):
        load_model(conse_en, settings)
