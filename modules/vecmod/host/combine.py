"""The vectors of an object's pieces to one vector."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vecmod.host.host_errors import ServiceError

Vector = NDArray[np.float32]


def combine(vectors: Sequence[Vector]) -> Vector:
    """The mean, summed in float32 in the given order, as Weaviate does (usecases/vectorizer/combine.go).

    Raises:
        ServiceError: if the vectors differ in length.
    """
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise ServiceError(f"vectors of different length in one answer: {sorted(lengths)}")
    total = np.zeros(lengths.pop(), np.float32)
    for vector in vectors:
        total += vector
    mean: Vector = total / np.float32(len(vectors))
    return mean
