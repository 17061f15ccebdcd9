"""What a family yields: everything that makes a model, as frozen data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from PIL.Image import Image

from vecmod.serving.engine.engine import IdArray, Inputs
from vecmod.serving.engine.network import AnyNetwork

# What is decoded: a picture in mode RGB, or a text.
Medium = Image | str


class Filter(StrEnum):
    """Resampling filters, as Pillow defines them (antialiased when shrinking)."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class Channels(NamedTuple):
    """One number for each of red, green, blue."""

    red: float
    green: float
    blue: float


@dataclass(frozen=True)
class ImageSteps:
    """How a picture becomes the input of a network: crop, resize to a square, ``(x / divisor - mean) / std``.

    Attributes:
        size: side of the square, in pixels.
        filter: resampling filter.
        center_crop: side of the centred square that is kept, as a share of the shorter side; None keeps the
            whole picture and squashes it, whatever its aspect ratio.
        divisor: what 8-bit values are divided by first.
        mean: subtracted after the division.
        std: divisor after that.
        short_side: the shorter side is first scaled to so many pixels, and the centred square then cut out of it.
        cut_to_nearest: where the square begins is rounded to the nearest pixel, halves to the even one, as torchvision
            does; else down, as transformers does.
    """

    size: int
    filter: Filter
    center_crop: float | None
    divisor: float
    mean: Channels
    std: Channels
    short_side: int | None = None
    cut_to_nearest: bool = False

    def describe(self) -> str:
        """One line for ``/meta``."""
        crop = "whole picture squashed" if self.center_crop is None else f"centre crop {self.center_crop:.1%}"
        crop = crop if self.short_side is None else f"shorter side to {self.short_side}, centre cut out"
        return (
            f"{crop}, {self.filter} to {self.size}x{self.size}, (x/{self.divisor:g} - {self.mean[:]}) / {self.std[:]}"
        )


class Tokens(NamedTuple):
    """Ids int64 ``[length]`` of a text, and how many of its tokens did not fit."""

    ids: IdArray
    dropped: int


@dataclass(frozen=True)
class TextSteps:
    """How a text becomes the input of a network.

    Attributes:
        tokenize: text to ids, cut to the context, with the marks of start and end.
        context: ids at most.
        pad_id: fills the shorter texts of a batch.
        full: every text is filled up to the context, as some models were trained; else to the longest of a batch.
    """

    tokenize: Callable[[str], Tokens]
    context: int
    pad_id: int
    full: bool = False

    def describe(self) -> str:
        """One line for ``/meta``."""
        return f"at most {self.context} tokens, {'always filled up' if self.full else 'as many as there are'}"


class Prepared(NamedTuple):
    """What a network is given for one item, what its sender should know (empty if nothing), tokens of a text."""

    content: Inputs
    warning: str = ""
    tokens: int = 0


@dataclass(frozen=True)
class Tower:
    """One encoder: preprocessing and network."""

    steps: ImageSteps | TextSteps
    network: AnyNetwork


@dataclass(frozen=True)
class Recipe:
    """A model, ready to be loaded.

    Attributes:
        name: as in ``MODEL_NAME``.
        revision: which weights exactly: SHA-256, commit or package version.
        licence: licence of the weights.
        towers: encoders by modality name.
        normalized: whether vectors are scaled to length 1.
        best_batch: inputs in one run beyond which throughput no longer grows on a CPU.
        folders: model folders it was read from; of a pair, that of the pictures first. Empty if it came otherwise.
    """

    name: str
    revision: str
    licence: str
    towers: Mapping[str, Tower]
    normalized: bool
    best_batch: int
    folders: tuple[Path, ...] = ()
