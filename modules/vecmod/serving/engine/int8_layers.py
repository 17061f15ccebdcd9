"""The layers of a graph that may be in 8 bits, and how they are written so. A door to ``onnx``.

``QuantizeLinear`` and ``DequantizeLinear`` stand around each layer, from which a runtime makes integer arithmetic:
inputs with one scale and zero point for a tensor, unsigned; weights with one scale for each output channel, symmetric
(Jacob et al. 2018, arXiv:1712.05877; Krishnamoorthi 2018, arXiv:1806.08342).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

Array = NDArray[Any]

KINDS = ("Conv", "MatMul")
TINY = 1e-12
_INPUT = "input"
# Weights stay within 7 bits and a sign, so that a product of many of them fits into what CPUs add up in.
_MOST = 127


@dataclass(frozen=True)
class Layer:
    """A convolution or a matrix product with stored weights.

    Attributes:
        source: edge of its input.
        weight: its weights: ``[outputs, inputs, ...]``, or of a product ``[inputs, outputs]``.
        bias: what is added to its output; empty if nothing is.
        result: edge behind that.
        product: whether it is a matrix product.
    """

    source: str
    weight: str
    bias: str
    result: str
    product: bool

    def channels(self, numbers: Mapping[str, Array]) -> int:
        """Of its output."""
        return int(numbers[self.weight].shape[-1 if self.product else 0])


class Range(NamedTuple):
    """The least and the largest value of an edge."""

    low: float
    high: float


def without_batch_norms(nodes: Iterable[NodeProto], numbers: dict[str, Array]) -> list[NodeProto]:
    """Batch normalisations go into the convolutions before them: what is rounded is then what is multiplied."""
    left: dict[str, NodeProto] = {}
    for node in nodes:
        before = left.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if before is None or before.op_type != "Conv":
            left[node.output[0]] = node
            continue
        scale, shift, mean, variance = (numbers[name] for name in node.input[1:5])
        eps = next(one.f for one in node.attribute if one.name == "epsilon")
        factor = scale / np.sqrt(variance + eps)
        name, *bias = before.input[1:]
        weight = numbers[name]
        numbers[f"{name} folded"] = (weight * factor.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
        added = numbers[bias[0]] if bias else 0.0
        numbers[f"{name} bias"] = ((added - mean) * factor + shift).astype(np.float32)
        folded = helper.make_node("Conv", [before.input[0], f"{name} folded", f"{name} bias"], [node.output[0]])
        folded.attribute.extend(before.attribute)
        del left[before.output[0]]
        left[node.output[0]] = folded
    return list(left.values())


def find_layers(nodes: Sequence[NodeProto], numbers: Mapping[str, Array]) -> list[Layer]:
    """All that may be in 8 bits: not what sees the input, nor convolutions of single channels, which hardly gain."""
    added = {
        node.input[0]: node
        for node in nodes
        if node.op_type == "Add" and node.input[1] in numbers and numbers[node.input[1]].ndim == 1
    }
    layers = []
    for node in nodes:
        if node.op_type not in KINDS or node.input[1] not in numbers or node.input[0] == _INPUT:
            continue
        if any(one.name == "group" and one.i > 1 for one in node.attribute):
            continue
        product = node.op_type == "MatMul"
        after = added.get(node.output[0]) if product else None
        bias = after.input[1] if after else "".join(node.input[2:])
        result = after.output[0] if after else node.output[0]
        layers.append(Layer(node.input[0], node.input[1], bias, result, product))
    return layers


def in_8_bits(node: NodeProto, layer: Layer, output: str, values: Range, numbers: dict[str, Array]) -> list[NodeProto]:
    """The layer on its rounded input and weights, with the nodes that round them; what they need joins the numbers.

    Args:
        node: of the layer.
        layer: which one that is.
        output: edge that it ends in.
        values: range of its input, which is rounded once, for all layers that share it.
        numbers: all there are, by name.
    """
    inputs = [f"{layer.source} restored", f"{layer.weight} restored", *node.input[2:]]
    new = helper.make_node(node.op_type, inputs, [output])
    new.attribute.extend(node.attribute)
    shared = [] if f"{layer.source} scale" in numbers else _rounded_edge(layer.source, values, numbers)
    return [*shared, _rounded_weight(layer, numbers), new]


def _rounded_edge(edge: str, values: Range, numbers: dict[str, Array]) -> list[NodeProto]:
    low, high = min(values.low, 0.0), max(values.high, 0.0)
    scale = max((high - low) / 255, TINY)
    numbers[f"{edge} scale"] = np.array(scale, np.float32)
    numbers[f"{edge} zero"] = np.array(round(-low / scale), np.uint8)
    said = [f"{edge} scale", f"{edge} zero"]
    return [
        helper.make_node("QuantizeLinear", [edge, *said], [f"{edge} rounded"]),
        helper.make_node("DequantizeLinear", [f"{edge} rounded", *said], [f"{edge} restored"]),
    ]


def _rounded_weight(layer: Layer, numbers: dict[str, Array]) -> NodeProto:
    weight = numbers[layer.weight]
    channel = weight.ndim - 1 if layer.product else 0
    others = tuple(axis for axis in range(weight.ndim) if axis != channel)
    scale = np.maximum(np.abs(weight).max(axis=others, keepdims=True), TINY) / _MOST
    numbers[f"{layer.weight} rounded"] = np.round(weight / scale).astype(np.int8)
    numbers[f"{layer.weight} scale"] = scale.reshape(-1).astype(np.float32)
    numbers[f"{layer.weight} zero"] = np.zeros(scale.size, np.int8)
    said = [f"{layer.weight} {part}" for part in ("rounded", "scale", "zero")]
    return helper.make_node("DequantizeLinear", said, [f"{layer.weight} restored"], axis=channel)
