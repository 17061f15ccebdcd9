"""Pixels to network input: the same numbers as the models' authors compute, on every Pillow version."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, cast

import numpy as np
from PIL import Image

from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.medium import Kind, Medium
from vecmod.serving.model.steps import Prepared, Steps


class Filter(StrEnum):
    """Resampling filters, as Pillow defines them (antialiased when shrinking)."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class Channels(NamedTuple):
    """One number for each of red, green, blue."""

    red: float
    green: float
    blue: float


_FILTERS = {Filter.BILINEAR: Image.Resampling.BILINEAR, Filter.BICUBIC: Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class ImageSteps(Steps):
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
        kind: of picture.
        channels: of the network's input: 3, where a grey picture fills all of them, or 1, which is then normalised with
            the numbers for red, as ImageBind's container does with depth and thermal pictures.
        frames: how often the network is given each channel: one that was made for films sees a picture twice.
    """

    size: int
    filter: Filter
    center_crop: float | None
    divisor: float
    mean: Channels
    std: Channels
    short_side: int | None = None
    cut_to_nearest: bool = False
    kind: Kind = Kind.COLOUR
    channels: int = 3
    frames: int = 1

    def prepare(self, medium: Medium) -> Prepared:
        """Pixels float32 ``[channels * frames, size, size]``."""
        pixels = prepare_image(cast("Image.Image", medium), self)
        return Prepared(pixels if self.frames == 1 else np.repeat(pixels, self.frames, axis=0))

    def blank(self) -> Inputs:
        """No light."""
        return np.zeros((self.channels * self.frames, self.size, self.size), np.float32)

    def describe(self) -> str:
        """One line for ``/meta``."""
        crop = "whole picture squashed" if self.center_crop is None else f"centre crop {self.center_crop:.1%}"
        crop = crop if self.short_side is None else f"shorter side to {self.short_side}, centre cut out"
        return (
            f"{crop}, {self.filter} to {self.size}x{self.size}, (x/{self.divisor:g} - {self.mean[:]}) / {self.std[:]}"
        )


def prepare_image(image: Image.Image, steps: ImageSteps) -> FloatArray:
    """Pixels float32 ``[channels, size, size]`` of a picture in mode RGB or L."""
    if steps.center_crop is not None:
        image = image.crop(_center_box(image.size, steps.center_crop))
    if steps.short_side is None:
        square = _resize(image, (steps.size, steps.size), steps.filter)
    else:
        scaled = _resize(image, _scaled(image.size, steps.short_side), steps.filter)
        square = _cut_out(scaled, steps.size, nearest=steps.cut_to_nearest)
    pixels = np.asarray(square)
    pixels = pixels.reshape(steps.size, steps.size, -1)
    planes = np.empty((steps.channels, steps.size, steps.size), np.float32)
    for channel, table in enumerate(_tables(steps)[: steps.channels]):
        np.take(table, pixels[:, :, min(channel, pixels.shape[2] - 1)], out=planes[channel])
    return planes


def _scaled(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Width and height whose shorter one is given; the longer one is rounded down, as the models' authors do."""
    width, height = size
    short, long = min(size), max(size)
    other = int(short_side * long / short)
    return (short_side, other) if width <= height else (other, short_side)


def _cut_out(image: Image.Image, side: int, *, nearest: bool) -> Image.Image:
    spare = [length - side for length in image.size]
    left, top = (round(pixels / 2) if nearest else pixels // 2 for pixels in spare)
    return image.crop((left, top, left + side, top + side))


def _resize(image: Image.Image, size: tuple[int, int], kind: Filter) -> Image.Image:
    # Width first, then height, in two calls: Pillow 13 began to shrink tall pictures vertically first, which
    # moves some pixels by one level; stored vectors were made in this order.
    resample = _FILTERS[kind]
    return image.resize((size[0], image.height), resample).resize(size, resample)


def _center_box(size: tuple[int, int], share: float) -> tuple[int, int, int, int]:
    # As the evaluation code of EfficientNet crops (tensorflow/tpu, preprocessing.py): offsets round up.
    side = max(1, int(share * min(size)))
    left, top = ((length - side + 1) // 2 for length in size)
    return left, top, left + side, top + side


def _tables(steps: ImageSteps) -> FloatArray:
    """The 256 possible results for each channel: exact, and faster than arithmetic on every pixel."""
    levels = np.arange(256, dtype=np.float32) / np.float32(steps.divisor)
    mean, std = (np.array(values, np.float32)[:, None] for values in (steps.mean, steps.std))
    tables: FloatArray = (levels - mean) / std
    return tables
