"""Vectors to places on a map, so that what is alike lies together; numpy alone, the same map on every run.

The first two principal components of such vectors are one blob: they keep how far the farthest are apart, not who is
next to whom. So they are only where the layout begins, and then each point is drawn to its neighbours and pushed away
from others: the graph is UMAP's (McInnes, Healy, Melville, "UMAP", 2018, sections 3.1 and 4), attraction and repulsion
those of 1 / (1 + d^2), as in LargeVis (Tang et al., "Visualizing large-scale and high-dimensional data", 2016), which
needs no powers. All points move at once, and each is pushed by the same small sample of others in a step, not by some
for each edge: that is a few matrix operations a step. What it keeps, and its time: ``tests/bench/bench_map.py``.
"""

from typing import NamedTuple

import numpy as np

from vecmod.explore.projection import Floats, Neighbours, Numbers, main_directions, neighbours

_DIRECTIONS = 50
_NEIGHBOURS = 15
_STEPS = 200
# Others that push in one step, and how strong all of them are together against the attraction (UMAP: negative samples).
_OTHERS, _PUSH = 64, 5.0
# The map's width at the start, and the farthest that a point goes in one step, in the unit of d.
_WIDTH, _STRIDE = 10.0, 4.0
# Below so many points there are no neighbourhoods to keep; within so little, points of unit vectors are one.
_FEW, _SAME = 6, 1e-5


class Graph(NamedTuple):
    """Edges in both directions, ordered by their beginning: every point has at least one.

    Attributes:
        head, tail: int64 ``[edges]``, points.
        weight: float32 ``[edges]``, above 0, up to 1.
    """

    head: Numbers
    tail: Numbers
    weight: Floats


def lay_out(vectors: Floats) -> Floats:
    """Places float32 ``[points, 2]``, both in 0 to 1 on one scale, of vectors float32 ``[points, dim]``, none zero."""
    if len(vectors) < 2:  # noqa: PLR2004 -- one point has no directions
        return np.full((len(vectors), 2), 0.5, np.float32)
    directions = main_directions(vectors, _DIRECTIONS)
    flat = np.zeros((len(vectors), 2), np.float32)
    flat[:, : min(2, directions.shape[1])] = directions[:, :2]
    if np.ptp(flat) < _SAME:
        return np.full_like(flat, 0.5)
    if len(vectors) >= _FEW:
        k = min(_NEIGHBOURS, (len(vectors) - 1) // 2)
        flat = _arrange(flat, likeness(neighbours(directions, k)))
    return _scaled(flat)


def likeness(near: Neighbours) -> Graph:
    """UMAP's fuzzy graph: how much one of two points counts the other among its own, or is counted."""
    points, k = near.which.shape
    beyond = near.distance - near.distance[:, :1]
    weight = np.exp(-beyond / _reach(beyond, np.log2(k) if k > 1 else 1.0)).astype(np.float64)
    head, tail = np.repeat(np.arange(points), k), near.which.ravel()
    pair, at = np.unique(np.concatenate([head * points + tail, tail * points + head]), return_inverse=True)
    twice = np.tile(weight.ravel(), 2)
    total, squares = np.bincount(at, twice), np.bincount(at, twice**2)
    # a + b - ab, where each pair has one or two of them.
    union = total - (total**2 - squares) / 2
    return Graph(pair // points, pair % points, np.maximum(union, 1e-6).astype(np.float32))


def _reach(beyond: Floats, target: float) -> Floats:
    """For each point the distance at which likeness has faded to 1/e, so that its neighbours count ``target``."""
    low = np.zeros((len(beyond), 1), np.float32)
    high = np.full_like(low, np.inf)
    reach: Floats = np.maximum(beyond.mean(axis=1, keepdims=True), np.float32(1e-6))
    for _ in range(40):
        much = np.exp(-beyond / reach).sum(axis=1, keepdims=True) > target
        high, low = np.where(much, reach, high), np.where(much, low, reach)
        reach = np.where(np.isinf(high), reach * 2, (low + high) / 2)
        # Of equal points there are always too many: they are as near as can be.
        reach = np.clip(reach, np.float32(1e-6), np.float32(1e6))
    return reach


def _arrange(flat: Floats, graph: Graph) -> Floats:
    """The points after all steps."""
    random = np.random.default_rng(0)
    places: Floats = (flat * (_WIDTH / np.abs(flat).max())).astype(np.float32)
    starts = np.searchsorted(graph.head, np.arange(len(places)))
    push = (np.add.reduceat(graph.weight, starts) * np.float32(_PUSH / _OTHERS))[:, None]
    for step in range(_STEPS):
        towards = places[graph.tail] - places[graph.head]
        pull = towards * (2 * graph.weight / (1 + np.einsum("ij,ij->i", towards, towards)))[:, None]
        pulled = np.add.reduceat(pull, starts, axis=0)
        pushed = _pushed(places, places[random.integers(0, len(places), _OTHERS)]) * push
        places += np.clip((pulled + pushed) * np.float32(1 - step / _STEPS), -_STRIDE, _STRIDE)
    return places


def _pushed(places: Floats, others: Floats) -> Floats:
    """The sum of the pushes of others on each point, float32 ``[points, 2]``, none stronger than a stride."""
    x, y = places[:, :1] - others[:, 0], places[:, 1:] - others[:, 1]
    squares = x * x + y * y
    strength = 2 / ((np.float32(0.001) + squares) * (1 + squares))
    np.minimum(strength, _STRIDE / np.sqrt(squares + np.float32(1e-9)), out=strength)
    return np.stack([np.einsum("ij,ij->i", x, strength), np.einsum("ij,ij->i", y, strength)], axis=1)


def _scaled(flat: Floats) -> Floats:
    """Moved and shrunk into 0 to 1, in the middle where one side is shorter."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    side = float((high - low).max())
    middle = (low + high) / 2
    scaled: Floats = np.clip((flat - middle) / side + 0.5, 0, 1).astype(np.float32)
    return scaled
