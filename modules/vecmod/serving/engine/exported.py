"""Graphs that other programs exported: names, types and fixed lengths are theirs, so batches are fitted to them."""

from typing import NamedTuple, Protocol

import numpy as np

from vecmod.serving.engine.engine import Engine, EngineUnavailable, FloatArray, Inputs
from vecmod.serving.engine.network import ExportedGraph

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
# What exporters call the mask of ids that count, and the types of tokens, which are all 0.
_MASK, _TOKEN_TYPES = "attention_mask", "token_type_ids"


class TensorInfo(NamedTuple):
    """What a graph says of a tensor: onnxruntime's name of its type, its lengths, names for those that are free."""

    type: str
    shape: tuple[int | str, ...]


class Runner(Engine, Protocol):
    """An engine that can be asked for names, and run by them."""

    def names(self) -> tuple[dict[str, TensorInfo], list[str]]:
        """Inputs by name, and the names of the outputs."""
        ...

    def run_named(self, output: str, feed: dict[str, Inputs]) -> FloatArray:
        """The output of that name for inputs by name."""
        ...


class ExportedEngine:
    """An exported graph in a runtime.

    Raises:
        EngineUnavailable: if it has no input or no output of the names that are known.
    """

    def __init__(self, graph: ExportedGraph, runner: Runner) -> None:
        self.name = runner.name
        self.device = runner.device
        self.precision = runner.precision
        self.split = runner.split
        self._runner = runner
        self._pad_id = graph.pad_id
        self._inputs, outputs = runner.names()
        self._main = _first(graph, "inputs", graph.inputs, list(self._inputs))
        self._output = _first(graph, "outputs", graph.outputs, outputs)
        if unknown := set(self._inputs) - {self._main, _MASK, _TOKEN_TYPES}:
            raise EngineUnavailable(f"{graph.path} has inputs that are not known here: {', '.join(sorted(unknown))}")

    def run(self, batch: Inputs) -> FloatArray:
        """Vectors float32 ``[n, dim]`` of the inputs ``[n, ...]``."""
        lengths = self._inputs[self._main].shape
        count = lengths[0] if isinstance(lengths[0], int) else len(batch)
        is_text = len(lengths) == len(("n", "length"))
        if is_text and isinstance(lengths[1], int):
            batch = np.pad(batch, ((0, 0), (0, lengths[1] - batch.shape[1])), constant_values=self._pad_id)
        parts = [batch[start : start + count] for start in range(0, len(batch), count)]
        return np.concatenate([self._run_part(part, count) for part in parts])

    def close(self) -> None:
        """Free the graph."""
        self._runner.close()

    def _run_part(self, part: Inputs, count: int) -> FloatArray:
        """The vectors of up to ``count`` inputs; where a graph wants more, the last one is repeated."""
        missing = count - len(part)
        full = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
        feed = {self._main: full}
        if _MASK in self._inputs:
            feed[_MASK] = _counting(full, self._pad_id)
        if _TOKEN_TYPES in self._inputs:
            feed[_TOKEN_TYPES] = np.zeros_like(full)
        typed = {name: feed[name].astype(_TYPES[said.type], copy=False) for name, said in self._inputs.items()}
        return self._runner.run_named(self._output, typed)[: len(part)].astype(np.float32, copy=False)


def _counting(ids: Inputs, pad_id: int) -> Inputs:
    """1 up to the last id that is no padding: the padding's own id may also stand inside a text."""
    behind = np.cumsum((ids != pad_id)[:, ::-1], axis=1)[:, ::-1]
    return (behind > 0).astype(np.int64)


def _first(graph: ExportedGraph, kind: str, wanted: tuple[str, ...], there: list[str]) -> str:
    for name in wanted:
        if name in there:
            return name
    raise EngineUnavailable(f"{graph.path} has {kind} {', '.join(there)}; one of {', '.join(wanted)} is needed")
