"""What ImageBind's container makes of files: synthetic ones, and the arrays that its code computed from them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "fixtures/imagebind"


def raw(kind: str, name: str) -> bytes:
    """A file that was preprocessed; kinds are audio, images, imu, video."""
    return (FOLDER / "raw" / kind / name).read_bytes()


def arrays(name: str) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    with np.load(FOLDER / "preproc" / f"{name}.npz") as file:
        return dict(file)


def facts(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / "preproc" / f"{name}.json").read_text())
    return read
