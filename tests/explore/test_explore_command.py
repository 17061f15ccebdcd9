"""``vecmod explore`` as a user types it: a process of its own that ends at once and leaves nothing running."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import running
from explorers import Page
from fake_service import Sent, fake_service
from pictures import SAMPLES, photo
from start import vecmod
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

PHOTO = SAMPLES / "photo.class.json"


@contextmanager
def typed(cwd: Path, *arguments: object, **variables: str) -> Iterator[tuple[subprocess.Popen[str], Page]]:
    """The process, and a page on the URL that it prints."""
    # A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "vecmod", "explore", *map(str, arguments)]
    environ = {"VECMOD_EXPLORE_FOLDER": str(cwd / "own"), "COLUMNS": "200", **variables}
    process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        told = next(found for line in process.stdout if (found := re.search(r"shown at (http://\S+/)", line)))
        page = Page(told[1].rstrip("/"))
        running.wait_for(page.answers)
        yield process, page
        page.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def store(services: Mapping[str, str], tmp_path: Path) -> str:
    url = str(tmp_path / "photos.db")
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": url})) as host:
        host.create_class(json.loads(PHOTO.read_text())).insert({"image": photo("cat"), "path": "cat.jpg"})
    return url


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_at_once(
    ending: signal.Signals, store: str, services: Mapping[str, str], tmp_path: Path
) -> None:
    origin = services["IMAGE_INFERENCE_API"]
    options = ("--store", store, "--service", origin, "--media", SAMPLES / "photos", "--port", 0)
    with typed(tmp_path, *options) as (process, page):
        (item,) = page.get("/api/collections/Photo/items")["items"]
        assert page("GET", item["thumbnail"]).status == 200
        assert page.get("/api/status")["services"][0]["url"] == origin
        begun = page.begin("Photo")
        assert page.put(begun, "lime.jpg", photo("lime")).status == 202
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        # A browser keeps connections open, and one asks for nothing.
        idle = socket.create_connection(("127.0.0.1", int(page.url.rpartition(":")[2])))
        began = time.monotonic()
        process.send_signal(ending)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 8
        idle.close()
        assert not any(child.is_running() for child in children)
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": store})) as host:
        assert host.get_class("Photo").count() in (1, 2)


def test_it_does_not_wait_for_a_service_that_hangs(store: str, tmp_path: Path) -> None:
    def hang(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.method == "POST":
            time.sleep(25)
        return 204, "", {}

    with (
        fake_service(hang) as hanging,
        typed(tmp_path, "--store", store, "--service", hanging.origin, "--port", 0) as (process, page),
    ):
        begun = page.begin("Photo")
        assert page.put(begun, "lime.jpg", photo("lime")).status == 202
        running.wait_for(lambda: hanging.requests != [])
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert time.monotonic() - began < 12


def test_each_module_may_have_its_own_service(store: str, services: Mapping[str, str], tmp_path: Path) -> None:
    both = [f"{name}={services[variable]}" for name, variable in _VARIABLES.items()]
    options = ("--store", store, "--service", both[0], "--service", both[1], "--port", 0)
    with typed(tmp_path, *options) as (_, page):
        assert page.get("/api/status")["services"][0]["ready"] is True


_VARIABLES = {"img2vec-neural": "IMAGE_INFERENCE_API", "multi2vec-clip": "CLIP_INFERENCE_API"}


def test_the_next_free_port_is_taken_unless_one_is_named(tmp_path: Path) -> None:
    with typed(tmp_path, "--store", "memory://") as (_, first), typed(tmp_path, "--store", "memory://") as (_, second):
        assert first.url != second.url
        port = first.url.rpartition(":")[2]
        done = vecmod("explore", "--store", "memory://", "--port", port, cwd=tmp_path)
        assert (done.returncode, f"cannot listen at 127.0.0.1 port {port}" in done.stderr) == (1, True)


def test_what_cannot_be_used_is_said_in_a_line(tmp_path: Path) -> None:
    for arguments, words in (
        (["--store", "nonsense"], "VECMOD_STORE='nonsense' is not a store"),
        (["--store", "memory://", "--port", "70000"], "VECMOD_EXPLORE_PORT='70000' cannot be used"),
        (["--store", "memory://", "--media", "nowhere"], "nowhere"),
    ):
        done = vecmod("explore", *arguments, cwd=tmp_path)
        assert done.returncode in (1, 2)
        assert words in done.stderr
        assert "Traceback" not in done.stderr
