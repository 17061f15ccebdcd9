"""Classes of sounds, films, motion sensors, depth and thermal pictures, on real parts."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import running
from bind_golden import FOLDER, raw
from pictures import SAMPLES, photo
from stand_in_weaviate import stand_in_weaviate
from vecmod.host.catalog import MULTI2VEC_BIND
from vecmod.host.client import ServiceClient
from vecmod.host.collection import Collection
from vecmod.host.folder import MediaFolder
from vecmod.host.host_errors import ServiceError
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.store import Hit

FILM = json.loads((SAMPLES / "film.class.json").read_text("utf-8"))
MEDIA = {
    "class": "Medium",
    "vectorizer": "multi2vec-bind",
    "moduleConfig": {
        "multi2vec-bind": {
            "imageFields": ["picture"],
            "audioFields": ["sound"],
            "videoFields": ["film"],
            "imuFields": ["motion"],
        }
    },
}


@pytest.fixture(scope="module")
def imagebind(cache: Path) -> Iterator[running.Caller]:
    with running.in_thread(running.bind(cache)) as caller:
        yield caller


@pytest.fixture(scope="module")
def builtin(cache: Path) -> Iterator[running.Caller]:
    with running.in_thread(running.bind(cache, MODEL_NAME=running.CONSE, VECMOD_MODEL_PATH="")) as caller:
        yield caller


def open_host(service: running.Caller, store: str = "memory://") -> ModuleHost:
    variables = {"ENABLE_MODULES": "multi2vec-bind", "BIND_INFERENCE_API": service.url, "VECMOD_STORE": store}
    return ModuleHost(HostSettings.read(variables))


@pytest.fixture(params=["memory", "milvus-lite", "weaviate-stand-in"])
def media(request: pytest.FixtureRequest, imagebind: running.Caller, tmp_path: Path) -> Iterator[Collection]:
    """A folder with four kinds of media, inserted."""
    with stand_in_weaviate({"multi2vec-bind": imagebind.url}) as weaviate:
        stores = {"memory": "memory://", "milvus-lite": str(tmp_path / "media.db"), "weaviate-stand-in": weaviate}
        with open_host(imagebind, stores[request.param]) as host:
            folder = MediaFolder(host.read_class(MEDIA), FOLDER / "raw")
            collection = host.create_class(MEDIA)
            report = collection.insert_many(folder.objects())
            assert (report.stored, report.failed) == (25, [])
            yield collection
            host.drop_class("Medium")


def test_each_kind_is_found_by_itself(media: Collection) -> None:
    asked: dict[str, Callable[[Any], list[Hit]]] = {
        "images/rgb_300x307.png": media.near_image,
        "audio/chirp_16k_mono_5s.wav": media.near_audio,
        "video/short_160x120_10fps_1s.mp4": media.near_video,
        "imu/imu_2000.csv": media.near_imu,
    }
    for place, near in asked.items():
        for query in (FOLDER / "raw" / place, BytesIO((FOLDER / "raw" / place).read_bytes())):
            first, second = near(query)[:2]
            assert first.properties == {"path": place}
            assert first.distance == pytest.approx(0, abs=1e-5)
            assert second.distance > 1e-4


def test_all_modalities_are_one_space(media: Collection) -> None:
    """Whatever is asked with, everything is compared."""
    picture = raw("images", "gray_160x224.png")
    for hits in (
        media.near_text("a tone", limit=30),
        media.near_depth(picture, limit=30),
        media.near_thermal(picture, limit=30),
        media.near_imu(raw("imu", "imu_1500.csv"), limit=30),
    ):
        assert len({hit.properties["path"] for hit in hits}) == 25
    assert media.near_depth(picture)[0].distance != media.near_thermal(picture)[0].distance


@pytest.fixture(scope="module")
def films(builtin: running.Caller) -> Iterator[Collection]:
    with open_host(builtin) as host:
        collection = host.create_class(FILM)
        report = collection.insert_many(MediaFolder(collection.config, SAMPLES / "films").objects())
        assert (report.stored, report.failed) == (4, [])
        yield collection


def test_films_are_found_by_words_pictures_and_films(films: Collection) -> None:
    for words, name in json.loads((SAMPLES / "film-questions.json").read_text("utf-8")).items():
        assert films.near_text(words)[0].properties["path"] == name
    assert films.near_image(photo("coffee"))[0].properties["path"] == "coffee.mp4"
    (itself,) = films.near_video(SAMPLES / "films/rocket.webm", distance=1e-5)
    assert itself.properties["path"] == "rocket.webm"


def test_what_the_built_in_model_does_not_embed(films: Collection, builtin: running.Caller) -> None:
    sound = raw("audio", "tone_16k_mono_1s.wav")
    for near, medium in ((films.near_audio, sound), (films.near_imu, raw("imu", "imu_1500.csv"))):
        with pytest.raises(ServiceError, match=r"status 422: .*MODEL_NAME=imagebind_huge") as caught:
            near(medium)
        assert caught.value.code == "unsupported_modality"
    with open_host(builtin) as host:
        report = host.create_class(MEDIA).insert_many(
            [
                {"id": "sound", "properties": {"sound": sound}},
                {"id": "picture", "properties": {"picture": photo("cat")}},
                {"id": "no film", "properties": {"film": photo("cat")}},
            ]
        )
        assert report.stored == 1
        refused = {one.id: str(one.error) for one in report.failed}
        assert "MODEL_NAME=imagebind_huge" in refused["sound"]
        assert "is not a film" in refused["no film"]


@pytest.mark.parametrize("tower", ["text", "image", "audio", "video", "imu", "thermal", "depth"])
def test_a_service_with_one_tower_tells_how_long_its_vectors_are(tower: str, cache: Path) -> None:
    with running.in_thread(running.bind(cache, VECMOD_TOWERS=tower)) as service:
        assert ServiceClient(MULTI2VEC_BIND, service.url, 10).dimension() == 32
