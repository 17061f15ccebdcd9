"""A class of words and pictures from definition to search, on a real Typesense server and the real service."""

from collections.abc import Iterator

import pytest

import running
from pictures import SAMPLES, photo
from typesense_server import TypesenseServer
from vecmod.host.collection import Collection
from vecmod.host.host_errors import InvalidQuery
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.typesense_store import TypesenseStore

# Name of the photo: its tags, and a year that was made up.
PHOTOS = {
    "cat": (["animal", "furry"], 2019),
    "coffee": (["drink"], 2020),
    "rocket": (["machine"], 2021),
    "temple": (["building"], 2022),
    "lime": (["fruit", "green"], 2023),
    "peach": (["fruit"], 2024),
}
CLASS = {
    "class": "Described",
    "vectorizer": "multi2vec-clip",
    "moduleConfig": {
        "multi2vec-clip": {
            "imageFields": ["image"],
            "textFields": ["title"],
            "weights": {"imageFields": [0.9], "textFields": [0.1]},
        }
    },
    "properties": [
        {"name": "image", "dataType": ["blob"]},
        {"name": "title", "dataType": ["text"]},
        {"name": "tags", "dataType": ["text[]"]},
        {"name": "year", "dataType": ["int"]},
    ],
}


@pytest.fixture
def described(clip_service: running.Caller, typesense: TypesenseServer) -> Iterator[Collection]:
    settings = HostSettings.read(
        {"ENABLE_MODULES": "multi2vec-clip", "CLIP_INFERENCE_API": clip_service.url, "VECMOD_STORE": typesense.url}
    )
    with ModuleHost(settings) as host:
        collection = host.create_class(CLASS)
        report = collection.insert_many(
            {"id": name, "properties": {"image": photo(name), "title": name, "tags": tags, "year": year}}
            for name, (tags, year) in PHOTOS.items()
        )
        assert (report.stored, report.failed) == (6, [])
        yield collection
        host.drop_class("Described")


def test_by_picture_by_words_and_by_object(described: Collection) -> None:
    picture = SAMPLES / "queries/cat-crop.png"
    assert described.near_image(picture, limit=1)[0].id == "cat"
    assert described.near_text("a cup of coffee", limit=1)[0].id == "coffee"
    hits = described.near_object("lime")
    assert {hit.id for hit in hits} == PHOTOS.keys() - {"lime"}
    between = (hits[1].distance + hits[2].distance) / 2
    assert described.near_object("lime", distance=between) == hits[:2]
    assert described.near_object("lime", offset=2, limit=2) == hits[2:4]
    assert described.near_text("a cat", filter={"tags": "fruit"}, limit=5)[0].id in ("lime", "peach")
    assert {hit.id for hit in described.near_image(picture, filter={"year": {"$gte": 2023}})} == {"lime", "peach"}
    assert [hit.id for hit in described.near_image(picture, filter={"tags": {"$all": ["fruit", "green"]}})] == ["lime"]
    with pytest.raises(InvalidQuery, match="'owner'"):
        described.near_image(picture, filter={"owner": "x"})


def test_what_is_there_is_skipped_and_what_changed_is_stored(described: Collection) -> None:
    objects = [
        {"id": name, "properties": {"image": photo(name), "title": name, "tags": tags, "year": year + (name == "cat")}}
        for name, (tags, year) in PHOTOS.items()
    ]
    report = described.insert_many(objects)
    assert (report.stored, report.unchanged) == (1, 5)
    assert described.get("cat").properties["year"] == 2020
    assert described.near_object("cat", limit=10, filter={"year": 2020})[0].id == "coffee"


def test_pictures_are_not_stored_and_objects_can_be_deleted(described: Collection, typesense: TypesenseServer) -> None:
    store = TypesenseStore(typesense.url)
    exported = store._reader.collections["Described"].documents.export()
    store.close()
    lines = exported.split("\n")
    assert len(lines) == 6
    assert all(len(line) < 20 * 384 and "image" not in line for line in lines)
    assert described.delete_many({"tags": {"$in": ["fruit", "drink"]}}) == 3
    assert {one.id for one in described.find()} == {"cat", "rocket", "temple"}
