"""Imports through the explorer: files in, objects out, on a real store with real services."""

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import running
from crops import crops
from explorers import PAGE, Page, exploring
from pictures import SAMPLES, b64, photo
from vecmod.explore import import_job
from vecmod.explore.explore_errors import ExploreFault
from vecmod.explore.import_job import ImportJob, Received
from vecmod.explore.media_folders import MediaFolders, safe_place
from vecmod.explore.opened import Opened
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

NAMES = ("cat", "coffee", "lime", "rocket", "temple")


@pytest.fixture
def store(services: Mapping[str, str], tmp_path: Path) -> str:
    url = str(tmp_path / "photos.db")
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": url})) as host:
        for name in ("photo", "photo-in-words"):
            host.create_class(json.loads((SAMPLES / f"{name}.class.json").read_text()))
    return url


@pytest.fixture
def page(services: Mapping[str, str], store: str, tmp_path: Path) -> Iterator[Page]:
    with exploring(tmp_path / "own", services, VECMOD_STORE=store, VECMOD_EXPLORE_MAX_FILE_MB="1") as opened:
        yield opened


def send(page: Page, begun: str, names: tuple[str, ...] = NAMES) -> None:
    for name in names:
        assert page.put(begun, f"trip/{name}.jpg", photo(name)).status == 202


def left_behind(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "own/.incoming").rglob("*") if path.is_file()]


def test_a_folder_comes_in_and_can_be_seen_and_found(page: Page, tmp_path: Path) -> None:
    begun = page.begin("Photo")
    send(page, begun)
    report = page.finish(begun)
    assert {key: report[key] for key in ("received", "stored", "unchanged", "failed", "left_alone", "stopped")} == {
        "received": 5,
        "stored": 5,
        "unchanged": 0,
        "failed": [],
        "left_alone": 0,
        "stopped": "",
    }
    assert report["items_per_second"] > 0
    (hit,) = page.search("Photo", by="image", data=b64(photo("cat")), limit=1)["hits"]
    assert (hit["properties"], round(hit["distance"], 4)) == ({"path": "trip/cat.jpg"}, 0)
    assert page("GET", hit["media"]).body == photo("cat")
    assert page("GET", hit["thumbnail"]).status == 200
    status = page.get("/api/status")
    assert status["items_per_second"] == report["items_per_second"]
    assert [one["items"] for one in status["collections"]] == [5, 0]
    assert left_behind(tmp_path) == []


def test_again_is_cheap_and_what_has_changed_is_replaced(page: Page) -> None:
    for stored, unchanged in ((5, 0), (0, 5)):
        begun = page.begin("Photo")
        send(page, begun)
        report = page.finish(begun)
        assert (report["stored"], report["unchanged"]) == (stored, unchanged)
    begun = page.begin("Photo")
    assert page.put(begun, "trip/cat.jpg", photo("coffee")).status == 202
    assert page.finish(begun)["stored"] == 1
    (item,) = [one for one in page.get("/api/collections/Photo/items")["items"] if one["title"] == "cat.jpg"]
    assert page("GET", item["media"]).body == photo("coffee")
    assert page.get("/api/status")["collections"][0]["items"] == 5


def test_what_cannot_be_stored_is_listed_by_its_path(page: Page, tmp_path: Path) -> None:
    begun = page.begin("Photo")
    send(page, begun, ("cat", "lime"))
    for path, data in (("a/broken.jpg", photo("cat")[:300]), ("text.png", b"no picture"), ("empty.webp", b"")):
        assert page.put(begun, path, data).status == 202
    report = page.finish(begun)
    assert (report["received"], report["stored"], report["failures"]) == (5, 2, 3)
    reasons = {one["path"]: one["error"] for one in report["failed"]}
    assert reasons.keys() == {"a/broken.jpg", "text.png", "empty.webp"}
    assert reasons["text.png"].startswith("image: is not a picture")
    assert "zero bytes" in reasons["empty.webp"]
    assert sorted(path.name for path in (tmp_path / "own/Photo").rglob("*.*")) == ["cat.jpg", "lime.jpg"]
    assert left_behind(tmp_path) == []


def test_a_broken_file_does_not_take_the_place_of_a_good_one(page: Page) -> None:
    begun = page.begin("Photo")
    send(page, begun, ("cat",))
    page.finish(begun)
    begun = page.begin("Photo")
    assert page.put(begun, "trip/cat.jpg", b"no picture").status == 202
    assert page.finish(begun)["failures"] == 1
    (item,) = page.get("/api/collections/Photo/items")["items"]
    assert page("GET", item["media"]).body == photo("cat")


def test_of_one_place_in_one_import_the_last_file_counts(page: Page, tmp_path: Path) -> None:
    begun = page.begin("Photo")
    for name in ("cat", "lime", "coffee"):
        assert page.put(begun, "one.jpg", photo(name)).status == 202
    page.finish(begun)
    (item,) = page.get("/api/collections/Photo/items")["items"]
    assert page("GET", item["media"]).body == photo("coffee")
    (hit,) = page.search("Photo", by="image", data=b64(photo("coffee")))["hits"]
    assert hit["distance"] < 1e-4
    assert left_behind(tmp_path) == []


def test_files_that_the_class_has_no_field_for_are_left_alone(page: Page, tmp_path: Path) -> None:
    begun = page.begin("Photo")
    for path in ("notes.txt", "film.mp4", ".hidden.jpg", ".thumbs/cat.jpg", "page.html", "logo.svg", "noname"):
        assert page.put(begun, path, b"x").status == 202
    report = page.finish(begun)
    assert (report["received"], report["left_alone"], report["failures"]) == (0, 7, 0)
    assert not (tmp_path / "own/Photo").exists()


def test_files_beyond_the_limit_are_refused_and_the_import_goes_on(page: Page, tmp_path: Path) -> None:
    begun = page.begin("Photo")
    answer = page.put(begun, "large.jpg", b"x" * ((1 << 20) + 1))
    assert (answer.status, answer.json()["code"]) == (413, "too_large")
    assert "more than 1 MiB" in answer.json()["error"]
    send(page, begun, ("cat",))
    assert page.finish(begun)["stored"] == 1
    assert left_behind(tmp_path) == []
    answer = page.post("/api/collections/Photo/search", {"by": "image", "data": "A" * (3 << 20)})
    assert (answer.status, answer.json()["code"]) == (413, "too_large")


def test_nothing_comes_in_after_the_end(page: Page) -> None:
    begun = page.begin("Photo")
    page.finish(begun)
    answer = page.put(begun, "late.jpg", photo("cat"))
    assert (answer.status, answer.json()["code"]) == (409, "import_ended")
    assert page.get("/api/status")["collections"][0]["items"] == 0


def test_two_imports_at_once_into_two_collections(page: Page) -> None:
    begun = {name: page.begin(name) for name in ("Photo", "PhotoInWords")}

    def fill(name: str) -> None:
        for path, data in crops(40):
            assert page.put(begun[name], path, data).status == 202

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, begun))
    reports = [page.finish(one) for one in begun.values()]
    assert [(one["stored"], one["failures"]) for one in reports] == [(40, 0), (40, 0)]
    assert [one["items"] for one in page.get("/api/status")["collections"]] == [40, 40]
    hits = page.search("PhotoInWords", by="text", text="a cup of coffee", limit=1)["hits"]
    assert hits[0]["properties"]["path"].startswith("coffee/")


def test_not_any_number_of_imports_at_once(page: Page) -> None:
    begun = [page.begin("Photo") for _ in range(4)]
    answer = page.post("/api/collections/Photo/imports")
    assert (answer.status, answer.json()["code"]) == (503, "busy")
    assert page("DELETE", f"/api/imports/{begun[0]}", **PAGE).status == 200
    running.wait_for(lambda: page.get(f"/api/imports/{begun[0]}")["done"])
    page.finish(page.begin("Photo"))


def test_a_browser_that_vanishes_within_a_file(page: Page, tmp_path: Path) -> None:
    begun = page.begin("Photo")
    send(page, begun, ("cat", "lime"))
    connection = http.client.HTTPConnection(urlsplit(page.url).netloc)
    connection.putrequest("PUT", f"/api/imports/{begun}/files?path=half.jpg")
    connection.putheader("X-Requested-With", "vecmod")
    connection.putheader("Content-Length", "500000")
    connection.endheaders()
    connection.send(photo("coffee")[:10_000])
    time.sleep(0.3)
    connection.close()
    report = page.finish(begun)
    assert (report["received"], report["stored"], report["failures"]) == (2, 2, 0)
    running.wait_for(lambda: left_behind(tmp_path) == [])


def test_a_browser_that_never_comes_back(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sent is stored, and then the import ends by itself."""
    monkeypatch.setattr(import_job, "_SILENCE_SECONDS", 0.5)
    begun = page.begin("Photo")
    send(page, begun, ("cat",))
    time.sleep(2.5)
    report = page.get(f"/api/imports/{begun}")
    assert (report["done"], report["stored"]) == (True, 1)


def test_stopping_leaves_what_was_stored(page: Page, tmp_path: Path) -> None:
    begun = page.begin("Photo")
    for path, data in crops(60):
        assert page.put(begun, path, data).status == 202
    running.wait_for(lambda: page.get(f"/api/imports/{begun}")["stored"] > 0)
    assert page("DELETE", f"/api/imports/{begun}", **PAGE).status == 200
    running.wait_for(lambda: page.get(f"/api/imports/{begun}")["done"])
    stored = page.get(f"/api/imports/{begun}")["stored"]
    assert 0 < stored <= 60
    assert page.get("/api/status")["collections"][0]["items"] == stored
    assert left_behind(tmp_path) == []
    again = page.begin("Photo")
    for path, data in crops(60):
        assert page.put(again, path, data).status == 202
    report = page.finish(again)
    assert (report["unchanged"], report["stored"]) == (stored, 60 - stored)


def test_whoever_sends_faster_than_the_service_waits(
    services: Mapping[str, str], store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_job, "_WAITING", 2)
    monkeypatch.setattr(import_job, "_WAIT_SECONDS", 0.2)
    gate = threading.Event()
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": store})) as host:
        collection = host.get_class("Photo")
        insert_many = collection.insert_many
        monkeypatch.setattr(collection, "insert_many", lambda objects: (gate.wait(30), insert_many(objects))[1])
        folders = MediaFolders(tmp_path / "own")
        job = ImportJob(Opened("Photo", collection), folders)

        def add(name: str) -> int:
            staged = folders.staged()
            staged.write_bytes(photo(name))
            return job.add(Received(safe_place(f"{name}.jpg"), staged, 1))

        add("cat")
        running.wait_for(lambda: not job._waiting)
        assert [add("lime"), add("coffee")] == [2, 3]
        with pytest.raises(ExploreFault, match="enough to do for now") as caught:
            add("rocket")
        assert caught.value.status == 503
        gate.set()
        monkeypatch.setattr(import_job, "_WAIT_SECONDS", 20)
        assert add("rocket") == 4
        job.end()
        assert job.wait(30)
        assert job.as_json()["stored"] == 4


def test_a_disk_that_cannot_be_written_to(services: Mapping[str, str], store: str, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file where the folder should be")
    with exploring(tmp_path / "own", services, VECMOD_STORE=store) as page:
        begun = page.begin("Photo")
        answer = page.put(begun, "cat.jpg", photo("cat"))
        assert (answer.status, answer.json()["code"]) == (507, "cannot_write")
        assert "VECMOD_EXPLORE_FOLDER" in answer.json()["error"]
        assert page.finish(begun)["received"] == 0


def test_what_others_left_behind_long_ago_is_cleared_away(tmp_path: Path) -> None:
    old, new = (tmp_path / "own/.incoming" / name for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "x").write_text("x")
    os.utime(old, (1, 1))
    MediaFolders(tmp_path / "own").staged()
    assert not old.exists()
    assert (new / "x").exists()
