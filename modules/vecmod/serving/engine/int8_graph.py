"""Graphs in int8: inputs and weights of their layers in 8 bits, what is between them as it was. A door to ``onnx``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from vecmod.serving.engine.int8_layers import (
    KINDS,
    TINY,
    Array,
    Layer,
    Range,
    find_layers,
    in_8_bits,
    without_batch_norms,
)

STATISTICS = "statistics"


@dataclass(frozen=True)
class Graph:
    """A graph that can be written into a file."""

    model: ModelProto

    def write(self, path: Path) -> None:
        """Into a file, which may have 2 GiB.

        Raises:
            ValueError: if it is more.
        """
        onnx.save(self.model, path)


class Int8Graph:
    """A graph that is taken apart, observed, changed and written.

    Args:
        graph: a file that vecmod converted.
    """

    def __init__(self, graph: Path) -> None:
        self._empty: ModelProto = onnx.load(graph)
        self.numbers = {one.name: numpy_helper.to_array(one) for one in self._empty.graph.initializer}
        self._nodes = without_batch_norms(self._empty.graph.node, self.numbers)
        del self._empty.graph.initializer[:], self._empty.graph.node[:]
        self.layers = find_layers(self._nodes, self.numbers)
        self._by_weight = {layer.weight: layer for layer in self.layers}

    def plain(self) -> Graph:
        """The model as it is by now."""
        return self._model_of(self._nodes, self.numbers)

    def smooth(self, most: Mapping[str, Array]) -> None:
        """Move what is hard to round from inputs of layers into their weights, where what is before them can take it.

        Each channel of the input is divided by the root of the quotient of its largest value and that of the weights
        it meets, which are multiplied by it. What is before them is a layer normalisation (SmoothQuant with alpha 0.5:
        Xiao et al. 2023, arXiv:2211.10438), or a convolution and a rectifier (Nagel et al. 2019, arXiv:1906.04721).

        Args:
            most: what :meth:`observed` said; ``most <edge>`` of each layer's input.
        """
        made = {node.output[0]: node for node in self._nodes}
        for edge in dict.fromkeys(layer.source for layer in self.layers):
            after = [layer for layer in self.layers if layer.source == edge]
            before = self._takes_factors(made.get(edge), made)
            if len(after) != self._uses(edge) or not before:
                continue
            weights = np.max([_largest_by_input(self.numbers[layer.weight], layer) for layer in after], axis=0)
            factor = np.sqrt(np.maximum(most[f"most {edge}"], TINY) / np.maximum(weights, TINY)).astype(np.float32)
            for name in before:
                self.numbers[name] = self.numbers[name] / factor.reshape(-1, *[1] * (self.numbers[name].ndim - 1))
            for layer in after:
                wide = factor[:, None] if layer.product else factor[:, None, None]
                self.numbers[layer.weight] = self.numbers[layer.weight] * wide

    def _takes_factors(self, node: NodeProto | None, made: Mapping[str, NodeProto]) -> list[str]:
        """Names of the numbers by which each channel of what a node makes is multiplied, outputs first; or none."""
        if node is not None and node.op_type == "LayerNormalization":
            return list(node.input[1:])
        if node is not None and node.op_type == "Relu" and self._uses(node.input[0]) == 1:
            conv = made.get(node.input[0])
            if conv is not None and conv.op_type == "Conv" and len(conv.input) > 2:  # noqa: PLR2004 -- with a bias
                return list(conv.input[1:])
        return []

    def _uses(self, edge: str) -> int:
        return sum(edge in node.input for node in self._nodes)

    def observed(self) -> tuple[Graph, dict[str, slice]]:
        """A model whose one output ``statistics`` ``[n]`` says of each layer's input what stands where.

        By name: ``low <edge>`` and ``high <edge>`` (one number each), and ``most <edge>`` without its sign, of each
        channel.
        """
        asked: dict[str, _Asked] = {}
        nodes = []
        for layer in self.layers:
            asked[f"low {layer.source}"] = _Asked(layer.source, "ReduceMin", 1)
            asked[f"high {layer.source}"] = _Asked(layer.source, "ReduceMax", 1)
            if f"most {layer.source}" not in asked:
                nodes.append(helper.make_node("Abs", [layer.source], [f"{layer.source} unsigned"]))
                size = self.numbers[layer.weight].shape[0 if layer.product else 1]
                unsigned = f"{layer.source} unsigned"
                asked[f"most {layer.source}"] = _Asked(unsigned, "ReduceMax", size, rows=layer.product)
        return self._with_statistics([*self._nodes, *nodes], self.numbers, asked)

    def tried(self, ranges: Mapping[str, Range]) -> tuple[Graph, dict[str, slice]]:
        """A model whose ``statistics`` say what each layer would get wrong in 8 bits, were all before it right.

        By name: ``shift <edge>`` of each channel of its output, the mean of what it gets wrong; ``noise <edge>`` and
        ``power <edge>``, the sums of squares of that and of what is right.
        """
        asked: dict[str, _Asked] = {}
        numbers = dict(self.numbers)
        nodes = list(self._nodes)
        for node in self._nodes:
            layer = self._layer_of(node)
            if layer is None:
                continue
            right, wrong = node.output[0], f"{node.output[0]} wrong"
            nodes += in_8_bits(node, layer, f"{right} tried", ranges[layer.source], numbers)
            nodes.append(helper.make_node("Sub", [f"{right} tried", right], [wrong]))
            channels = layer.channels(self.numbers)
            asked[f"shift {layer.result}"] = _Asked(wrong, "ReduceMean", channels, rows=layer.product)
            asked[f"noise {layer.result}"] = _Asked(wrong, "ReduceSumSquare", 1)
            asked[f"power {layer.result}"] = _Asked(right, "ReduceSumSquare", 1)
        return self._with_statistics(nodes, numbers, asked)

    def quantised(self, ranges: Mapping[str, Range], wrong: Mapping[str, Array], kept: Collection[Layer]) -> Graph:
        """The model with all layers in 8 bits but for those that are kept; biases take back the mean of what is wrong.

        Args:
            ranges: of the layers' inputs.
            wrong: what :meth:`tried` said; ``shift <edge>`` of each layer's output.
            kept: layers that stay as they are.
        """
        numbers = dict(self.numbers)
        nodes: list[NodeProto] = []
        for node in self._nodes:
            layer = self._layer_of(node)
            if layer is None or layer in kept:
                nodes.append(node)
                continue
            nodes += in_8_bits(node, layer, node.output[0], ranges[layer.source], numbers)
            if layer.bias:
                numbers[layer.bias] = (numbers[layer.bias] - wrong[f"shift {layer.result}"]).astype(np.float32)
        return self._model_of(nodes, numbers)

    def _layer_of(self, node: NodeProto) -> Layer | None:
        return self._by_weight.get(node.input[1]) if node.op_type in KINDS else None

    def _with_statistics(
        self, nodes: Sequence[NodeProto], numbers: Mapping[str, Array], asked: Mapping[str, "_Asked"]
    ) -> tuple[Graph, dict[str, slice]]:
        added, places, start = [], dict[str, slice](), 0
        shapes = {"flat": np.array([-1])}
        for name, one in asked.items():
            added += one.nodes(f"{name} reduced")
            shapes[f"{name} reduced shape"] = np.array([-1, one.size])
            added.append(helper.make_node("Reshape", [f"{name} reduced", "flat"], [name]))
            places[name] = slice(start, start + one.size)
            start += one.size
        added.append(helper.make_node("Concat", list(asked), [STATISTICS], axis=0))
        made = self._model_of([*nodes, *added], {**numbers, **shapes})
        del made.model.graph.output[:]
        made.model.graph.output.append(helper.make_tensor_value_info(STATISTICS, TensorProto.FLOAT, [start]))
        return made, places

    def _model_of(self, nodes: Sequence[NodeProto], numbers: Mapping[str, Array]) -> Graph:
        model = ModelProto()
        model.CopyFrom(self._empty)
        model.graph.node.extend(nodes)
        used = {edge for node in nodes for edge in node.input}
        tensors = (numpy_helper.from_array(array, name) for name, array in numbers.items() if name in used)
        model.graph.initializer.extend(tensors)
        return Graph(model)


def _largest_by_input(weight: Array, layer: Layer) -> Array:
    """Of the weights that each channel of the input meets, without their signs."""
    axes = (1,) if layer.product else (0, 2, 3)
    return np.asarray(np.abs(weight).max(axis=axes))


class _Asked(NamedTuple):
    """A reduction of an edge to so many numbers: one, or one for each channel, of rows or of maps."""

    edge: str
    operation: str
    size: int
    rows: bool = False

    def nodes(self, output: str) -> list[NodeProto]:
        if not self.rows:
            axes = [0, 2, 3] if self.size > 1 else None
            return [helper.make_node(self.operation, [self.edge], [output], keepdims=0, axes=axes)]
        return [
            helper.make_node("Reshape", [self.edge, f"{output} shape"], [f"{output} rows"]),
            helper.make_node(self.operation, [f"{output} rows"], [output], keepdims=0, axes=[0]),
        ]
