"""Films to the input of ImageBind's network: two frames of each of five clips, each frame cut out three times.

Unlike pictures, frames are resized without antialiasing, as the authors' video library leaves it to torch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.medium import Kind, Medium, Shot
from vecmod.serving.model.steps import Prepared, Steps
from vecmod.serving.model.transforms import ImageSteps

SIDE = 224
CLIPS = 5
CROPS = 3
_ENDS = 2  # frames of a clip: its first and its last
# OpenAI's CLIP's.
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
_LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)


@dataclass(frozen=True)
class FilmSteps(Steps):
    """Five clips, each cut out three times, for a network that looks at both ends of a clip at once."""

    kind = Kind.FILM
    clips = CLIPS * CROPS

    def prepare(self, medium: Medium) -> Prepared:
        """Cuts float32 ``[15, 6, 224, 224]``: red of both frames, then green, then blue."""
        cuts = prepare_film(cast("Iterator[Shot]", medium))
        return Prepared(cuts.reshape(self.clips, 3 * _ENDS, SIDE, SIDE))

    def blank(self) -> Inputs:
        """No light."""
        return np.zeros((1, 3 * _ENDS, SIDE, SIDE), np.float32)

    def describe(self) -> str:
        """One line for ``/meta``."""
        return f"{CLIPS} clips of 2 s, first and last frame of each, {CROPS} cuts of {SIDE}x{SIDE}"


@dataclass(frozen=True)
class FrameSteps(Steps):
    """The same frames one by one, for a network that knows pictures alone: the vector is the mean of theirs.

    Attributes:
        picture: how the network wants pictures.
    """

    picture: ImageSteps
    kind = Kind.FILM
    clips = CLIPS * _ENDS

    def prepare(self, medium: Medium) -> Prepared:
        """Pixels float32 ``[frames, 3, size, size]`` of at most ten different frames."""
        shots = cast("Iterator[Shot]", medium)
        return Prepared(np.stack([self.picture.prepare(Image.fromarray(shot.rgb)).content for shot in shots]))

    def blank(self) -> Inputs:
        """No light."""
        return self.picture.blank()[None]

    def describe(self) -> str:
        """One line for ``/meta``."""
        return f"first and last frame of {CLIPS} clips of 2 s, as pictures; the mean of their vectors"


def prepare_film(shots: Iterable[Shot]) -> FloatArray:
    """Network input float32 ``[15, 3, 2, 224, 224]`` of shots with a place for both ends of all five clips.

    Clips come one after the other, each as three cuts: left, middle, right, or top to bottom.
    """
    film = np.zeros((CLIPS, CROPS, 3, _ENDS, SIDE, SIDE), np.float32)
    for shot in shots:
        cuts = cut_frame(shot.rgb)
        for clip, end in shot.places:
            film[clip, :, :, end] = cuts
    return film.reshape(CLIPS * CROPS, 3, _ENDS, SIDE, SIDE)


def scaled_size(height: int, width: int) -> tuple[int, int]:
    """Height and width whose shorter one is 224; the longer one is rounded down."""
    if width < height:
        return floor(height / width * SIDE), SIDE
    return SIDE, floor(width / height * SIDE)


def cut_frame(rgb: NDArray[np.uint8]) -> FloatArray:
    """Three squares float32 ``[3 cuts, 3 channels, 224, 224]`` of a frame ``[height, width, 3]``, normalised.

    Only what is cut out is computed, so that a frame of any shape costs the same.
    """
    height, width = scaled_size(*rgb.shape[:2])
    spare = max(height, width) - SIDE
    along = (np.array([0, ceil(spare / 2), spare])[:, None] + np.arange(SIDE)).ravel()
    needed, where = np.unique(along, return_inverse=True)
    whole = np.arange(SIDE)
    rows = _taps(needed if height > width else whole, rgb.shape[0], height)
    columns = _taps(whole if height > width else needed, rgb.shape[1], width)
    scaled = (_bilinear(rgb, rows, columns) - _MEAN) / _STD
    cuts = np.take(scaled, where, axis=0 if height > width else 1)
    if height > width:
        return cuts.reshape(CROPS, SIDE, SIDE, 3).transpose(0, 3, 1, 2)
    return cuts.reshape(SIDE, CROPS, SIDE, 3).transpose(1, 3, 0, 2)


class _Taps(NamedTuple):
    """For each pixel wanted: its two neighbours in the frame, and the share of the second."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: FloatArray


def _taps(wanted: NDArray[np.int64], length: int, scaled: int) -> _Taps:
    """Pixels are areas: the middle of the first one is at a half (torch's ``align_corners=False``).

    In float32, as torch does it, but rounded once where its compiled code multiplies and adds in one step.
    """
    scale = float(np.float32(length / scaled))
    at = np.maximum(scale * (wanted + 0.5) - 0.5, 0).astype(np.float32)
    first = np.minimum(at.astype(np.int64), length - 1)
    return _Taps(first, np.minimum(first + 1, length - 1), (at - first).astype(np.float32))


def _bilinear(rgb: NDArray[np.uint8], rows: _Taps, columns: _Taps) -> FloatArray:
    """Values float32 ``[rows, columns, 3]`` in [0, 1]."""
    right = np.repeat(columns.share, 3)
    lower = rows.share[:, None]
    # Of each row, which bytes: taken from flat rows, they come four times as fast as pixels do.
    flat = rgb.reshape(len(rgb), -1)
    bytes_of = [(column[:, None] * 3 + np.arange(3)).ravel() for column in (columns.first, columns.second)]

    def across(row: NDArray[np.int64]) -> FloatArray:
        lines = flat.take(row, axis=0)
        near, far = (_LEVELS.take(lines.take(places, axis=1)) for places in bytes_of)
        between: FloatArray = near * (np.float32(1) - right) + far * right
        return between

    mixed: FloatArray = across(rows.first) * (np.float32(1) - lower) + across(rows.second) * lower
    return mixed.reshape(len(lower), -1, 3)
