"""Vectors to a few directions, and the neighbours of each; numpy alone, the same numbers on every run of a machine."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

# Subspace iteration (Halko, Martinsson, Tropp, "Finding structure with randomness", 2011, algorithm 4.4) from a few
# directions more than are wanted: after so many rounds as good as an exact decomposition, where they are to be drawn.
_MORE, _ROUNDS = 10, 4
# Rows whose distances to all others are in memory at once.
_BLOCK = 1000


class Neighbours(NamedTuple):
    """The nearest of each point, nearest first: ``which`` int64 and ``distance`` float32, both ``[points, k]``."""

    which: Numbers
    distance: Floats


def main_directions(vectors: Floats, count: int) -> Floats:
    """Directions of vectors (their lengths do not matter), in the ``count`` dimensions that tell most of them apart.

    Args:
        vectors: float32 ``[points, dim]``, none of them zero.
        count: dimensions wanted; there are fewer if points or dimensions are fewer.

    Returns:
        float32 ``[points, count]``, principal components of the unit vectors, the widest first.
    """
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = units - units.mean(axis=0)
    points, dim = centred.shape
    count = min(count, points - 1, dim)
    basis = np.random.default_rng(0).standard_normal((dim, min(count + _MORE, dim)), dtype=np.float32)
    for _ in range(_ROUNDS):
        basis, _ = np.linalg.qr(centred.T @ (centred @ basis))
    spread = centred @ basis
    _, turn = np.linalg.eigh(spread.T @ spread)
    found: Floats = spread @ turn[:, ::-1][:, :count]
    return found


def neighbours(points: Floats, k: int) -> Neighbours:
    """The ``k`` nearest others of each of more than ``k`` points, float32 ``[points, dim]``, by Euclidean distance."""
    squares = np.einsum("ij,ij->i", points, points)
    parts = [_nearest(points, squares, start, k) for start in range(0, len(points), _BLOCK)]
    return Neighbours(np.concatenate([one.which for one in parts]), np.concatenate([one.distance for one in parts]))


def _nearest(points: Floats, squares: Floats, start: int, k: int) -> Neighbours:
    block = slice(start, start + _BLOCK)
    far = squares[block, None] + squares - 2 * points[block] @ points.T
    rows = np.arange(len(far))
    far[rows, start + rows] = np.inf
    index = np.argpartition(far, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(far, index, axis=1), axis=1, kind="stable")
    index = np.take_along_axis(index, order, axis=1)
    distance = np.sqrt(np.maximum(np.take_along_axis(far, index, axis=1), 0))
    return Neighbours(index, distance)
