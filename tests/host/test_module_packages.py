"""Modules from other packages: the example, really installed, and packages that are broken."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import running
from pictures import SAMPLES, b64, encoded
from start import vecmod
from vecmod.contract.modality import IMAGE
from vecmod.host.catalog import KnownModule, known_modules
from vecmod.host.host_settings import HostSettings
from vecmod.host.registry import ModuleRegistry

EXAMPLE = Path(__file__).parents[2] / "examples/vecmod-module-example"
HOST = """
import json, os
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

with ModuleHost(HostSettings.read(os.environ)) as host:
    photos = host.create_class(json.load(open(os.environ["CLASS_FILE"])))
    for name in ("cat", "rocket"):
        photos.insert({"image": open(f"{os.environ['SAMPLES']}/photos/{name}.jpg", "rb")}, object_id=name)
    print([hit.id for hit in photos.near_image(f"{os.environ['SAMPLES']}/queries/rocket-rotated.jpg", limit=2)])
"""


@pytest.fixture(scope="module")
def colours(example_installed: str, cache: Path) -> Iterator[running.Caller]:
    with running.process(
        cache, running.free_port(), "vecmod_module_example", PYTHONPATH=example_installed, MODEL_NAME=""
    ) as (
        caller,
        _,
    ):
        yield caller


def test_its_model_counts_colours(colours: running.Caller) -> None:
    details = colours("GET", "/meta").json()
    assert (details["service"], details["model"]) == ("img2vec-example", "colour-histogram")
    vector = colours.vector(b64(encoded(Image.new("RGB", (30, 20), (255, 0, 102)))))
    shares = [[number + 1 / 16 for number in vector[start : start + 16]] for start in range(0, 96, 16)]
    assert [sum(one) for one in shares] == pytest.approx([1] * 6, abs=1e-5)
    # Of 15 steps: red 15, green 0, blue 6, (red - green) 15, (green - blue) 4.5 and (blue - red) 3.
    found = [{index: share for index, share in enumerate(one) if share > 1e-5} for one in shares]
    assert [dict.fromkeys(one) for one in found] == [
        {15: None},
        {0: None},
        {6: None},
        {15: None},
        {4: None, 5: None},
        {3: None},
    ]
    assert found[4] == pytest.approx({4: 0.5, 5: 0.5}, abs=1e-4)


def test_its_module_in_the_host(example_installed: str, colours: running.Caller, tmp_path: Path) -> None:
    environ = {
        "PYTHONPATH": example_installed,
        "ENABLE_MODULES": "img2vec-example",
        "EXAMPLE_INFERENCE_API": colours.url,
        "VECMOD_STORE": "memory://",
        "CLASS_FILE": str(EXAMPLE / "photo.class.json"),
        "SAMPLES": str(SAMPLES),
    }
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", HOST]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "['rocket', 'cat']\n"), done.stderr


def test_its_module_on_the_command_line(example_installed: str, colours: running.Caller, tmp_path: Path) -> None:
    environ = {"PYTHONPATH": example_installed, "EXAMPLE_INFERENCE_API": colours.url}
    class_file = EXAMPLE / "photo.class.json"
    done = vecmod("insert", SAMPLES / "photos", "--class-file", class_file, cwd=tmp_path, **environ)
    assert "16 stored" in done.stdout, done.stderr
    query = SAMPLES / "queries/cat-crop.png"
    found = vecmod("search", "--image", query, "--limit", 1, "--json", cwd=tmp_path, **environ)
    assert json.loads(found.stdout)["properties"]["path"] == "cat.jpg"


def test_without_the_package(tmp_path: Path) -> None:
    done = vecmod("serve", "img2vec-example", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no service named 'img2vec-example'; known here: img2vec-neural" in done.stderr


NO_SUFFIX = KnownModule("img2vec-other", "OTHER_URL", "OTHER_WAIT", (IMAGE,), lists=False)


def offered(folder: Path, *lines: str) -> None:
    """What an installer leaves of a package with these rows."""
    info = folder / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[vecmod.modules]", *lines]))


def test_rows_that_cannot_be_loaded_stand_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    offered(tmp_path, "a = no_such_package:ROW", "b = vecmod.host.catalog:NO_SUCH_ROW", "c = json:dumps")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(known_modules())
    assert {"img2vec-neural", "multi2vec-clip"} <= before == set(known_modules())
    missing = "module 'vecmod.host.catalog' has no attribute 'NO_SUCH_ROW'"
    for told in (
        "module a is left out: its package offers no_such_package:ROW (No module named 'no_such_package')",
        f"module b is left out: its package offers vecmod.host.catalog:NO_SUCH_ROW ({missing})",
        "module c is left out: its package offers json:dumps (that is function, not KnownModule)",
    ):
        assert caplog.messages.count(told) == 1


def test_a_module_may_name_its_variables_as_it_likes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered(tmp_path, f"img2vec-other = {__name__}:NO_SUFFIX")
    monkeypatch.syspath_prepend(tmp_path)
    nowhere = f"http://127.0.0.1:{running.free_port()}"
    given = {"ENABLE_MODULES": "img2vec-other", "OTHER_URL": nowhere, "OTHER_WAIT": "no", "PATH": "not read"}
    settings = HostSettings.read(given)
    assert settings.module_variables == {"OTHER_URL": nowhere, "OTHER_WAIT": "no"}
    modules = ModuleRegistry(settings)
    assert modules.get("img2vec-other").origin == nowhere
    modules.close()
