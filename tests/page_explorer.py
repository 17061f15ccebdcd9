"""What the explorer's page is tested on: real services with the built-in models, real stores, real explorers."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import running
from crops import crops
from explorers import exploring
from page_browser import WORDS, chromium
from pictures import SAMPLES
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

TAGS = {
    "arches": ["building"],
    "astronaut": ["space", "person"],
    "bricks": ["building"],
    "cat": ["animal"],
    "coffee": ["food", "drink"],
    "flower": ["plant"],
    "galaxies": ["space"],
    "lime": ["food", "fruit"],
    "melon": ["food", "fruit"],
    "nebula": ["space"],
    "observatory": ["building", "space"],
    "peach": ["food", "fruit"],
    "photographer": ["person"],
    "rocket": ["space"],
    "temple": ["building"],
    "watermelon": ["food", "fruit"],
}
PHOTOS = tuple(TAGS)
THOUSAND = 1000
PHOTO_FOLDER = SAMPLES / "photos"
NOBODY = "http://127.0.0.1:9"


def class_of(name: str, module: str = "img2vec-neural", field: str = "image", *more: str) -> dict[str, Any]:
    """A class with one field for files, ``path``, and lists that are named."""
    return {
        "class": name,
        "vectorizer": module,
        "moduleConfig": {module: {f"{field}Fields": [field]}},
        "properties": [
            {"name": field, "dataType": ["blob"]},
            {"name": "path", "dataType": ["text"]},
            *({"name": one, "dataType": ["text[]"]} for one in more),
        ],
    }


def objects(files: Iterable[Path], folder: Path, field: str = "image") -> Iterator[dict[str, Any]]:
    for file in files:
        place = file.relative_to(folder).as_posix()
        tags = {"tags": TAGS[file.stem]} if file.stem in TAGS else {}
        yield {"properties": {field: file, "path": place, **tags}}


@contextmanager
def opened_host(variables: Mapping[str, str]) -> Iterator[ModuleHost]:
    """A host to fill a store with; closed before anybody else opens the store."""
    with ModuleHost(HostSettings.read(variables)) as host:
        yield host


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for all of the session: playwright's event loop would keep the tests of others from having their own."""
    with chromium() as one:
        yield one


@pytest.fixture(scope="session")
def module_variables(services: Mapping[str, str], film_service: running.Caller) -> dict[str, str]:
    """Variables of a host that knows the three services."""
    bind = {"ENABLE_MODULES": f"{services['ENABLE_MODULES']},{running.BIND}", "BIND_INFERENCE_API": film_service.url}
    return {**services, **bind}


@pytest.fixture(scope="session")
def film_service(cache: Path) -> Iterator[running.Caller]:
    """multi2vec-bind with the built-in model."""
    server = running.bind(cache, MODEL_NAME=running.CONSE, VECMOD_MODEL_PATH="")
    with running.in_thread(server) as caller:
        yield caller


def fill_with_samples(host: ModuleHost) -> None:
    photos = sorted(PHOTO_FOLDER.iterdir())
    for definition in (class_of(WORDS, running.CLIP, "image", "tags"), class_of("Photo")):
        report = host.create_class(definition).insert_many(objects(photos, PHOTO_FOLDER))
        assert report.stored == len(PHOTOS)
    host.create_class(class_of("Empty"))
    lost = [{"properties": {"image": PHOTO_FOLDER / "cat.jpg", "path": "nowhere/lost.jpg"}}]
    host.create_class(class_of("Lost")).insert_many(lost)
    films = sorted((SAMPLES / "films").iterdir())
    host.create_class(class_of("Film", running.BIND, "video")).insert_many(objects(films, SAMPLES / "films", "video"))


@pytest.fixture(scope="session")
def samples_store(module_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Milvus Lite file: the sample photos, twice, the sample films, a photo without its file, and an empty class."""
    store = str(tmp_path_factory.mktemp("samples") / "samples.db")
    with opened_host({**module_variables, "VECMOD_STORE": store}) as host:
        fill_with_samples(host)
    return store


@pytest.fixture(scope="session")
def explorer(
    module_variables: dict[str, str], samples_store: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of an explorer on the samples."""
    folders = (PHOTO_FOLDER, SAMPLES / "films")
    own = tmp_path_factory.mktemp("own")
    with exploring(own, module_variables, folders, VECMOD_STORE=samples_store) as page:
        yield page.url


@pytest.fixture
def empty_explorer(module_variables: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Of an explorer whose only class is empty."""
    store = str(tmp_path / "empty.db")
    with opened_host({**module_variables, "VECMOD_STORE": store}) as host:
        host.create_class(class_of("Empty"))
    with exploring(tmp_path / "own", module_variables, VECMOD_STORE=store) as page:
        yield page.url


@pytest.fixture
def lonely_explorer(module_variables: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Of an explorer whose service has gone since its class was filled."""
    store = str(tmp_path / "lonely.db")
    with opened_host({**module_variables, "VECMOD_STORE": store}) as host:
        photos = sorted(PHOTO_FOLDER.iterdir())[:3]
        host.create_class(class_of(WORDS, running.CLIP)).insert_many(objects(photos, PHOTO_FOLDER))
    gone = {**module_variables, "CLIP_INFERENCE_API": NOBODY}
    with exploring(tmp_path / "own", gone, (PHOTO_FOLDER,), VECMOD_STORE=store) as page:
        yield page.url


@pytest.fixture(scope="session")
def thousand(module_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of an explorer on a thousand pictures."""
    folder = tmp_path_factory.mktemp("thousand")
    for name, data in crops(THOUSAND):
        place = folder / "pictures" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    store = str(folder / "thousand.db")
    with opened_host({**module_variables, "VECMOD_STORE": store}) as host:
        pictures = sorted((folder / "pictures").rglob("*.jpg"))
        report = host.create_class(class_of("Thousand")).insert_many(objects(pictures, folder / "pictures"))
        assert report.stored == THOUSAND
    with exploring(folder / "own", module_variables, (folder / "pictures",), VECMOD_STORE=store) as page:
        yield page.url
