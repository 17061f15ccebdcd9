"""What is sent in benchmarks: many items, no two the same, for who has answered one before need not work again."""

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from pictures import SAMPLES, b64, encoded

_THINGS = ("cat", "dog", "boat", "tree", "house", "car", "bird", "cup", "rocket", "temple", "flower", "bicycle")
_PLACES = ("by the sea", "on a hill", "in the kitchen", "at night", "in the snow", "under a bridge", "on a table")
_LOOKS = ("red", "old", "small", "sleeping", "shiny", "broken")


def texts() -> list[str]:
    return [f"a photo of a {look} {thing} {place}" for look in _LOOKS for thing in _THINGS for place in _PLACES]


def photos(number: int, size: tuple[int, int]) -> list[str]:
    """JPEGs of that size, base64: different parts of the sample photos."""
    return [b64(encoded(photo, "JPEG", quality=88)) for photo in _parts(number, size)]


def _parts(number: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    random = np.random.default_rng(0)
    whole = [Image.open(path).convert("RGB") for path in sorted((SAMPLES / "photos").iterdir())]
    for index in range(number):
        photo = whole[index % len(whole)]
        side = int(min(photo.size) * random.uniform(0.5, 1))
        left, top = (int(random.uniform(0, edge - side + 1)) for edge in photo.size)
        yield photo.resize(size, box=(left, top, left + side, top + side * size[1] / size[0]))


def sounds(files: Sequence[bytes], number: int) -> list[str]:
    """WAV files as many as wanted, base64: their last sample differs."""
    return [b64(files[index % len(files)][:-2] + index.to_bytes(2, "little")) for index in range(number)]


def films(files: Sequence[bytes], number: int) -> list[str]:
    """MP4 files as many as wanted, base64: they end in a box that is free, and numbered."""
    return [b64(files[index % len(files)] + struct.pack(">I4sI", 12, b"free", index)) for index in range(number)]


def tables(files: Sequence[bytes], number: int) -> list[str]:
    """CSV files as many as wanted, base64: the last number has more digits."""
    return [b64(files[index % len(files)].rstrip() + f"{index:04}\n".encode()) for index in range(number)]
