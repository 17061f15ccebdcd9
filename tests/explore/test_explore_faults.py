"""Services and stores that are away, or hang: what can be seen is shown, and what cannot is said."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

import running
from explorers import Page, exploring
from fake_service import Sent, by_content, fake_service
from pictures import SAMPLES, b64, photo
from typesense_server import TypesenseServer
from vecmod.explore import overview
from vecmod.explore.explore_errors import ExploreFault
from vecmod.explore.overview import Overview
from vecmod.explore.readiness import Readiness, Service
from vecmod.host.folder import MediaFolder
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost


@pytest.fixture
def away() -> str:
    """The URL of a service that is not there."""
    return f"http://127.0.0.1:{running.free_port()}"


def test_without_services_everything_can_be_seen_and_likes_be_found(
    filled: str, services: Mapping[str, str], away: str, tmp_path: Path
) -> None:
    # A Milvus Lite file can be opened once in a process.
    store = tmp_path / "copy.db"
    (shutil.copytree if Path(filled).is_dir() else shutil.copy)(filled, store)
    nobody = {**services, "CLIP_INFERENCE_API": away, "IMAGE_INFERENCE_API": away}
    with exploring(tmp_path / "own", nobody, [SAMPLES / "photos"], VECMOD_STORE=str(store)) as page:
        status = page.get("/api/status")
        assert [(one["ready"], one["model"]) for one in status["services"]] == [(False, "")] * 2
        assert all("refused" in one["reason"] for one in status["services"])
        assert [one["items"] for one in status["collections"]] == [6, 16]
        items = page.get("/api/collections/Photo/items")["items"]
        assert page("GET", items[0]["thumbnail"]).status == 200
        assert page.get("/api/collections/Photo/map")["shown"] == 16
        assert page.search("Photo", by="object", id=items[0]["id"])["hits"]
        _check_that_nothing_can_be_vectorised(page, away)


def _check_that_nothing_can_be_vectorised(page: Page, away: str) -> None:
    for name, module, question in (
        ("Album", "multi2vec-clip", {"by": "text", "text": "a cat"}),
        ("Photo", "img2vec-neural", {"by": "image", "data": b64(photo("cat"))}),
    ):
        began = time.monotonic()
        answer = page.post(f"/api/collections/{name}/search", question)
        assert (answer.status, answer.json()["code"]) == (503, "service_unreachable")
        assert f"{module} at {away}" in answer.json()["error"]
        assert f"start it (vecmod serve {module})" in answer.json()["error"]
        assert time.monotonic() - began < 5
    begun = page.begin("Photo")
    assert page.put(begun, "cat.jpg", photo("cat")).status == 202
    running.wait_for(lambda: page.get(f"/api/imports/{begun}")["done"])
    report = page.get(f"/api/imports/{begun}")
    assert (report["stored"], report["failures"]) == (0, 0)
    assert f"img2vec-neural at {away}" in report["stopped"]
    assert "import the same files again" in report["stopped"]
    answer = page.put(begun, "lime.jpg", photo("lime"))
    assert (answer.status, answer.json()["code"]) == (409, "import_stopped")


def test_a_service_that_comes_is_seen_and_one_that_goes_too(cache: Path, away: str) -> None:
    one = Service("img2vec-neural", away)
    watched = Readiness(every_seconds=0.05)
    watched.start()
    try:
        assert watched.of([one])[0].ready is False
        with running.in_thread(running.img2vec(cache, VECMOD_PORT=away.rpartition(":")[2])):
            running.wait_for(lambda: watched.of([one])[0].ready)
            state = watched.of([one])[0]
            assert (state.model, state.modalities, state.reason) == (running.BUILTIN, ["image"], "")
        running.wait_for(lambda: not watched.of([one])[0].ready)
    finally:
        watched.close()


def test_only_what_the_service_has_a_model_for_can_be_asked() -> None:
    def reply(sent: Sent) -> tuple[int, str, dict[str, str]]:
        told = {"model": "half", "details": {"modalities": ["image", "depth"]}}
        return (200, json.dumps(told), {}) if sent.path == "/meta" else by_content(sent)

    watched = Readiness()
    watched.start()
    with fake_service(reply) as service:
        variables = {"ENABLE_MODULES": "multi2vec-bind", "BIND_INFERENCE_API": service.origin}
        settings = {"multi2vec-bind": {"imageFields": ["i"]}}
        with ModuleHost(HostSettings.read({**variables, "VECMOD_STORE": "memory://"})) as host:
            host.create_class({"class": "A", "vectorizer": "multi2vec-bind", "moduleConfig": settings})
            seen = Overview(host, watched)
            status = seen.status()
            seen.close()
    watched.close()
    assert status["services"][0]["model"] == "half"
    assert status["collections"][0]["searches"] == ["image", "depth", "object"]


def test_a_url_that_is_none_is_said() -> None:
    watched = Readiness()
    watched.start()
    (state,) = watched.of([Service("img2vec-neural", "nonsense")])
    watched.close()
    assert (state.ready, "is not a URL" in state.reason) == (False, True)


@pytest.fixture
def own_typesense(tmp_path: Path) -> TypesenseServer:
    server = TypesenseServer(tmp_path)
    server.start()
    return server


def test_a_store_that_goes_away_and_comes_back(
    services: Mapping[str, str], own_typesense: TypesenseServer, tmp_path: Path
) -> None:
    try:
        with exploring(tmp_path / "own", services, [SAMPLES / "photos"], VECMOD_STORE=own_typesense.url) as page:
            assert page.get("/api/status")["collections"] == []
            with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": own_typesense.url})) as host:
                photos = host.create_class(
                    {
                        "class": "Photo",
                        "vectorizer": "img2vec-neural",
                        "moduleConfig": {"img2vec-neural": {"imageFields": ["image"]}},
                    }
                )
                photos.insert_many(MediaFolder(photos.config, SAMPLES / "photos").objects())
            running.wait_for(lambda: page.get("/api/status")["collections"] != [])
            assert page.get("/api/status")["store"].startswith("typesense://***@127.0.0.1")
            item = page.get("/api/collections/Photo/items")["items"][0]
            assert page("GET", item["media"]).status == 200
            own_typesense.kill()
            time.sleep(1)
            status = page.get("/api/status")
            assert "does not answer" in status["store_error"]
            assert status["collections"][0]["items"] == 16
            assert page("GET", item["media"]).status == 200  # where it is was known
            answer = page("GET", "/api/collections/Photo/items")
            assert (answer.status, answer.json()["code"]) == (503, "store_error")
            assert "is it running?" in answer.json()["error"]
            assert page("GET", "/").status == 200
            own_typesense.start()
            running.wait_for(lambda: page.get("/api/status")["store_error"] == "")
            assert len(page.get("/api/collections/Photo/items")["items"]) == 16
    finally:
        own_typesense.kill()


def test_a_store_that_hangs_does_not_hang_the_page(
    services: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "_PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(overview, "_FRESH_SECONDS", 0.0)
    hanging = threading.Event()
    watched = Readiness()
    watched.start()
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": "memory://"})) as host:
        host.create_class(
            {"class": "A", "vectorizer": "img2vec-neural", "moduleConfig": {"img2vec-neural": {"imageFields": ["i"]}}}
        )
        seen = Overview(host, watched)
        assert [one["name"] for one in seen.status()["collections"]] == ["A"]
        names = host.collection_names
        monkeypatch.setattr(host, "collection_names", lambda: (hanging.wait(30), names())[1])
        for most in (1.5, 0.2, 0.2):
            began = time.monotonic()
            status = seen.status()
            assert time.monotonic() - began < most
            assert "has not answered" in status["store_error"]
            assert [one["name"] for one in status["collections"]] == ["A"]
        hanging.set()
        running.wait_for(lambda: seen.status()["store_error"] == "")
        seen.close()
    watched.close()


def test_an_explorer_that_cannot_begin(services: Mapping[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with (
            pytest.raises(ExploreFault, match=rf"cannot listen at 127\.0\.0\.1 port {port}"),
            exploring(tmp_path, services, VECMOD_STORE="memory://", VECMOD_EXPLORE_PORT=port),
        ):
            pass
