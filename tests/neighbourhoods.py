"""How well a map keeps neighbourhoods."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def trustworthiness(vectors: Array, places: Array, k: int = 10) -> float:
    """Whether neighbours on the map are neighbours, from 0 to 1 (Venna, Kaski, 2001); chance is about 0.5."""
    points = len(vectors)
    order = np.argsort(_far(_units(vectors)), axis=1)
    rank = np.empty_like(order)
    rank[np.arange(points)[:, None], order] = np.arange(1, points + 1)
    near = np.argsort(_far(places.astype(float)), axis=1)[:, :k]
    beyond = np.maximum(np.take_along_axis(rank, near, axis=1) - k, 0).sum()
    return float(1 - 2 / (points * k * (2 * points - 3 * k - 1)) * beyond)


def kept(vectors: Array, places: Array, k: int = 10) -> float:
    """The share of each point's nearest that are also nearest on the map."""
    true = np.argsort(_far(_units(vectors)), axis=1)[:, :k]
    near = np.argsort(_far(places.astype(float)), axis=1)[:, :k]
    return float(
        np.mean([len(set(one) & set(other)) for one, other in zip(true.tolist(), near.tolist(), strict=True)]) / k
    )


def _units(vectors: Array) -> Array:
    wide = vectors.astype(float)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


def _far(points: Array) -> Array:
    squares = (points * points).sum(axis=1)
    far = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(far, np.inf)
    return np.asarray(far)
