"""Pictures by their colours: soft histograms (Swain & Ballard 1991, "Color Indexing"), compared by correlation."""

import hashlib

import numpy as np

from vecmod.serving.engine.network import Network, Ops, Tensor, TrainedNetwork, Weights
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.transforms import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import WeightsPlace

_SIZE = 64
_BINS = 16
# What is counted, each from 0 to 1: red, green, blue, and how they differ, which says more about hue.
_AXES = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, -0.5, 0], [0, 0.5, -0.5], [-0.5, 0, 0.5]])
_OFFSETS = np.array([0, 0, 0, 0.5, 0.5, 0.5])
_STEPS = ImageSteps(
    size=_SIZE,
    filter=Filter.BILINEAR,
    center_crop=None,
    divisor=255.0,
    mean=Channels(0.0, 0.0, 0.0),
    std=Channels(1.0, 1.0, 1.0),
)


def colour_histogram(_: WeightsPlace) -> Recipe:
    """Six soft histograms of 16 bins: 96 numbers, not normalised. Its weights are made here, so none are looked for."""
    weights = _weights()
    digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
    network = TrainedNetwork(
        "colour-histogram", _histograms, (3, _SIZE, _SIZE), len(_AXES) * _BINS, digest, lambda: weights
    )
    return Recipe(
        name="colour-histogram",
        revision=digest[:16],
        licence="Apache-2.0",
        towers={"image": Tower(_STEPS, network)},
        normalized=False,
        best_batch=8,
    )


def _histograms(ops: Ops[Tensor], x: Tensor) -> Tensor:
    """For each pixel how much it belongs to each bin; then the mean over all pixels."""
    ramps = ops.relu(ops.conv(x, "ramps", bias=True))
    return ops.global_average_pool(ops.conv(ramps, "hats", bias=True))


def _weights() -> Weights:
    """A bin is a hat: 1 at its centre, 0 at its neighbours', the sum of three ramps ``relu(value - knot)``."""
    width = 1 / (_BINS - 1)
    knots = np.arange(-1, _BINS + 1) * width
    ramps = np.repeat(_AXES, len(knots), axis=0) / width
    starts = (_OFFSETS[:, None] - knots).ravel() / width
    hat = np.zeros((_BINS, len(knots)))
    for index in range(_BINS):
        hat[index, index : index + 3] = (1, -2, 1)
    hats = np.kron(np.eye(len(_AXES)), hat)
    # Less the mean of a histogram, so that the cosine of two is their correlation.
    shift = np.full(len(hats), -1 / _BINS)
    given = {
        "ramps.weight": ramps[:, :, None, None],
        "ramps.bias": starts,
        "hats.weight": hats[:, :, None, None],
        "hats.bias": shift,
    }
    return {name: values.astype(np.float32) for name, values in given.items()}


_: Network = _histograms
