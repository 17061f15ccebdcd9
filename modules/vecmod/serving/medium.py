"""What is decoded, besides pictures (Pillow's own type) and texts: the types that decoding and models share."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
