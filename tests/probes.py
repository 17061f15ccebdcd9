"""Texts and pictures of every kind, which each family is asked for."""

from io import BytesIO

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from pictures import photo

TEXTS = [
    "",
    "cat",
    "a photo of two dogs, playing!",
    "word " * 60,
    "word " * 200,
    "😀🚀",
    "一只猫坐在垫子上",
    "It's\n 3 CAFÉs",
]
_PHOTO = Image.open(BytesIO(photo("cat"))).convert("RGB")
PICTURES = {
    "square": _PHOTO.resize((64, 64)),
    "wide": _PHOTO.resize((301, 97)),
    "tall": _PHOTO.resize((97, 301)),
    "tiny": _PHOTO.resize((3, 2)),
    "large": _PHOTO.resize((640, 479)),
    "palette": _PHOTO.resize((90, 70)).convert("P"),
    "rgba": _PHOTO.resize((90, 70)).convert("RGBA"),
    "grey": _PHOTO.resize((90, 70)).convert("L"),
}


def cosines(ours: ArrayLike, theirs: ArrayLike) -> np.ndarray:
    """Of the rows of one and the other."""
    a, b = (np.asarray(rows, np.float64) for rows in (ours, theirs))
    cosine: np.ndarray = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return cosine
