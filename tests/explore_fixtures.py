"""An explorer over a real store and the real services, filled with the sample photos, for tests that change nothing."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import running
from explorers import Page, exploring
from pictures import SAMPLES
from vecmod.host.folder import MediaFolder
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

ALBUM: dict[str, Any] = {
    "class": "Album",
    "vectorizer": "multi2vec-clip",
    "moduleConfig": {"multi2vec-clip": {"imageFields": ["image"]}},
    "properties": [
        {"name": "image", "dataType": ["blob"]},
        {"name": "path", "dataType": ["text"]},
        {"name": "title", "dataType": ["text"]},
        {"name": "tags", "dataType": ["text[]"]},
        {"name": "year", "dataType": ["int"]},
    ],
}
TAGS = {"cat": ["animal", "pet"], "coffee": ["food"], "lime": ["food", "fruit"], "peach": ["food", "fruit"]}


@pytest.fixture(scope="session")
def services(service: running.Caller, clip_service: running.Caller) -> Mapping[str, str]:
    """Variables of a host with both services."""
    return {
        "ENABLE_MODULES": "img2vec-neural,multi2vec-clip",
        "IMAGE_INFERENCE_API": service.url,
        "CLIP_INFERENCE_API": clip_service.url,
    }


@pytest.fixture(scope="session")
def filled(services: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Milvus Lite file: the photos by pictures (Photo), and four of them with tags, by words (Album)."""
    store = str(tmp_path_factory.mktemp("filled") / "photos.db")
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": store})) as host:
        photos = host.create_class(json.loads((SAMPLES / "photo.class.json").read_text()))
        assert photos.insert_many(MediaFolder(photos.config, SAMPLES / "photos").objects()).stored == 16
        album = host.create_class(ALBUM)
        for year, (name, tags) in enumerate(TAGS.items(), 2001):
            place = f"{name}.jpg"
            file = SAMPLES / "photos" / place
            album.insert({"image": file, "path": place, "tags": tags, "year": year}, f"the/{name} 1")
        album.insert({"image": SAMPLES / "photos/temple.jpg", "title": "A temple", "path": "gone.jpg"}, "gone")
        album.insert({"image": SAMPLES / "photos/rocket.jpg", "title": "A rocket"}, "without-a-file")
    return store


@pytest.fixture(scope="session")
def page(filled: str, services: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    own: Path = tmp_path_factory.mktemp("explore")
    with exploring(own, services, [SAMPLES / "photos"], VECMOD_STORE=filled) as opened:
        yield opened
