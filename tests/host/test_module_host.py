"""The whole host on real parts: the service with the built-in model; memory, Milvus Lite and Typesense."""

import base64
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import running
from file_server import answer, serving
from pictures import SAMPLES, photo
from vecmod.host.collection import Collection
from vecmod.host.host_errors import (
    InvalidClass,
    InvalidObject,
    InvalidQuery,
    ServiceError,
    StoreError,
    UnknownClass,
    UnknownObject,
)
from vecmod.host.host_settings import HostSettings
from vecmod.host.media_input import MediaInput
from vecmod.host.module_host import ModuleHost

NAMES = ("cat", "coffee", "rocket", "temple", "lime", "peach")
PHOTO = {
    "class": "Photo",
    "vectorizer": "img2vec-neural",
    "moduleConfig": {"img2vec-neural": {"imageFields": ["image"]}},
    "properties": [{"name": "image", "dataType": ["blob"]}, {"name": "path", "dataType": ["text"]}],
}


def open_host(service: running.Caller, store: str) -> ModuleHost:
    variables = {"ENABLE_MODULES": "img2vec-neural", "IMAGE_INFERENCE_API": service.url, "VECMOD_STORE": store}
    return ModuleHost(HostSettings.read(variables))


STORES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "memory": lambda _: "memory://",
    "milvus-lite": lambda request: str(request.getfixturevalue("tmp_path") / "photos.db"),
    "typesense": lambda request: request.getfixturevalue("typesense").url,
}


@pytest.fixture(params=STORES)
def host(request: pytest.FixtureRequest, service: running.Caller) -> Iterator[ModuleHost]:
    with open_host(service, STORES[request.param](request)) as opened:
        yield opened
        for name in opened.class_names():
            opened.drop_class(name)


@pytest.fixture
def photos(host: ModuleHost) -> Collection:
    collection = host.create_class(PHOTO)
    report = collection.insert_many({"id": name, "properties": {"image": photo(name), "path": name}} for name in NAMES)
    assert (report.stored, report.failed) == (6, [])
    return collection


def test_a_query_photo_finds_its_likes_in_every_form(photos: Collection) -> None:
    path = SAMPLES / "queries/cat-crop.png"
    data = path.read_bytes()
    with Image.open(path) as picture:
        forms: list[MediaInput] = [path, str(path), data, BytesIO(data), base64.b64encode(data).decode(), picture]
        answers = [photos.near_image(form, limit=2) for form in forms]
    assert [hits[0].id for hits in answers] == ["cat"] * 6
    distances = [hits[0].distance for hits in answers]
    np.testing.assert_allclose(distances, distances[0], atol=1e-5)
    assert answers[0][0].properties == {"path": "cat"}


def test_the_photo_itself_is_at_distance_zero_and_survives_a_limit(photos: Collection) -> None:
    (hit,) = photos.near_image(photo("temple"), distance=1e-5)
    assert hit.id == "temple"
    assert hit.distance == pytest.approx(0, abs=1e-5)


def test_a_distance_limit_cuts_the_tail(photos: Collection) -> None:
    whole = photos.near_image(photo("lime"))
    assert len(whole) == 6
    assert [hit.distance for hit in whole] == sorted(hit.distance for hit in whole)
    limit = (whole[2].distance + whole[3].distance) / 2
    near = photos.near_image(photo("lime"), distance=limit)
    assert [hit.id for hit in near] == [hit.id for hit in whole[:3]]
    assert photos.near_image(photo("coffee"), distance=2.0, limit=100)[5].distance < 2


def test_offset_and_limit_page_through(photos: Collection) -> None:
    whole = [hit.id for hit in photos.near_image(photo("peach"))]
    pages = [hit.id for offset in (0, 2, 4, 6) for hit in photos.near_image(photo("peach"), limit=2, offset=offset)]
    assert pages == whole


def test_pages_of_all_objects(photos: Collection) -> None:
    found = [one for start in range(0, 8, 2) for one in photos.page(2, start, vectors=True)]
    assert sorted((one.id, one.properties["path"]) for one in found) == sorted((name, name) for name in NAMES)
    assert [(one.id, one.vector.tolist()) for one in found] == [
        (one.id, photos.get(one.id).vector.tolist()) for one in found
    ]
    assert [(one.id, one.vector.size) for one in photos.page(20)] == [(one.id, 0) for one in found]
    with pytest.raises(InvalidQuery, match="offset at least 0"):
        photos.page(10, -1)
    with pytest.raises(InvalidQuery, match="must stay below 16384"):
        photos.page(10_000, 6384)


def test_near_object_leaves_the_object_out(photos: Collection) -> None:
    hits = photos.near_object("cat", limit=5)
    assert {hit.id for hit in hits} == set(NAMES) - {"cat"}
    assert [hit.id for hit in photos.near_object("cat", limit=2, offset=1)] == [hit.id for hit in hits[1:3]]
    assert len(photos.near_object("cat", limit=3)) == 3
    with pytest.raises(UnknownObject, match="class Photo has no object 'dog'"):
        photos.near_object("dog")


def test_near_vector(photos: Collection) -> None:
    vector = photos.get("rocket").vector
    assert photos.near_vector(vector, limit=1)[0].id == "rocket"
    assert photos.near_vector([float(number) for number in vector], limit=1)[0].id == "rocket"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit must be at least 1"),
        ({"offset": -1}, "offset at least 0"),
        ({"limit": 2.5}, "whole numbers, not 2.5 and 0"),
        ({"limit": True}, "whole numbers"),
        ({"properties": "path"}, r"properties is a list of names: \['path'\]"),
        ({"limit": 16000, "offset": 1000}, "must stay below 16384"),
        ({"distance": 2.5}, "from 0 to 2, not 2.5"),
        ({"distance": -0.1}, "from 0 to 2"),
    ],
)
def test_pages_that_make_no_sense(options: Any, message: str, photos: Collection) -> None:
    with pytest.raises(InvalidQuery, match=message):
        photos.near_object("cat", **options)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0, 2.0], "the query has 2 numbers, .* have 1280"),
        ([0.0] * 1280, "is all zeros"),
        (["a"], "must be 1280 numbers"),
    ],
)
def test_vectors_that_make_no_sense(vector: list[Any], message: str, photos: Collection) -> None:
    with pytest.raises(InvalidQuery, match=message):
        photos.near_vector(vector)


def test_a_query_that_is_no_picture(photos: Collection) -> None:
    with pytest.raises(ServiceError, match="vectorize image: fail with status 422: image: is not a picture"):
        photos.near_image(b"these are words")


def test_single_objects(photos: Collection) -> None:
    name = photos.insert({"image": photo("melon"), "path": "melon"})
    assert photos.get(name).properties == {"path": "melon"}
    assert photos.count() == 7
    assert photos.insert({"image": photo("melon"), "path": "again"}, name) == name
    assert photos.count() == 7
    photos.delete([name])
    assert photos.count() == 6
    with pytest.raises(UnknownObject):
        photos.get(name)
    with pytest.raises(InvalidObject, match="nothing to vectorise"):
        photos.insert({"path": "x"})
    with pytest.raises(ServiceError, match="is damaged"):
        photos.insert({"image": photo("melon")[:9000]})


def test_an_object_that_is_not_stored_is_an_error(host: ModuleHost, photos: Collection) -> None:
    host.drop_class("Photo")
    with pytest.raises(StoreError, match="Photo"):
        photos.insert({"image": photo("cat")})


@pytest.mark.usefixtures("photos")
def test_a_class_can_be_declared_again_but_not_changed(host: ModuleHost) -> None:
    assert host.create_class(PHOTO).count() == 6
    assert host.class_names() == ["Photo"]
    with pytest.raises(InvalidClass, match="class Photo is in the store with another definition"):
        host.create_class({**PHOTO, "description": "other"})
    with pytest.raises(UnknownClass, match=r"there is no class Video in .*; it has: Photo"):
        host.get_class("Video")
    with pytest.raises(UnknownClass, match="there is no class  in"):
        host.get_class("")
    host.drop_class("Photo")
    assert host.class_names() == []


def test_stored_vectors_can_be_searched_without_the_service(service: running.Caller, tmp_path: Path) -> None:
    store = str(tmp_path / "kept.db")
    with open_host(service, store) as host:
        host.create_class(PHOTO).insert({"image": photo("cat")}, "cat")
    with ModuleHost(HostSettings.read({"VECMOD_STORE": store})) as host:
        photos = host.get_class("Photo")
        assert photos.near_vector(photos.get("cat").vector)[0].id == "cat"
        assert photos.near_object("cat") == []


TAGGED = {**PHOTO, "class": "Tagged", "properties": [*PHOTO["properties"], {"name": "tags", "dataType": ["text[]"]}]}


@pytest.fixture
def tagged(host: ModuleHost) -> Collection:
    collection = host.create_class(TAGGED)
    tags = {"cat": ["animal", "indoors"], "lime": ["fruit"], "peach": ["fruit", "round"]}
    report = collection.insert_many(
        {"id": name, "properties": {"image": photo(name), "path": name, "tags": tags.get(name, [])}} for name in NAMES
    )
    assert (report.stored, report.failed) == (6, [])
    return collection


def test_filters_narrow_every_search(tagged: Collection) -> None:
    fruit = {"tags": "fruit"}
    assert [hit.id for hit in tagged.near_image(photo("peach"), filter=fruit)] == ["peach", "lime"]
    assert [hit.id for hit in tagged.near_object("peach", filter=fruit)] == ["lime"]
    assert [hit.id for hit in tagged.near_object("peach", filter={"tags": {"$all": ["animal", "indoors"]}})] == ["cat"]
    assert {one.id for one in tagged.find({"path": {"$in": ["cat", "lime"]}})} == {"cat", "lime"}
    assert len(tagged.find(limit=4)) == 4
    with pytest.raises(InvalidQuery, match="declares no property 'colour'"):
        tagged.near_image(photo("peach"), filter={"colour": "red"})


def test_hits_come_with_the_properties_that_are_asked_for(tagged: Collection) -> None:
    assert tagged.near_object("cat", limit=1, properties=["path", "missing"])[0].properties.keys() == {"path"}
    assert tagged.near_object("cat", limit=1, properties=[])[0].properties == {}


def test_deleting_what_meets_a_filter(tagged: Collection) -> None:
    assert tagged.delete_many({"tags": "fruit"}) == 2
    assert tagged.delete_many({"tags": "fruit"}) == 0
    assert {one.id for one in tagged.find()} == {"cat", "coffee", "rocket", "temple"}
    with pytest.raises(InvalidQuery, match="needs a filter"):
        tagged.delete_many({})
    assert tagged.count() == 4


def test_declared_properties_hold_what_they_declare(tagged: Collection) -> None:
    with pytest.raises(
        InvalidObject, match=r"invalid text\[\] property 'tags' on class 'Tagged': not text\[\], but 'a'"
    ):
        tagged.insert({"image": photo("melon"), "tags": "a"})
    with pytest.raises(InvalidObject, match="invalid text property 'path'"):
        tagged.insert({"image": photo("melon"), "path": 5})
    tagged.insert({"image": photo("melon"), "tags": None, "path": None})
    assert tagged.count() == 7


def test_modules_are_asked_only_for_what_they_embed(photos: Collection) -> None:
    with pytest.raises(InvalidQuery, match="img2vec-neural embeds no audio"):
        photos.near_audio(b"RIFF")


def test_pictures_by_url_are_fetched_by_a_service_that_may(cache: Path) -> None:
    with serving() as files:
        files.files["/cat.jpg"] = answer(photo("cat"), "Content-Type: image/jpeg")
        with (
            running.in_thread(running.img2vec(cache, VECMOD_ALLOW_URLS=files.authority)) as fetching,
            open_host(fetching, "memory://") as host,
        ):
            photos = host.create_class(PHOTO)
            photos.insert({"image": files.url("/cat.jpg"), "path": "cat"}, "cat")
            (hit,) = photos.near_image(files.url("/cat.jpg"))
            assert hit.id == "cat"
            assert hit.distance == pytest.approx(0, abs=1e-6)
            with pytest.raises(ServiceError, match="status 404"):
                photos.near_image(files.url("/dog.jpg"))


def test_what_is_found_is_the_finders_own(tagged: Collection) -> None:
    tagged.find({"path": "cat"})[0].properties["tags"].append("mine")
    tagged.near_object("cat")[0].properties["tags"].append("mine")
    assert tagged.find({"tags": "mine"}) == []
    with pytest.raises(InvalidQuery, match=r"delete takes a list of ids: \['cat'\]"):
        tagged.delete("cat")
