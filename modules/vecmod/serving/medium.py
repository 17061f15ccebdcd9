"""What is decoded: the types that decoding and models share. Texts are ``str``, pictures are Pillow's."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image


class Kind(StrEnum):
    """Which medium a model wants for a modality; in this, and so in how items are decoded, models differ."""

    TEXT = "text"
    COLOUR = "colour picture"
    GREY = "grey picture"
    # 16-bit grey becomes white above 255, as models see it whose makers left it to Pillow.
    CLIPPED_COLOUR = "colour picture, clipped to 8 bits"
    CLIPPED_GREY = "grey picture, clipped to 8 bits"
    SOUND = "sound"
    FILM = "film"
    MOTION = "table of motion sensors"


class Sound(NamedTuple):
    """Samples float32 ``[channels, n]`` in [-1, 1], and how many of them make a second."""

    samples: NDArray[np.float32]
    rate: int


class Place(NamedTuple):
    """Where a frame belongs: to which clip of a film, as its first (0) or its last (1) frame."""

    clip: int
    end: int


class Shot(NamedTuple):
    """One frame of a film, uint8 ``[height, width, 3]`` in RGB, for every place where it belongs."""

    rgb: NDArray[np.uint8]
    places: tuple[Place, ...]


# A picture in mode RGB or L, a text, a sound, the shots of a film, or a table float32 ``[rows, columns]``.
Medium = Image | str | Sound | Iterator[Shot] | NDArray[np.float32]
