"""Where weights are looked for, and what is said when they are not there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from vecmod.serving.model.hub import HubFile, fetch_weights
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import WeightsFile, WeightsNotFound, WeightsPlace, find_weights, read_weights

HUB = HubFile("some/model", "model.safetensors", "0" * 40, "0" * 64)


def place(path: Path | None, cache: Path, *, offline: bool = True) -> WeightsPlace:
    return WeightsPlace(path, cache, offline)


def found(where: WeightsPlace) -> WeightsFile:
    return find_weights(where, lambda: fetch_weights(where, HUB))


def test_a_file_or_the_folder_it_is_in(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": np.ones(3, np.float16)}, file)
    (tmp_path / "README.md").write_text("not weights")
    assert found(place(file, tmp_path)) == found(place(tmp_path, tmp_path))
    weights = read_weights(file)
    assert weights["a"].dtype == np.float32
    with pytest.raises(UnreadableWeights, match=r"model\.safetensors has no tensor b: .* another network"):
        weights["b"]
    assert found(place(file, tmp_path)).path == file


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", ["model.safetensors", "model.pth", "legacy.pth"])
def test_some_of_the_tensors(kind: torch.dtype, form: str, tmp_path: Path) -> None:
    tensors = {name: torch.full((2,), number, dtype=kind) for number, name in enumerate(("a.x", "ab.x", "b.y"))}
    if form.endswith(".pth"):
        torch.save(tensors, tmp_path / form, _use_new_zipfile_serialization=form != "legacy.pth")
    else:
        save_torch(tensors, tmp_path / form)
    read = read_weights(tmp_path / form, ("a.", "b."))
    assert {name: array.tolist() for name, array in read.items()} == {"a.x": [0, 0], "b.y": [2, 2]}
    with pytest.raises(UnreadableWeights, match=r"has no tensor ab\.x"):
        read["ab.x"]


def test_safetensors_before_pickles(tmp_path: Path) -> None:
    for name in ("model.pth", "model.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    assert found(place(tmp_path, tmp_path)).path.name == "model.safetensors"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no weights file"),
        (["a.pth", "b.pth"], r"several weights files \(a.pth, b.pth\); name one"),
    ],
)
def test_folders_that_do_not_say(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(WeightsNotFound, match=message):
        found(place(tmp_path, tmp_path))


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound, match="is the volume mounted"):
        found(place(tmp_path / "nowhere", tmp_path))
    (tmp_path / "weights.txt").write_text("x")
    with pytest.raises(WeightsNotFound, match="is not a weights file"):
        found(place(tmp_path / "weights.txt", tmp_path))


def test_offline_takes_what_the_cache_has(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound, match="VECMOD_OFFLINE forbids fetching some/model"):
        fetch_weights(place(None, tmp_path), HUB)
    snapshot = tmp_path / "hub/models--some--model/snapshots" / HUB.revision
    snapshot.mkdir(parents=True)
    save_file({"a": np.ones(3, np.float32)}, snapshot / "model.safetensors")
    with pytest.raises(WeightsNotFound, match="is damaged"):
        fetch_weights(place(None, tmp_path), HUB)


def test_damaged_safetensors(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(UnreadableWeights, match=r"a\.safetensors is not a safetensors file"):
        read_weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_bfloat16(suffix: str, tmp_path: Path) -> None:
    numbers = torch.randn(7, 5).to(torch.bfloat16)
    file = tmp_path / f"model{suffix}"
    given = {"a": numbers, "b": numbers.T[1:], "ids": torch.arange(3)}
    if suffix == ".bin":
        torch.save(given, file)
    else:
        save_torch({name: tensor.contiguous() for name, tensor in given.items()}, file)
    weights = read_weights(file)
    np.testing.assert_array_equal(weights["a"], numbers.float().numpy())
    np.testing.assert_array_equal(weights["b"], numbers.T[1:].float().numpy())
    np.testing.assert_array_equal(weights["ids"], [0, 1, 2])
