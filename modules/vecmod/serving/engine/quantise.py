"""A graph to one in int8: calibrated on samples, with as many layers left in fp32 as its vectors need."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.engine.exported import Runner
from vecmod.serving.engine.int8_graph import STATISTICS, Graph, Int8Graph
from vecmod.serving.engine.int8_layers import Layer, Range

_log = logging.getLogger(__name__)

# Mean cosine to the vectors of fp32, on the samples.
TARGET = 0.9995
# Below which a graph is refused.
_LEAST = 0.99
# Of the range that an input has on the samples.
_SHARES = (1.0, 0.85, 0.7, 0.55, 0.4)
# Batches that are enough to tell which of them is best.
_ENOUGH = 4
_REDUCED: Mapping[str, Callable[..., NDArray[Any]]] = {
    "low": np.min,
    "high": np.max,
    "most": np.max,
    "shift": np.mean,
    "noise": np.sum,
    "power": np.sum,
}

Statistics = Mapping[str, NDArray[Any]]


def quantise(graph: Path, output: Path, samples: Sequence[Inputs], read: Callable[[Path], Runner]) -> float:
    """Write the graph in int8; the mean cosine of its vectors to those of the graph, on the samples.

    Layers that get most wrong are left in fp32, twice as many each time, until the cosine is 0.9995 or half of all
    layers are left.

    Args:
        graph: a file that vecmod converted.
        output: a file; it appears whole or not at all.
        samples: batches of inputs, like those that will come.
        read: loads a graph into a runtime.

    Raises:
        ValueError: if that cosine is below 0.99, or the graph has more than 2 GiB.
    """
    taken = Int8Graph(graph)
    partial = output.with_name(f"{output.stem}-{uuid4().hex}.partial.onnx")

    def run(model: Graph, name: str, batches: Sequence[Inputs] = samples) -> list[FloatArray]:
        model.write(partial)
        runner = read(partial)
        try:
            return [runner.run_named(name, {"input": batch}) for batch in batches]
        finally:
            runner.close()

    def ask(model: Graph, places: Mapping[str, slice], batches: Sequence[Inputs] = samples) -> Statistics:
        return _over_batches(np.stack(run(model, STATISTICS, batches)), places)

    try:
        right = np.concatenate(run(taken.plain(), "vector"))
        taken.smooth(ask(*taken.observed()))
        some = samples[:: max(1, len(samples) // _ENOUGH)]
        ranges = _best_ranges(taken, ask(*taken.observed()), lambda graph, places: ask(graph, places, some))
        wrong = ask(*taken.tried(ranges))
        noisiest = sorted(taken.layers, key=lambda one: -_noise(wrong, [one]) / wrong[f"power {one.result}"].item())
        for kept in _growing(len(noisiest)):
            vectors = np.concatenate(run(taken.quantised(ranges, wrong, noisiest[:kept]), "vector"))
            cosine = _mean_cosine(right, vectors)
            _log.info("int8 with %d of %d layers in fp32: cosine %.5f", kept, len(noisiest), cosine)
            if cosine >= TARGET:
                break
        if cosine < _LEAST:
            raise ValueError(
                f"vectors would change too much: on {len(right)} samples their mean cosine is {cosine:.4f}"
            )
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return cosine


def _best_ranges(
    graph: Int8Graph, seen: Statistics, ask: Callable[[Graph, Mapping[str, slice]], Statistics]
) -> dict[str, Range]:
    """Of the inputs of layers: where they end, or so much less that what is cut off weighs less than rounding did."""
    ends = {one.source: Range(*(seen[f"{end} {one.source}"].item() for end in ("low", "high"))) for one in graph.layers}
    best: dict[str, tuple[float, Range]] = {}
    for share in _SHARES:
        tried = {edge: Range(share * low, share * high) for edge, (low, high) in ends.items()}
        wrong = ask(*graph.tried(tried))
        for edge, values in tried.items():
            noise = _noise(wrong, [one for one in graph.layers if one.source == edge])
            best[edge] = min(best.get(edge, (noise, values)), (noise, values))
    return {edge: values for edge, (_, values) in best.items()}


def _noise(wrong: Statistics, layers: Iterable[Layer]) -> float:
    return float(sum(wrong[f"noise {one.result}"].item() for one in layers))


def _growing(layers: int) -> Iterator[int]:
    """Nothing, one, two, four, ..., half of the layers."""
    yield 0
    count = 1
    while count < layers // 2:
        yield count
        count *= 2
    yield layers // 2


def _over_batches(said: FloatArray, places: Mapping[str, slice]) -> Statistics:
    """What ``[batches, n]`` statistics come to, by name."""
    return {name: _REDUCED[name.partition(" ")[0]](said[:, place], axis=0) for name, place in places.items()}


def _mean_cosine(right: FloatArray, vectors: FloatArray) -> float:
    """Of rows that have a direction."""
    lengths = np.linalg.norm(right, axis=1) * np.linalg.norm(vectors, axis=1)
    cosines = (right * vectors).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
    return float(cosines.mean()) if len(cosines) else 1.0
