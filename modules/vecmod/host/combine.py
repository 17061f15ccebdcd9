"""The vectors of an object's pieces to one vector, in float32, in Weaviate's order of operations.

Weaviate: usecases/vectorizer/combine.go. Without weights the mean of all vectors. With weights, of the fields that
are there: each field's vector (of several texts their mean) times its share of the weights, summed, and divided by the
number of fields: the direction is that of the weighted mean, the length is Weaviate's.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vecmod.host.collect import Piece
from vecmod.host.host_errors import InvalidObject, ServiceError

Vector = NDArray[np.float32]


def combine(pieces: Sequence[Piece], vectors: Sequence[Vector]) -> Vector:
    """One vector float32 ``[dim]``.

    Raises:
        ServiceError: if the vectors differ in length.
        InvalidObject: if the weights of the fields that are there sum to zero.
    """
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise ServiceError(f"vectors of different length in one answer: {sorted(lengths)}")
    if pieces[0].weight is None:
        return mean(vectors)
    groups = groupby(zip(pieces, vectors, strict=True), key=lambda pair: (pair[0].modality, pair[0].field))
    fields = [list(group) for _, group in groups]
    weights = [np.float32(group[0][0].weight or 0) for group in fields]
    total = _sum(weights)
    if not total or not np.isfinite(total):
        names = ", ".join(group[0][0].field for group in fields)
        raise InvalidObject(f"the weights of what it has ({names}) sum to {total:g}")
    share = np.float32(1) / total
    parts = [
        mean([vector for _, vector in group]) * (weight * share) for group, weight in zip(fields, weights, strict=True)
    ]
    return mean(parts)


def mean(vectors: Sequence[Vector]) -> Vector:
    """The plain mean, summed from left to right; the first addend is zero, as in Weaviate."""
    total = np.zeros(len(vectors[0]), np.float32)
    for vector in vectors:
        total += vector
    result: Vector = total / np.float32(len(vectors))
    return result


def _sum(numbers: Sequence[np.float32]) -> np.float32:
    total = np.float32(0)
    for number in numbers:
        total = np.float32(total + number)
    return total
