"""Pictures to round int8 by: an operator's own, or crops of the sample photos."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL.Image import Image

from vecmod.contract.errors import VecmodError
from vecmod.serving.engine.engine import Inputs
from vecmod.serving.engine.graph_file import Samples
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.limits import MediaLimits
from vecmod.serving.medium import Kind
from vecmod.serving.model.steps import Steps

_log = logging.getLogger(__name__)

_PICTURES = (Kind.COLOUR, Kind.CLIPPED_COLOUR)
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_MOST_FILES, _CROPS, _BATCH = 256, 8, 8


def calibration_samples(steps: Steps, folder: Path | None) -> Samples | None:
    """Prepared pictures; None for what sees other media.

    Args:
        steps: how they are prepared.
        folder: with pictures, in folders of it, too; the first 256 are taken. None: eight crops of each sample photo.
    """
    if steps.kind not in _PICTURES:
        return None
    place = folder or Path(str(files("vecmod") / "samples/photos"))
    found = [path for path in sorted(place.rglob("*")) if path.suffix.lower() in _SUFFIXES][:_MOST_FILES]
    said = "\n".join(f"{path.relative_to(place)} {path.stat().st_size}" for path in found)
    key = hashlib.sha256(f"{steps.describe()}\n{said}".encode()).hexdigest()[:16]
    return Samples(key, lambda: _load(steps, found, crops=1 if folder else _CROPS))


def _load(steps: Steps, paths: Sequence[Path], crops: int) -> list[Inputs]:
    decoder = Decoder(MediaLimits(), [steps.kind])
    inputs = [steps.prepare(crop).content for path in paths for crop in _crops(decoder, steps.kind, path, crops)]
    if not inputs:
        raise ValueError("no picture was found to calibrate with; set VECMOD_CALIBRATION")
    return [np.stack(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]


def _crops(decoder: Decoder, kind: Kind, path: Path, number: int) -> Iterator[Image]:
    """A picture, and parts of it, always the same ones; nothing of what cannot be read."""
    try:
        with decoder.open(kind, path.read_bytes()).decode() as picture:
            if not isinstance(picture, Image):
                raise TypeError(f"{kind} gave a {type(picture).__name__}")
            yield picture
            random = np.random.default_rng(0)
            for _ in range(number - 1):
                side = int(min(picture.size) * random.uniform(0.4, 1))
                left, top = (int(random.uniform(0, edge - side + 1)) for edge in picture.size)
                yield picture.crop((left, top, left + side, top + side))
    except (VecmodError, OSError) as error:
        _log.warning("%s is left out of calibration: %s", path, error)
