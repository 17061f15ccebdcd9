"""What ImageBind's container makes of files: synthetic ones, and the arrays that its code computed from them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

from pictures import b64

FOLDER = Path(__file__).parent / "fixtures/imagebind"
WEIGHTS = FOLDER / "weights.safetensors"
TEXTS: list[str] = json.loads((FOLDER / "texts.json").read_text("utf-8"))
# Longer than 75 tokens.
LONG = slice(21, 24)
# Lists of a request: the list of the answer, the name of the golden vectors, the folder of the files.
LISTS = {
    "images": ("imageVectors", "image", "images"),
    "audio": ("audioVectors", "audio", "audio"),
    "video": ("videoVectors", "video", "video"),
    "imu": ("imuVectors", "imu", "imu"),
    "thermal": ("thermalVectors", "thermal", "images"),
    "depth": ("depthVectors", "depth", "images"),
}
_ERROR = 5e-6
# Sounds of another rate: their resampling is as exact as float32 is.
AUDIO_ERROR = 1e-5


def raw(kind: str, name: str) -> bytes:
    """A file that was preprocessed; kinds are audio, images, imu, video."""
    return (FOLDER / "raw" / kind / name).read_bytes()


def arrays(name: str) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    with np.load(FOLDER / "preproc" / f"{name}.npz") as file:
        return dict(file)


def facts(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / "preproc" / f"{name}.json").read_text())
    return read


def files_of(kind: str) -> list[str]:
    """All files that were preprocessed, in base64."""
    return [b64(raw(kind, path.name)) for path in sorted((FOLDER / "raw" / kind).iterdir())]


def golden(name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Vectors of all files, or texts."""
    with np.load(FOLDER / "e2e/vectors.npz") as file:
        return np.asarray(file[name])


def error_of(key: str) -> float:
    return AUDIO_ERROR if key == "audio" else _ERROR


def assert_equal(ours: object, theirs: np.ndarray[Any, Any], error: float = _ERROR) -> None:
    """As exact as single precision allows: every mistake that was tried on purpose gives more than 1e-5."""
    found = np.array(ours)
    assert found.shape == theirs.shape
    assert np.abs(found - theirs).max() / np.abs(theirs).max() <= error
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(theirs, axis=1)
    assert ((found * theirs).sum(axis=1) / lengths).min() >= 0.99999


def write_checkpoint(folder: Path, *, zipped: bool = True) -> Path:
    """The small model in the form that its authors publish, ``imagebind_huge.pth``, its configuration beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "imagebind_huge.pth"
    state = {name: torch.from_numpy(tensor) for name, tensor in load_file(WEIGHTS).items()}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    shutil.copy(FOLDER / "config.json", folder)
    return path
