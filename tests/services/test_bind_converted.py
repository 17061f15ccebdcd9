"""ImageBind converted ahead: served without its weights and what converts them, with the same vectors."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import running
from bind_golden import LISTS, LONG, TEXTS, WEIGHTS, assert_equal, error_of, files_of, golden, write_checkpoint
from multi2vec_bind.imagebind_recipe import imagebind
from start import start, vecmod
from vecmod.serving import convert as converting
from vecmod.serving.engine.onnx_graph import BESIDE_LIMIT
from vecmod.serving.model.weights import WeightsPlace

GRAPHS = {"text.onnx", "image.onnx", "audio.onnx", "imu.onnx", "thermal.onnx", "depth.onnx"}
TESTS = Path(__file__).parents[1]
MODALITIES = ["text", "image", "audio", "video", "imu", "thermal", "depth"]


def write_source(kind: str, folder: Path) -> Path:
    """The small model as operators have the large one."""
    path = write_checkpoint(folder)
    if kind == "safetensors":
        path.unlink()
        path = folder / WEIGHTS.name
        shutil.copy(WEIGHTS, path)
    return folder if kind == "folder" else path


def assert_golden(service: running.Caller) -> None:
    """The vectors of every modality that is served."""
    served = service("GET", "/meta").json()["details"]["modalities"]
    if "text" in served:
        ours = np.array(service("POST", "/vectorize", {"texts": TEXTS}).json()["textVectors"])
        assert_equal(np.delete(ours, LONG, axis=0), np.delete(golden("text"), LONG, axis=0))
    for key, (answer, name, kind) in LISTS.items():
        if name in served:
            assert_equal(
                service("POST", "/vectorize", {key: files_of(kind)}).json()[answer], golden(name), error_of(key)
            )


@contextmanager
def image(folder: Path, cache: Path, **variables: object) -> Iterator[running.Caller]:
    """A service of a converted folder, where nothing that converts can be imported."""
    found = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    given = {"MODEL_NAME": "", "VECMOD_MODEL_PATH": folder, "PYTHONPATH": found, **variables}
    with running.process(cache, running.free_port(), "bare_service multi2vec-bind", **given) as (service, _):
        yield service


def convert(source: Path, output: Path, **variables: str) -> str:
    """What was printed."""
    done = vecmod("convert", "multi2vec-bind", "--weights", source, "--output", output, cwd=source.parent, **variables)
    assert done.returncode == 0, done.stderr
    assert "forbids commercial use: CC BY-NC-SA 4.0" in done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["file", "folder", "safetensors"])
def test_converted_whole(kind: str, tmp_path: Path) -> None:
    source, output, cache = write_source(kind, tmp_path / "source"), tmp_path / "converted", tmp_path / "cache"
    assert f"serve it with VECMOD_MODEL_PATH={output}" in convert(source, output)
    # Films are seen by the network that sees pictures.
    assert {path.name for path in output.iterdir()} == {*GRAPHS, "config.json", "converted.json"}
    shutil.rmtree(tmp_path / "source")
    with image(output, cache) as service:
        details = service("GET", "/meta").json()["details"]
        assert details["modalities"] == MODALITIES
        assert details["engine"]["name"] == "onnx"
        assert "no commercial use" in details["licence"]
        assert_golden(service)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("towers", "graphs", "modalities"),
    [
        ("text,audio", {"text.onnx", "audio.onnx"}, ["text", "audio"]),
        # Whoever has one of these has the other.
        ("video", {"video.onnx"}, ["image", "video"]),
        ("thermal,image", {"image.onnx", "thermal.onnx"}, ["image", "video", "thermal"]),
    ],
)
def test_converted_in_part(towers: str, graphs: set[str], modalities: list[str], tmp_path: Path) -> None:
    output = tmp_path / "converted"
    convert(write_source("file", tmp_path / "source"), output, VECMOD_TOWERS=towers)
    assert {path.name for path in output.iterdir()} == {*graphs, "config.json", "converted.json"}
    with image(output, tmp_path / "cache") as service:
        assert service("GET", "/meta").json()["details"]["modalities"] == modalities
        assert_golden(service)
        refused = service("POST", "/vectorize", {"imu": files_of("imu")[:1]})
        assert refused.json()["error"].endswith(f"not imu; {output} was converted without imu")
    returned, log = start("multi2vec_bind", VECMOD_MODEL_PATH=str(output), VECMOD_TOWERS="imu")
    assert returned == 1
    assert f"VECMOD_TOWERS names imu, which imagebind does not have; it has {', '.join(modalities)}" in log


def test_served_in_part_and_in_ways_that_differ_from_the_official_one(tmp_path: Path) -> None:
    """What an operator chooses is chosen when it is served, not when it is converted."""
    output = tmp_path / "converted"
    convert(write_source("file", tmp_path / "source"), output)
    chosen = {"VECMOD_TOWERS": "text,imu", "VECMOD_OFFICIAL_LONG_TEXTS": 1, "VECMOD_NORMALIZE": 1}
    with image(output, tmp_path / "cache", **chosen) as service:
        assert service("GET", "/meta").json()["details"]["modalities"] == ["text", "imu"]
        vectors = np.array(service("POST", "/vectorize", {"texts": TEXTS}).json()["textVectors"])
    theirs = golden("text")
    assert_equal(vectors, theirs / np.linalg.norm(theirs, axis=1, keepdims=True))


def test_numbers_that_lie_beside_their_graphs_move_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of the large model do: a graph with its numbers in it would be copied again and again on its way."""
    assert BESIDE_LIMIT < 354_038_570 * 4 < 2**31
    monkeypatch.setattr(converting, "BESIDE_LIMIT", 0)
    recipe = imagebind(WeightsPlace(write_source("file", tmp_path / "source"), tmp_path, offline=True))
    converting.convert(recipe, tmp_path / "written")
    output = (tmp_path / "written").rename(tmp_path / "moved")
    assert len(list(output.glob("*.data"))) == len(GRAPHS) == len(list(output.glob("*.onnx")))
    with image(output, tmp_path / "cache") as service:
        assert_golden(service)


def test_what_cannot_be_converted_says_why(tmp_path: Path) -> None:
    source, output = write_source("file", tmp_path / "source"), tmp_path / "converted"
    convert(source, output)
    for variables, words in (
        ({"VECMOD_MODEL_PATH": str(source)}, "is there already; name a new folder"),
        ({"VECMOD_MODEL_PATH": str(output)}, "text.onnx is a graph already"),
        ({"MODEL_NAME": running.CONSE}, "comes in packages and is converted at its first start"),
        ({}, "To have them fetched from https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth set VECMOD_ACCEPT"),
    ):
        target = output if "already; name" in words else tmp_path / "new.onnx"
        done = vecmod("convert", "multi2vec-bind", "--output", target, cwd=tmp_path, **variables)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    returned, log = start("multi2vec_bind", VECMOD_MODEL_PATH=str(output), VECMOD_ENGINE="torch")
    assert returned == 1
    assert "is an ONNX graph; the torch engine needs weights: VECMOD_ENGINE=onnx" in log
