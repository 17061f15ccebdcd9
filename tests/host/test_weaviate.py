"""Weaviate as the host's database: on the stand-in, and on a real one where there is one (`weaviate_servers.py`).

What is stored and found must be what the host itself would have stored and found in the memory store.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from weaviate.classes.data import DataObject

import running
from pictures import SAMPLES, b64, photo
from stand_in_weaviate import stand_in_weaviate
from vecmod.host.collection import Collection
from vecmod.host.folder import MediaFolder
from vecmod.host.host_errors import (
    InvalidClass,
    InvalidObject,
    InvalidQuery,
    InvalidSettings,
    ServiceError,
    ServiceUnreachable,
    StoreError,
    UnknownClass,
    UnknownObject,
)
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.near_text import Move
from vecmod.host.search import Page
from vecmod.host.stores.store import Hit
from weaviate_servers import KINDS, weaviate_of

NAMES = ("cat", "coffee", "rocket", "temple", "lime", "peach")
UUID = "6e2d5c0a-6f0d-5c7e-9a53-8c0c4c0f7b11"
ARTICLE: dict[str, Any] = {
    "class": "Article",
    "vectorizer": "multi2vec-clip",
    "moduleConfig": {
        "multi2vec-clip": {
            "textFields": ["title", "body"],  # not sorted: Weaviate alone would swap their weights
            "imageFields": ["image"],
            "weights": {"textFields": [0.3, 0.1], "imageFields": [0.6]},
        }
    },
    "properties": [
        {"name": "title", "dataType": ["text"]},
        {"name": "body", "dataType": ["text"]},
        {"name": "tags", "dataType": ["text[]"]},
        {"name": "year", "dataType": ["int"]},
        {"name": "weight", "dataType": ["number"]},
        {"name": "sizes", "dataType": ["number[]"]},
        {"name": "wild", "dataType": ["boolean"]},
    ],
}
NAMED: dict[str, Any] = {
    "class": "Named",
    "vectorConfig": {
        "words": {"vectorizer": {"multi2vec-clip": {"textFields": ["title"]}}},
        "pixels": {"vectorizer": {"img2vec-neural": {"imageFields": ["image"]}}},
    },
    "properties": [{"name": "title", "dataType": ["text"]}, {"name": "image", "dataType": ["blob"]}],
}
PHOTO: dict[str, Any] = {
    "class": "Photo",
    "vectorizer": "img2vec-neural",
    "moduleConfig": {"img2vec-neural": {"imageFields": ["image"]}},
    "properties": [{"name": "image", "dataType": ["blob"]}, {"name": "title", "dataType": ["text"]}],
}


def article(number: int, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "title": f"A {name}",
        "body": f"This is a picture of a {name}, \"'\\ \u2028 <&> é漢",
        "image": photo(name),
        "tags": [name, "even" if number % 2 == 0 else "odd"],
        "year": 2000 + number,
        "sizes": [1, 2.5],
    }
    if number > 2:
        properties |= {"weight": number / 2, "wild": number % 2 == 0}
    return {"id": UUID if name == "peach" else name, "properties": properties}


ARTICLES = [article(number, name) for number, name in enumerate(NAMES)]


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest, service: running.Caller, clip_service: running.Caller) -> Iterator[str]:
    with weaviate_of(request.param, {"img2vec-neural": service.url, "multi2vec-clip": clip_service.url}) as store:
        yield store


@pytest.fixture
def host(url: str) -> Iterator[ModuleHost]:
    with open_host(url) as opened:
        for name in ("Article", "Named", "Photo"):
            opened.drop_class(name)
        yield opened


def open_host(store: str, **variables: str) -> ModuleHost:
    return ModuleHost(HostSettings.read({"VECMOD_STORE": store, **variables}))


@pytest.fixture
def articles(host: ModuleHost) -> Collection:
    collection = host.create_class(ARTICLE)
    report = collection.insert_many(ARTICLES)
    assert (report.stored, report.unchanged, report.failed, report.stopped) == (6, 0, [], None)
    return collection


@pytest.fixture(scope="module")
def ours(clip_service: running.Caller) -> Iterator[Collection]:
    """The same in the memory store."""
    variables = {"ENABLE_MODULES": "multi2vec-clip", "CLIP_INFERENCE_API": clip_service.url}
    with open_host("memory://", **variables) as host:
        collection = host.create_class(ARTICLE)
        assert collection.insert_many(ARTICLES).stored == 6
        yield collection


def check_hits(found: list[Hit], expected: list[Hit]) -> None:
    assert [hit.id for hit in found] == [hit.id for hit in expected]
    assert [hit.properties for hit in found] == [hit.properties for hit in expected]
    np.testing.assert_allclose([hit.distance for hit in found], [hit.distance for hit in expected], atol=1e-5)


def test_objects_get_the_vector_that_the_host_would_have_made(articles: Collection, ours: Collection) -> None:
    """Weights belong to the fields they were written for, in Weaviate too."""
    for name in ("cat", "temple", UUID):
        found, expected = articles.get(name), ours.get(name)
        np.testing.assert_allclose(found.vector, expected.vector, atol=1e-6)
        assert (found.id, found.properties) == (name, expected.properties)
        # The first half of ours knows the weights, which are Weaviate's own affair.
        assert found.fingerprint.partition(":")[2] == expected.fingerprint.partition(":")[2]
    assert articles.count() == 6
    with pytest.raises(UnknownObject, match="class Article has no object 'dog'"):
        articles.get("dog")


def test_every_query_finds_what_the_host_finds(articles: Collection, ours: Collection) -> None:
    query = SAMPLES / "queries/cat-crop.png"
    limit = (ours.near_image(query)[2].distance + ours.near_image(query)[3].distance) / 2
    for page in ({}, {"limit": 2}, {"limit": 2, "offset": 1}, {"distance": limit}, {"offset": 9}):
        options: Any = page
        check_hits(articles.near_image(query, **options), ours.near_image(query, **options))
        check_hits(articles.near_object("lime", **options), ours.near_object("lime", **options))
    check_hits(articles.near_text("a hot drink"), ours.near_text("a hot drink"))
    check_hits(articles.near_text(["fruit", "green"]), ours.near_text(["fruit", "green"]))
    to, away = Move(0.7, ["space"], ["temple", UUID]), Move(1.5, ["fruit"], ["cat"])
    check_hits(articles.near_text("a cat", to=to, away=away), ours.near_text("a cat", to=to, away=away))
    check_hits(articles.near_text("a cat", to=Move(0, ["x"])), ours.near_text("a cat"))
    vector = ours.get("rocket").vector
    check_hits(articles.near_vector(vector, limit=3), ours.near_vector(vector, limit=3))
    check_hits(articles.near_vector(list(map(float, vector))), ours.near_vector(vector))


@pytest.mark.parametrize(
    "wanted",
    [
        {"tags": "cat"},
        {"tags": {"$in": ["cat", "odd"]}},
        {"tags": {"$all": ["lime", "even"]}},
        {"tags": {"$nin": ["cat", "odd"]}},
        {"tags": "CAT"},
        {"title": "A cat"},
        {"title": "A"},
        {"title": {"$ne": "A cat"}},
        {"body": "This is a picture of a cat, \"'\\ \u2028 <&> é漢"},
        {"year": {"$gte": 2002, "$lt": 2005}},
        {"year": {"$in": [2001, 2003]}},
        {"weight": 2},
        {"weight": {"$gt": 1.5}},
        {"weight": {"$ne": 2.0}},
        {"wild": True},
        {"wild": {"$ne": True}},
        {"$or": [{"year": 2000}, {"tags": "odd", "wild": False}]},
    ],
    ids=json.dumps,
)
def test_filters_mean_the_same(wanted: dict[str, Any], articles: Collection, ours: Collection) -> None:
    expected = sorted(one.id for one in ours.find(wanted))
    assert sorted(one.id for one in articles.find(wanted)) == expected
    check_hits(articles.near_text("a cat", filter=wanted, limit=2), ours.near_text("a cat", filter=wanted, limit=2))
    assert articles.delete_many(wanted) == len(expected)
    assert articles.count() == 6 - len(expected)


def test_pages_have_what_was_stored(articles: Collection, ours: Collection) -> None:
    found = [one for start in range(0, 8, 2) for one in articles.page(2, start, vectors=True)]
    assert sorted(one.id for one in found) == sorted(one.id for one in ours.page())
    for one in found:
        expected = ours.get(one.id)
        assert (one.properties, one.fingerprint) == (expected.properties, articles.get(one.id).fingerprint)
        np.testing.assert_allclose(one.vector, expected.vector, atol=1e-6)
    assert [(one.id, one.vector.size) for one in articles.page()] == [(one.id, 0) for one in found]
    with pytest.raises(InvalidQuery, match="limit must be at least 1"):
        articles.page(0)


def test_media_stay_in_weaviate_until_they_are_asked_for(articles: Collection) -> None:
    (hit,) = articles.near_text("a cat", limit=1, properties=["image", "title", "missing"])
    assert hit.properties == {"image": b64(photo("cat")), "title": "A cat"}
    assert articles.near_text("a cat", limit=1, properties=["year", "missing"])[0].properties == {"year": 2000}
    assert "image" not in articles.find({"title": "A cat"})[0].properties


def test_what_is_unchanged_is_not_sent_again(articles: Collection, clip_service: running.Caller) -> None:
    asked = clip_service.metric('vecmod_requests_total{route="/vectorize",status="200"}')
    assert asked >= 6
    report = articles.insert_many(ARTICLES)
    assert (report.stored, report.unchanged) == (0, 6)
    assert clip_service.metric('vecmod_requests_total{route="/vectorize",status="200"}') == asked
    changed = {"id": "cat", "properties": {**ARTICLES[0]["properties"], "year": 1999}}
    report = articles.insert_many([changed, *ARTICLES[1:], changed])
    assert (report.stored, report.unchanged) == (1, 6)
    assert articles.get("cat").properties["year"] == 1999
    assert articles.count() == 6


def test_ids_of_every_kind(articles: Collection) -> None:
    names = ["a/b ?#", "é漢😀", "x" * 255, UUID.upper(), UUID.replace("-", ""), "{" + UUID + "}"]
    report = articles.insert_many([{"id": name, "properties": {"title": "t"}} for name in names])
    assert (report.stored, report.failed) == (6, [])
    assert articles.count() == 11  # a UUID in capitals is that UUID
    assert {one.id for one in articles.find({"title": "t"})} == set(names)
    made = articles.insert({"title": "new"})
    assert articles.get(made).id == made
    articles.delete([*names, made, "missing"])
    assert articles.count() == 5


def test_each_object_at_fault_is_named_with_the_services_words(articles: Collection) -> None:
    report = articles.insert_many(
        [
            {"id": "fine", "properties": {"title": "fine"}},
            {"id": "words", "properties": {"image": b"these are words"}},
            {"id": "cut", "properties": {"image": photo("cat")[:9000]}},
            {"id": "large", "properties": {"title": "x", "year": 2**60}},
            {"id": "mixed", "properties": {"title": "x", "other": [1, "a"]}},
            {"id": "nested", "properties": {"title": "x", "other": [[1], [2]]}},
            {"id": "empty", "properties": {"year": 1}},
            {"id": "base", "properties": {"image": "$$$"}},
        ]
    )
    words = {one.id: str(one.error) for one in report.failed}
    assert report.stored == 1
    assert words.keys() == {"words", "cut", "large", "mixed", "nested", "empty", "base"}
    assert words["words"].startswith("fail with status 422: images[0] (item 1 of 1): is not a picture")
    assert "is damaged" in words["cut"]
    assert "another number" in words["large"]
    assert "several types" in words["mixed"]
    assert "list of lists" in words["nested"]
    assert "nothing to vectorise" in words["empty"]
    assert "base64" in words["base"]
    kinds = {one.id: type(one.error) for one in report.failed}
    assert (kinds["words"], kinds["cut"], kinds["large"]) == (ServiceError, ServiceError, InvalidObject)


def test_a_batch_that_fails_whole_is_named_one_by_one(articles: Collection) -> None:
    """The client then keeps to itself which object had which fault."""
    bad = [{"id": name, "properties": {"image": data}} for name, data in (("a", b"no"), ("b", photo("cat")[:9000]))]
    first, second = articles.insert_many(bad).failed
    assert (first.id, second.id) == ("a", "b")
    assert "is not a picture" in str(first.error)
    assert "is damaged" in str(second.error)
    with pytest.raises(ServiceError, match="is not a picture"):
        articles.insert({"image": b"no"})


@pytest.mark.parametrize("form", ["data:image/jpeg;base64,{0}", "{1}", "{2}"], ids=["data URI", "URL-safe", "lines"])
def test_base64_in_every_form_is_what_weaviate_takes(form: str, articles: Collection) -> None:
    text = b64(photo("cat"))
    safe = text.translate(str.maketrans("+/", "-_")).rstrip("=")
    lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    articles.insert({"image": form.format(text, safe, lines)}, "form")
    (hit,) = articles.near_image(photo("cat"), limit=1, properties=["image"])
    assert (hit.id, hit.properties) == ("form", {"image": text})


def test_a_class_with_named_vectors_stays_one(host: ModuleHost, service: running.Caller) -> None:
    pixels, words = (host.create_class(NAMED, vector=name) for name in ("pixels", "words"))
    assert "Named" in host.class_names()
    objects = [{"id": name, "properties": {"title": f"a {name}", "image": photo(name)}} for name in NAMES]
    assert pixels.insert_many(objects).stored == 6
    assert words.insert_many(objects).unchanged == 6
    assert words.near_text("a lime", limit=1)[0].id == "lime"
    assert pixels.near_image(photo("rocket"), limit=1)[0].id == "rocket"
    np.testing.assert_allclose(pixels.get("cat").vector, service.vector(b64(photo("cat"))), atol=1e-4)
    assert words.get("cat").vector.shape == (384,)
    assert {hit.id for hit in words.near_object("lime")} == set(NAMES) - {"lime"}
    assert pixels.near_vector(pixels.get("cat").vector, limit=1)[0].id == "cat"
    with pytest.raises(InvalidQuery, match="img2vec-neural embeds no text"):
        pixels.near_text("a cat")
    with pytest.raises(InvalidClass, match=r"open Named_(words|pixels)"):
        host.get_class("Named")
    with pytest.raises(InvalidClass, match=r"name one of them: vector="):
        host.create_class(NAMED)
    assert host.get_class("Named_pixels").near_image(photo("cat"), limit=1)[0].id == "cat"
    assert {"Named_pixels", "Named_words"} <= set(host.collection_names())
    # An object may have something for one of the vectors only.
    assert words.insert_many([{"id": "bare", "properties": {"image": photo("melon")}}]).failed == []
    assert pixels.near_image(photo("melon"), limit=1)[0].id == "bare"
    assert words.get("bare").vector.size == 0
    assert {one.id: one.vector.size for one in words.page(vectors=True)} == {**dict.fromkeys(NAMES, 384), "bare": 0}
    assert {one.vector.size for one in pixels.page(vectors=True)} == {1280}
    with pytest.raises(UnknownClass):
        host.get_class("Named_other")


def test_a_class_can_be_declared_again_but_makes_no_other_vectors(host: ModuleHost) -> None:
    host.create_class(ARTICLE).insert({"title": "x"})
    assert host.create_class(ARTICLE).count() == 1
    assert host.create_class({**ARTICLE, "class": "article"}).count() == 1
    assert host.get_class("Article").count() == 1
    settings = ARTICLE["moduleConfig"]["multi2vec-clip"]
    other = {**settings, "weights": {**settings["weights"], "textFields": [0.1, 0.3]}}
    with pytest.raises(InvalidClass, match=r"another definition \(the vectorizer of its vector is .*0\.1, 0\.3"):
        host.create_class({**ARTICLE, "moduleConfig": {"multi2vec-clip": other}})
    with pytest.raises(InvalidClass, match=r"another definition \(its property year is \['int'\]\)"):
        host.create_class({**ARTICLE, "properties": [{"name": "year", "dataType": ["text"]}]})
    with pytest.raises(InvalidClass, match="another definition"):
        host.create_class({**NAMED, "class": "Article"}, vector="words")
    with pytest.raises(UnknownClass, match=r"there is no class Video in weaviate://.*; it has: .*Article"):
        host.get_class("Video")
    host.drop_class("Article")
    host.drop_class("Article")
    assert "Article" not in host.class_names()


def test_the_class_is_weaviates_own(host: ModuleHost) -> None:
    definition: dict[str, Any] = {
        "class": "Photo",
        "moduleConfig": {"multi2vec-clip": {"imageFields": ["image"], "textFields": ["title"]}},
        "vectorizer": "multi2vec-clip",
        "properties": [
            {"name": "Title", "dataType": ["string"]},
            {"name": "text", "dataType": ["text"], "tokenization": "word"},
        ],
    }
    for _ in range(2):
        collection = host.create_class(definition)
    stored = {one["name"]: (one["dataType"], one["tokenization"]) for one in collection.config.definition["properties"]}
    assert stored["title"] == (["text"], "field")
    assert stored["text"] == (["text"], "word")
    assert stored["image"][0] == ["blob"]  # else Weaviate would guess: text
    with pytest.raises(InvalidClass, match="imageFields must be an array"):
        host.create_class({**definition, "moduleConfig": {"multi2vec-clip": {"imageFields": "image"}}})
    with pytest.raises(InvalidClass, match=r'Weaviate refuses the class: .*no module with name "multi2vec-bind"'):
        host.create_class(
            {"class": "New", "vectorizer": "multi2vec-bind", "moduleConfig": {"multi2vec-bind": {"audioFields": ["a"]}}}
        )


def test_a_class_that_others_made(host: ModuleHost, url: str) -> None:
    """Our properties are not forced on it: ids must be UUIDs, and nothing is skipped."""
    made = host._store._client.collections.create_from_dict(  # type: ignore[union-attr]
        {**PHOTO, "properties": [*PHOTO["properties"], {"name": "taken", "dataType": ["date"]}]}
    )
    taken = "2024-05-06T07:08:09Z"
    made.data.insert_many(
        [DataObject(uuid=UUID, properties={"image": b64(photo("cat")), "title": "The Cat", "taken": taken})]
    )
    with open_host(url) as other:
        photos = other.get_class("Photo")
        (hit,) = photos.near_image(photo("cat"))
        assert (hit.id, hit.properties) == (UUID, {"title": "The Cat", "taken": taken})
        assert photos.find({"title": "cat"})[0].id == UUID  # Weaviate's word for word
        report = photos.insert_many([{"id": "lime", "properties": {"image": photo("lime")}}])
        assert "its id is no UUID" in str(report.failed[0].error)
        for _ in range(2):
            assert photos.insert_many([{"id": UUID, "properties": {"image": photo("lime")}}]).stored == 1
        assert photos.count() == 1
        assert host.create_class(PHOTO).count() == 1


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda one: one.near_text("x", limit=0), "limit must be at least 1"),
        (lambda one: one.near_object("cat", distance=3), "from 0 to 2"),
        (lambda one: one.near_text([]), "at least one text"),
        (lambda one: one.near_text("x", to=Move(1.5, ["y"])), "movement: force must be between 0 and 1"),
        (lambda one: one.near_audio(b"x"), "multi2vec-clip embeds no audio"),
        (lambda one: one.near_image("/no/such/file"), "neither an existing file nor base64"),
        (lambda one: one.near_vector([0.0, 0.0]), "is all zeros"),
        (lambda one: one.near_vector([1.0, 2.0]), "comes from another model"),
        (lambda one: one.near_vector([[1.0]]), "has the shape"),
        (lambda one: one.near_vector(["a"]), "must be numbers"),
        (lambda one: one.near_text("x", filter={"nope": 1}), "declares no property 'nope'"),
        (lambda one: one.find({"vecmod_id": "cat"}), "declares no property 'vecmod_id'"),
        (lambda one: one.delete_many({}), "needs a filter"),
    ],
)
def test_queries_that_make_no_sense(ask: Any, message: str, articles: Collection) -> None:
    with pytest.raises(InvalidQuery, match=message):
        ask(articles)


def test_a_query_that_the_service_refuses(articles: Collection) -> None:
    with pytest.raises(ServiceError, match=r"^vectorize image: fail with status 422: .*is not a picture"):
        articles.near_image(b"these are words")
    with pytest.raises(UnknownObject):
        articles.near_object("dog")


def test_a_service_that_is_away_ends_the_run(host: ModuleHost) -> None:
    """``inferenceUrl`` leads nowhere: what was not stored is not at fault."""
    settings = {"textFields": ["title"], "inferenceUrl": f"http://127.0.0.1:{running.free_port()}"}
    lost = host.create_class({**ARTICLE, "moduleConfig": {"multi2vec-clip": settings}})
    report = lost.insert_many([{"id": str(number), "properties": {"title": "t"}} for number in range(3)])
    assert (report.stored, report.failed) == (0, [])
    assert isinstance(report.stopped, ServiceUnreachable)
    with pytest.raises(ServiceUnreachable, match=r"Weaviate cannot reach the service: .*correct its"):
        lost.near_text("x")


def test_an_iterable_that_raises_loses_nothing(articles: Collection) -> None:
    def objects() -> Iterator[dict[str, Any]]:
        yield {"id": "before", "properties": {"title": "before"}}
        raise RuntimeError("gone")

    done: list[int] = []
    with pytest.raises(RuntimeError, match="gone"):
        articles.insert_many(objects(), done.append)
    assert articles.get("before").properties == {"title": "before"}
    assert done == [1]


def test_media_that_are_not_vectorised_are_kept_too(host: ModuleHost) -> None:
    photos = host.create_class({**PHOTO, "properties": [{"name": "thumb", "dataType": ["blob"]}]})
    counts = []
    for thumb in (None, "lime", "lime", "peach"):
        medium = BytesIO(photo(thumb)) if thumb else None
        report = photos.insert_many([{"id": "x", "properties": {"image": BytesIO(photo("cat")), "Thumb": medium}}])
        counts.append((report.stored, report.unchanged, report.failed))
    assert counts == [(1, 0, []), (1, 0, []), (0, 1, []), (1, 0, [])]
    (hit,) = photos.near_image(photo("cat"), properties=["image", "thumb"])
    assert hit.properties == {"image": b64(photo("cat")), "thumb": b64(photo("peach"))}


def test_a_url_is_refused_with_what_to_do(host: ModuleHost) -> None:
    photos = host.create_class(PHOTO)
    with pytest.raises(InvalidObject, match=r"^image is a URL, but Weaviate takes base64 alone: send the bytes"):
        photos.insert({"image": "HTTPS://images.example.com/cat.jpg"})
    assert photos.count() == 0


def test_large_batches_are_divided(articles: Collection) -> None:
    done: list[int] = []
    report = articles.insert_many(
        ({"id": f"n{number}", "properties": {"title": f"number {number}"}} for number in range(150)), done.append
    )
    assert (report.stored, sum(done), len(done)) == (150, 150, 3)
    assert articles.count() == 156
    articles.delete([f"n{number}" for number in range(150)])
    assert articles.count() == 6


def test_a_key_is_asked_for_and_never_shown(clip_service: running.Caller) -> None:
    with stand_in_weaviate({"multi2vec-clip": clip_service.url}, key="s3cr%t") as url:
        with pytest.raises(StoreError, match="please provide an api key; write the API key into the URL") as missing:
            open_host(url)
        with pytest.raises(StoreError, match="provide an api key") as wrong:
            open_host(url.replace("://", "://:wr0ng@"))
        with open_host(url.replace("://", "://:s3cr%25t@")) as host:
            assert host.create_class(ARTICLE).count() == 0
            with pytest.raises(UnknownClass, match=r"weaviate://\*\*\*@127\.0\.0\.1") as unknown:
                host.get_class("Video")
    for caught in (missing, wrong, unknown):
        assert "s3cr" not in str(caught.value)
        assert "wr0ng" not in str(caught.value)


def test_a_weaviate_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"nobody answers for REST at 127\.0\.0\.1:.*is Weaviate at .* running\?"):
        open_host(f"weaviate://127.0.0.1:{running.free_port()}")
    with stand_in_weaviate({"multi2vec-clip": "http://127.0.0.1:9"}) as url:
        rest = url.partition("?")[0]
        with pytest.raises(StoreError, match="nobody answers for gRPC"):
            open_host(f"{rest}?grpc={running.free_port()}")
        host = open_host(url)
        article = host.create_class(ARTICLE)
    monkeypatch.setattr("weaviate.retry.time.sleep", lambda _: None)  # the client waits up to a minute
    with host:
        with pytest.raises(StoreError, match=r"listing classes failed: .*is Weaviate at .* running\?"):
            host.class_names()
        with pytest.raises(StoreError, match="counting Article failed: failed to connect to all addresses"):
            article.count()
        with pytest.raises(StoreError, match="searching Article failed: failed to connect"):
            article.near_text("x")
        report = article.insert_many([{"id": "x", "properties": {"title": "x"}}])
        assert isinstance(report.stopped, StoreError)
        assert (report.stored, report.failed) == (0, [])


@pytest.mark.parametrize(
    "store",
    [
        "weaviate://",
        "weaviate://:k3y@h:port",
        "weaviate://:k3y@h?grpc=x:y",
        "weaviate://:k3y@h/path",
        "weaviate://h?a=b",
        "weaviate://h?grpc=8080",
    ],
)
def test_urls_that_cannot_be_used(store: str) -> None:
    with pytest.raises(InvalidSettings, match="write weaviate://host:8080") as caught:
        open_host(store)
    assert "k3y" not in str(caught.value)


def test_what_is_no_weaviate(service: running.Caller) -> None:
    """Something answers at both addresses, and it is one of our own services."""
    port = service.url.rpartition(":")[2]
    with pytest.raises(StoreError, match="it is not there; is it Weaviate at"):
        open_host(f"weaviate://127.0.0.1:{port}?grpc=localhost:{port}")


def test_an_object_too_large_for_a_request_stops_nobody_else(articles: Collection) -> None:
    huge = {"id": "huge", "properties": {"image": "A" * 100_000_004}}
    report = articles.insert_many([huge, {"id": "fine", "properties": {"title": "fine"}}])
    assert [(one.id, str(one.error)[:10]) for one in report.failed] == [("huge", "has 100 MB")]
    assert (report.stored, report.stopped) == (1, None)


def test_names_that_are_no_class_reach_no_server(host: ModuleHost, articles: Collection) -> None:
    for name in ("", "../Article", "Article/x", "article"):
        host.drop_class(name)
        with pytest.raises(UnknownClass):
            host.get_class(name)
    assert articles.count() == 6


def test_pages_agree_on_what_a_hit_comes_with() -> None:
    hit = Hit("a", 0.0, {"x": 1, "y": 2})
    assert Page(properties=["y", "z"]).cut(hit).properties == {"y": 2}


def test_a_folder_of_pictures(host: ModuleHost, tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(photo("cat"))
    (tmp_path / "broken.jpg").write_bytes(b"no")
    definition = {**PHOTO, "properties": [{"name": "path", "dataType": ["text"]}]}
    folder = MediaFolder(host.read_class(definition), tmp_path)
    photos = host.create_class(definition)
    report = photos.insert_many(folder.objects())
    assert (report.stored, [str(one.error) for one in report.failed]) == (
        1,
        ["fail with status 422 (Weaviate does not pass on why)"],
    )
    assert photos.near_image(photo("cat"))[0].properties == {"path": "cat.jpg"}
