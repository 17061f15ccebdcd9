"""Search in words, on real parts: multi2vec-clip with the built-in model, Milvus Lite and memory."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import running
from fake_service import always, fake_service
from pictures import photo
from vecmod.host.collection import Collection
from vecmod.host.host_errors import InvalidQuery, ServiceError, UnknownObject
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.near_text import Move

NAMES = ("cat", "coffee", "rocket", "temple", "lime", "peach")


@pytest.fixture(params=["memory://", "words.db"])
def host(request: pytest.FixtureRequest, clip_service: running.Caller, tmp_path: Path) -> Iterator[ModuleHost]:
    store = request.param if "://" in request.param else str(tmp_path / request.param)
    variables = {"ENABLE_MODULES": "multi2vec-clip", "CLIP_INFERENCE_API": clip_service.url, "VECMOD_STORE": store}
    with ModuleHost(HostSettings.read(variables)) as opened:
        yield opened


def declare(host: ModuleHost, name: str = "Photo", **settings: object) -> Collection:
    module = {"multi2vec-clip": {"imageFields": ["image"], **settings}}
    return host.create_class({"class": name, "vectorizer": "multi2vec-clip", "moduleConfig": module})


@pytest.fixture
def photos(host: ModuleHost) -> Collection:
    collection = declare(host)
    report = collection.insert_many({"id": name, "properties": {"image": photo(name), "name": name}} for name in NAMES)
    assert (report.stored, report.failed) == (6, [])
    return collection


def test_words_find_pictures(photos: Collection) -> None:
    for words, name in (("a cat", "cat"), ("a hot drink", "coffee"), ("space flight", "rocket")):
        assert photos.near_text(words)[0].id == name
    near = photos.near_text("a cat", distance=0.4)
    assert [hit.id for hit in near] == ["cat"]
    pages = [photos.near_text("a cat", limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [hit.id for hit in itertools.chain(*pages)] == [hit.id for hit in photos.near_text("a cat")]


def test_several_texts_and_movements(photos: Collection) -> None:
    assert {hit.id for hit in photos.near_text(["a cat", "coffee"], limit=2)} == {"cat", "coffee"}
    assert photos.near_text("a cat", to=Move(1.0, objects=["rocket"]))[0].id == "rocket"
    assert Move(1.0, "rocket", "cat") == Move(1.0, ("rocket",), ("cat",))
    assert (
        photos.near_text("a cat", away=Move(1.0, objects=["cat"]))[0].distance > photos.near_text("a cat")[0].distance
    )
    with pytest.raises(UnknownObject):
        photos.near_text("a cat", to=Move(0.5, objects=["nobody"]))
    with pytest.raises(InvalidQuery, match="force must be between 0 and 1"):
        photos.near_text("a cat", to=Move(1.5, concepts=["x"]))
    with pytest.raises(InvalidQuery, match="at least one text"):
        photos.near_text([])
    with pytest.raises(InvalidQuery, match="limit must be at least 1"):
        photos.near_text("a cat", limit=0)


def test_one_vector_of_text_and_picture(host: ModuleHost) -> None:
    fields = {"textFields": ["title"], "weights": {"textFields": [1], "imageFields": [3]}}
    both = declare(host, "Both", **fields)
    both.insert({"image": photo("cat"), "title": "a rocket launch"}, "both")
    both.insert({"image": photo("cat")}, "image")
    both.insert({"title": "a rocket launch"}, "title")
    vectors = {name: both.get(name).vector for name in ("both", "image", "title")}
    np.testing.assert_allclose(vectors["both"], (vectors["title"] + 3 * vectors["image"]) / 8, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors["image"]), 1, atol=1e-5)
    assert both.get("both").properties == {"title": "a rocket launch"}


def test_a_class_with_a_service_of_its_own(host: ModuleHost) -> None:
    with fake_service(always(200, '{"textVectors":[[1,2]],"imageVectors":[[3,4]]}')) as elsewhere:
        there = declare(host, "There", inferenceUrl=elsewhere.origin)
        there.insert({"image": photo("cat")}, "a")
        assert there.get("a").vector.shape == (2,)


def test_a_module_that_reads_no_text(service: running.Caller) -> None:
    variables = {"ENABLE_MODULES": "img2vec-neural", "IMAGE_INFERENCE_API": service.url, "VECMOD_STORE": "memory://"}
    with ModuleHost(HostSettings.read(variables)) as host:
        config = {"img2vec-neural": {"imageFields": ["image"]}}
        photos = host.create_class({"class": "P", "vectorizer": "img2vec-neural", "moduleConfig": config})
        with pytest.raises(InvalidQuery, match="img2vec-neural reads no text"):
            photos.near_text("a cat")


def test_a_service_that_refuses(host: ModuleHost) -> None:
    with fake_service(always(200, '{"textVectors":[[1,2]]}')) as elsewhere:
        there = declare(host, "There", inferenceUrl=elsewhere.origin)
        elsewhere.reply = always(500, '{"error":"boom"}')
        with pytest.raises(ServiceError, match="vectorize keywords: fail with status 500: boom"):
            there.near_text("a cat")
