"""Pixels to network input: the same numbers as the models' authors compute, on every Pillow version."""

import numpy as np
from PIL import Image

from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.model.recipe import Filter, ImageSteps

_FILTERS = {Filter.BILINEAR: Image.Resampling.BILINEAR, Filter.BICUBIC: Image.Resampling.BICUBIC}


def prepare_image(image: Image.Image, steps: ImageSteps) -> FloatArray:
    """Network input float32 ``[3, size, size]`` of an RGB picture, or ``[1, size, size]`` of a grey one.

    A grey picture is normalised with the numbers for red, as ImageBind's container does with depth and thermal ones.
    """
    if steps.center_crop is not None:
        image = image.crop(_center_box(image.size, steps.center_crop))
    if steps.short_side is None:
        square = _resize(image, (steps.size, steps.size), steps.filter)
    else:
        scaled = _resize(image, _scaled(image.size, steps.short_side), steps.filter)
        square = _cut_out(scaled, steps.size, nearest=steps.cut_to_nearest)
    pixels = np.asarray(square)
    pixels = pixels.reshape(steps.size, steps.size, -1)
    planes = np.empty((pixels.shape[2], steps.size, steps.size), np.float32)
    for channel, table in enumerate(_tables(steps)[: len(planes)]):
        np.take(table, pixels[:, :, channel], out=planes[channel])
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
