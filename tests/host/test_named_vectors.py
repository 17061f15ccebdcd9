"""A class with several named vectors, on real parts."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

import running
from pictures import b64, photo
from vecmod.host.host_errors import InvalidClass, InvalidQuery, NothingToVectorize, ServiceError
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

ARTICLE = {
    "class": "Article",
    "vectorConfig": {
        "look": {"vectorizer": {"img2vec-neural": {"imageFields": ["image"]}}},
        "words": {"vectorizer": {"multi2vec-clip": {"textFields": ["title"]}}},
    },
    "properties": [{"name": "tags", "dataType": ["text[]"]}],
}


@pytest.fixture
def host(service: running.Caller, clip_service: running.Caller) -> Iterator[ModuleHost]:
    variables = {
        "ENABLE_MODULES": "img2vec-neural,multi2vec-clip",
        "IMAGE_INFERENCE_API": service.url,
        "CLIP_INFERENCE_API": clip_service.url,
        "VECMOD_STORE": "memory://",
    }
    with ModuleHost(HostSettings.read(variables)) as opened:
        yield opened


def test_each_vector_is_filled_and_searched(host: ModuleHost) -> None:
    articles = host.create_named_vectors(ARTICLE)
    assert list(articles) == ["look", "words"]
    reports = articles.insert_many(
        [
            {"id": "1", "properties": {"image": BytesIO(photo("cat")), "title": "a day at sea", "tags": ["x"]}},
            {"id": "2", "properties": {"image": photo("coffee"), "title": "a cat on the sofa"}},
            {"id": "3", "properties": {"title": "no picture"}},
            {"id": "4", "properties": {"image": b"no picture", "title": "a broken picture"}},
            {"id": "5", "properties": {"tags": ["nothing"]}},
        ]
    )
    assert (reports["look"].stored, [one.id for one in reports["look"].failed]) == (2, ["5", "4"])
    assert (reports["words"].stored, [one.id for one in reports["words"].failed]) == (4, ["5"])
    assert articles["look"].near_image(photo("cat"))[0].id == "1"
    assert articles["words"].near_text("a kitten on a couch")[0].id == "2"
    assert [hit.id for hit in articles["look"].near_image(photo("coffee"), filter={"tags": "x"})] == ["1"]
    articles.delete(["1", "missing"])
    assert (articles["look"].count(), articles["words"].count()) == (1, 3)


def test_objects_without_an_id_get_one_for_all_vectors(host: ModuleHost) -> None:
    articles = host.create_named_vectors(ARTICLE)
    name = articles.insert({"image": photo("cat"), "title": "a cat"})
    articles.insert_many({"properties": {"image": photo(one), "title": one}} for one in ("coffee", "rocket"))
    assert articles["look"].get(name).properties == articles["words"].get(name).properties == {"title": "a cat"}
    assert {one.id for one in articles["look"].find()} == {one.id for one in articles["words"].find()}
    with pytest.raises(ServiceError, match="is not a picture"):
        articles.insert({"image": b"no picture", "title": "a cat"})
    with pytest.raises(NothingToVectorize):
        articles.insert({"tags": ["nothing"]})


def test_an_object_that_lost_a_field_is_no_longer_found_by_it(host: ModuleHost) -> None:
    articles = host.create_named_vectors(ARTICLE)
    whole = {"id": "1", "properties": {"image": photo("cat"), "title": "a cat"}}
    bare = {"id": "1", "properties": {"title": "a dog"}}
    nothing = {"id": "1", "properties": {"tags": ["x"]}}
    for given, looks in (([whole], 1), ([bare], 0), ([bare, whole], 1), ([whole, bare], 0), ([whole, nothing], 1)):
        reports = articles.insert_many(given)
        assert (articles["look"].count(), articles["words"].count()) == (looks, 1)
        assert [len(one.failed) for one in reports.values()] == [given[-1] is nothing] * 2
    assert articles["look"].near_image(photo("cat"))[0].properties == {"title": "a cat"}


def test_an_iterable_that_raises_loses_nothing(host: ModuleHost) -> None:
    def objects() -> Iterator[dict[str, Any]]:
        yield {"id": "before", "properties": {"image": photo("cat"), "title": "before"}}
        raise RuntimeError("gone")

    articles = host.create_named_vectors(ARTICLE)
    with pytest.raises(RuntimeError, match="gone"):
        articles.insert_many(objects())
    assert (articles["look"].count(), articles["words"].count()) == (1, 1)


def test_media_held_at_once_are_bounded(host: ModuleHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object is stored as soon as the next one would not fit beside it."""
    monkeypatch.setattr("vecmod.host.named_vectors._CHARACTERS", len(b64(photo("cat"))))
    articles = host.create_named_vectors(ARTICLE)
    counts: list[int] = []

    def objects() -> Iterator[dict[str, Any]]:
        for number in range(3):
            counts.append(articles["look"].count())
            yield {"properties": {"image": BytesIO(photo("cat")), "title": str(number)}}

    assert articles.insert_many(objects())["look"].stored == 3
    assert counts == [0, 0, 1]


def test_mistakes(host: ModuleHost) -> None:
    with pytest.raises(InvalidQuery, match="there is no vector 'sound'; the class has look, words"):
        host.create_named_vectors(ARTICLE)["sound"]
    with pytest.raises(InvalidClass, match="vectorConfig must be"):
        host.create_named_vectors({"class": "Article"})
    with pytest.raises(InvalidClass, match="look, words; name one of them"):
        host.create_class(ARTICLE)
