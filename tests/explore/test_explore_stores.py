"""The explorer over every store: the same photos are seen, found, filled in and laid out."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import running
from explorers import Page, exploring
from pictures import SAMPLES, b64, photo
from stand_in_weaviate import stand_in_weaviate
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

NAMES = ("cat", "coffee", "lime", "peach", "rocket", "temple")
ALBUM = {
    "class": "Shelf",
    "vectorizer": "multi2vec-clip",
    "moduleConfig": {"multi2vec-clip": {"imageFields": ["image"]}},
    "properties": [
        {"name": "image", "dataType": ["blob"]},
        {"name": "path", "dataType": ["text"]},
        {"name": "tags", "dataType": ["text[]"]},
    ],
}
NAMED = {
    "class": "Named",
    "vectorConfig": {
        "words": {"vectorizer": {"multi2vec-clip": {"imageFields": ["image"]}}},
        "pixels": {"vectorizer": {"img2vec-neural": {"imageFields": ["image"]}}},
    },
    "properties": [{"name": "image", "dataType": ["blob"]}, {"name": "path", "dataType": ["text"]}],
}
STORES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "milvus-lite": lambda request: str(request.getfixturevalue("tmp_path") / "photos.db"),
    "typesense": lambda request: request.getfixturevalue("typesense").url,
    "tidb-stand-in": lambda request: str(request.getfixturevalue("tidb_stand_in").url),
    "weaviate-stand-in": lambda request: str(request.getfixturevalue("weaviate")),
}


@pytest.fixture
def weaviate(service: running.Caller, clip_service: running.Caller) -> Iterator[str]:
    with stand_in_weaviate({"img2vec-neural": service.url, "multi2vec-clip": clip_service.url}) as url:
        yield url


@pytest.mark.parametrize("kind", STORES)
def test_every_store(kind: str, request: pytest.FixtureRequest, services: Mapping[str, str], tmp_path: Path) -> None:
    variables = {**services, "VECMOD_STORE": STORES[kind](request)}
    with ModuleHost(HostSettings.read(variables)) as host:
        host.drop_class("Shelf")
        shelf = host.create_class(ALBUM)
        for name in NAMES[:4]:
            shelf.insert({"image": photo(name), "path": f"{name}.jpg", "tags": [name, "all"]}, name)
    try:
        with exploring(tmp_path / "own", variables, [SAMPLES / "photos"]) as page:
            _look_around(page)
            _fill(page)
            _ask_services(page, asked_by_us=kind != "weaviate-stand-in")
    finally:
        with ModuleHost(HostSettings.read(variables)) as host:
            host.drop_class("Shelf")


def _look_around(page: Page) -> None:
    items = page.get("/api/collections/Shelf/items")["items"]
    assert sorted(one["title"] for one in items) == [f"{name}.jpg" for name in NAMES[:4]]
    assert all(page("GET", one["thumbnail"]).status == 200 for one in items)
    tags = page.get("/api/collections/Shelf/tags?property=tags")["tags"]
    assert tags == [{"value": "all", "count": 4}, *({"value": name, "count": 1} for name in NAMES[:4])]
    hits = page.search("Shelf", by="text", text="a hot drink", limit=1)["hits"]
    assert hits[0]["title"] == "coffee.jpg"
    hits = page.search("Shelf", by="object", id="lime", filter={"tags": ["all"][0]}, limit=1)["hits"]
    assert hits[0]["title"] == "peach.jpg"


def _fill(page: Page) -> None:
    begun = page.begin("Shelf")
    for name in NAMES[4:]:
        assert page.put(begun, f"new/{name}.jpg", photo(name)).status == 202
    report = page.finish(begun)
    assert (report["stored"], report["failures"], report["stopped"]) == (2, 0, "")
    made = page.get("/api/collections/Shelf/map")
    assert (made["shown"], made["of"]) == (6, 6)
    (hit,) = page.search("Shelf", by="image", data=b64(photo("rocket")), limit=1)["hits"]
    assert (hit["title"], page("GET", hit["media"]).body) == ("rocket.jpg", photo("rocket"))


def _ask_services(page: Page, *, asked_by_us: bool) -> None:
    status = page.get("/api/status")
    shelf = next(one for one in status["collections"] if one["name"] == "Shelf")
    assert (shelf["items"], shelf["searches"], shelf["inserts"]) == (6, ["text", "image", "object"], ["image"])
    assert ("multi2vec-clip" in {one["module"] for one in status["services"]}) == asked_by_us


def test_each_vector_of_a_class_in_weaviate(weaviate: str, services: Mapping[str, str], tmp_path: Path) -> None:
    variables = {**services, "VECMOD_STORE": weaviate}
    with ModuleHost(HostSettings.read(variables)) as host:
        words = host.create_class(NAMED, vector="words")
        words.insert({"image": photo("cat"), "path": "cat.jpg"}, "cat")
    with exploring(tmp_path / "own", variables, [SAMPLES / "photos"]) as page:
        listed = {one["name"]: one["searches"] for one in page.get("/api/status")["collections"]}
        assert listed == {"Named_pixels": ["image", "object"], "Named_words": ["text", "image", "object"]}
        begun = page.begin("Named_pixels")
        assert page.put(begun, "lime.jpg", photo("lime")).status == 202
        assert page.finish(begun)["stored"] == 1
        for name in listed:
            (hit,) = page.search(name, by="image", data=b64(photo("lime")), limit=1)["hits"]
            assert (hit["title"], page("GET", hit["media"]).body) == ("lime.jpg", photo("lime"))
            assert hit["media"].startswith(f"/api/collections/{name}/")
            assert page.get(f"/api/collections/{name}/map")["shown"] == 2
