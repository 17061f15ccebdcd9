"""Operations recorded as nodes of an ONNX graph; one of two doors to the ``onnx`` package."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from vecmod.serving.engine.network import Gelu, Weights

# Added to attention scores of tokens that do not count: the lowest number, so that softmax makes it zero.
_NEVER = float(np.finfo(np.float32).min)


class GraphOps:
    """Records operations; a tensor is the name of a graph edge."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, NDArray[Any]] = {}
        self._weights = weights

    def conv(
        self,
        x: str,
        name: str,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        *,
        depthwise: bool = False,
        bias: bool = False,
    ) -> str:
        """Record a convolution."""
        before, after = padding
        parts = ("weight", "bias") if bias else ("weight",)
        return self._record(
            "Conv",
            [x, *(self._weight(f"{name}.{part}") for part in parts)],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=self._weights[f"{name}.weight"].shape[0] if depthwise else 1,
        )

    def batch_norm(self, x: str, name: str, eps: float) -> str:
        """Record a batch normalisation; onnxruntime folds it into the convolution before it."""
        statistics = [self._weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        return self._record("BatchNormalization", [x, *statistics], epsilon=eps)

    def relu(self, x: str, ceiling: float | None = None) -> str:
        """Record a rectifier."""
        if ceiling is None:
            return self._record("Relu", [x])
        return self._record("Clip", [x, self._constant(0.0), self._constant(ceiling)])

    def max_pool(self, x: str, kernel: int, stride: int, padding: int) -> str:
        """Record a maximum pooling."""
        return self._record("MaxPool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)

    def add(self, a: str, b: str) -> str:
        """Record a sum."""
        return self._record("Add", [a, b])

    def multiply(self, x: str, name: str) -> str:
        """Record a product."""
        return self._record("Mul", [x, self._weight(name)])

    def unit(self, x: str) -> str:
        """Record the scaling to length 1."""
        length = self._record("ReduceL2", [x], axes=[-1], keepdims=1)
        return self._record("Div", [x, self._record("Max", [length, self._constant(1e-12)])])

    def global_average_pool(self, x: str) -> str:
        """Record the mean over height and width."""
        return self._record("Flatten", [self._record("GlobalAveragePool", [x])], axis=1)

    def linear(self, x: str, name: str, *, bias: bool = True) -> str:
        """Record a linear layer."""
        product = self._record("MatMul", [x, self._transposed(f"{name}.weight")])
        return self._record("Add", [product, self._weight(f"{name}.bias")]) if bias else product

    def layer_norm(self, x: str, name: str, eps: float) -> str:
        """Record a layer normalisation."""
        parts = [self._weight(f"{name}.{part}") for part in ("weight", "bias")]
        return self._record("LayerNormalization", [x, *parts], axis=-1, epsilon=eps)

    def gelu(self, x: str, kind: Gelu) -> str:
        """Record the activation, in the forms that onnxruntime knows and fuses."""
        if kind is Gelu.QUICK:
            return self._record("Mul", [x, self._record("Sigmoid", [self._scaled(x, 1.702)])])
        if kind is Gelu.TANH:
            cube = self._record("Pow", [x, self._constant(3.0)])
            inner = self._record("Add", [x, self._scaled(cube, 0.044715)])
            bent = self._record("Tanh", [self._scaled(inner, math.sqrt(2 / math.pi))])
        else:
            bent = self._record("Erf", [self._record("Div", [x, self._constant(math.sqrt(2))])])
        return self._scaled(self._record("Mul", [x, self._record("Add", [bent, self._constant(1.0)])]), 0.5)

    def softmax(self, x: str) -> str:
        """Record a softmax."""
        return self._record("Softmax", [x], axis=-1)

    def embed(self, ids: str, name: str) -> str:
        """Record a look-up."""
        return self._record("Gather", [self._weight(f"{name}.weight"), ids])

    def add_rows(self, x: str, name: str, start: int = 0) -> str:
        """Record the addition of positions."""
        end = self._record("Add", [self._length(x, 1), self._integers(start)])
        rows = self._record("Slice", [self._weight(f"{name}.weight"), self._integers(start), end, self._integers(0)])
        return self._record("Add", [x, rows])

    def patches(self, x: str) -> str:
        """Record places as tokens."""
        return self._record("Transpose", [self._record("Reshape", [x, self._integers(0, 0, -1)])], perm=[0, 2, 1])

    def prepend(self, x: str, name: str) -> str:
        """Record a learned token before the others."""
        return self._record("Concat", [self.learned_token(x, name), x], axis=1)

    def learned_token(self, x: str, name: str) -> str:
        """Record a learned token for each item."""
        shape = self._record("Concat", [self._length(x, 0), self._integers(1, 1)], axis=0)
        return self._record("Expand", [self._weight(name), shape])

    def attention(
        self, query: str, key: str, value: str, heads: int, mask: str | None = None, *, causal: bool = False
    ) -> str:
        """Record the attention."""
        query, value = (self._heads(part, heads, [0, 2, 1, 3]) for part in (query, value))
        key = self._heads(key, heads, [0, 2, 3, 1])
        channels = self._record("Cast", [self._length(query, 3)], to=TensorProto.FLOAT)
        scores = self._record("Div", [self._record("MatMul", [query, key]), self._record("Sqrt", [channels])])
        if causal:
            square = self._record("Concat", [self._length(scores, 2), self._length(scores, 3)], axis=0)
            low = self._record("Expand", [self._constant(_NEVER), square])
            scores = self._record("Add", [scores, self._record("Trilu", [low, self._scalar(1)], upper=1)])
        if mask is not None:
            wide = self._record("Unsqueeze", [mask, self._integers(1, 2)])
            penalty = self._record("Where", [wide, self._constant(0.0), self._constant(_NEVER)])
            scores = self._record("Add", [scores, penalty])
        mixed = self._record("Transpose", [self._record("MatMul", [self.softmax(scores), value])], perm=[0, 2, 1, 3])
        return self._record("Reshape", [mixed, self._integers(0, 0, -1)])

    def counting(self, ids: str, pad_id: int) -> str:
        """Record the mask: where something other than padding stands here or behind."""
        other = self._record("Not", [self._record("Equal", [ids, self._scalar(pad_id)])])
        counted = self._record("Cast", [other], to=TensorProto.INT64)
        behind = self._record("CumSum", [counted, self._scalar(1)], reverse=1)
        return self._record("Greater", [behind, self._scalar(0)])

    def first_token(self, x: str) -> str:
        """Record the choice of the first token."""
        return self._record("Gather", [x, self._scalar(0)], axis=1)

    def last_token(self, x: str) -> str:
        """Record the choice of the last token."""
        return self._record("Gather", [x, self._scalar(-1)], axis=1)

    def token_at(self, x: str, ids: str, value: int | None) -> str:
        """Record the choice of the token at an id."""
        if value is not None:
            equal = self._record("Equal", [ids, self._scalar(value)])
            ids = self._record("Cast", [equal], to=TensorProto.INT32)
        places = self._record("ArgMax", [ids], axis=1, keepdims=1)
        return self._record("GatherND", [x, places], batch_dims=1)

    def mean_token(self, x: str, mask: str) -> str:
        """Record the mean of the tokens that count."""
        weights = self._record("Unsqueeze", [self._record("Cast", [mask], to=TensorProto.FLOAT), self._integers(2)])
        total = self._record("ReduceSum", [self._record("Mul", [x, weights]), self._integers(1)], keepdims=0)
        count = self._record("ReduceSum", [weights, self._integers(1)], keepdims=0)
        return self._record("Div", [total, count])

    def top_rows(self, x: str, name: str, count: int) -> str:
        """Record the sum of the rows that weigh most."""
        values = self._record("TopK", [x, self._integers(count)], outputs=2, axis=-1)
        rows = self._record("Gather", [self._weight(f"{name}.weight"), f"{values}_1"])
        weighted = self._record("Mul", [rows, self._record("Unsqueeze", [values, self._integers(2)])])
        return self._record("ReduceSum", [weighted, self._integers(1)], keepdims=0)

    def _heads(self, x: str, heads: int, order: list[int]) -> str:
        return self._record("Transpose", [self._record("Reshape", [x, self._integers(0, 0, heads, -1)])], perm=order)

    def _length(self, x: str, axis: int) -> str:
        """The length of an axis, as a list of one integer."""
        return self._record("Shape", [x], start=axis, end=axis + 1)

    def _scaled(self, x: str, factor: float) -> str:
        return self._record("Mul", [x, self._constant(factor)])

    def _record(self, kind: str, inputs: list[str], outputs: int = 1, **attributes: float | list[int]) -> str:
        """Record a node; the name of its first output, of which further ones end in ``_1`` and so on."""
        edge = f"{kind}_{len(self.nodes)}"
        further = [f"{edge}_{number}" for number in range(1, outputs)]
        node = helper.make_node(kind, inputs, [edge, *further], name=edge)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return edge

    def _weight(self, key: str) -> str:
        return self._initial(key, np.asarray(self._weights[key], np.float32))

    def _transposed(self, key: str) -> str:
        return self._initial(f"{key}.T", np.asarray(self._weights[key], np.float32).T)

    def _constant(self, value: float) -> str:
        return self._initial(f"constant_{value}", np.array(value, np.float32))

    def _scalar(self, value: int) -> str:
        return self._initial(f"integer_{value}", np.array(value, np.int64))

    def _integers(self, *values: int) -> str:
        return self._initial(f"integers_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def _initial(self, key: str, value: NDArray[Any]) -> str:
        self.initializers.setdefault(key, value)
        return key
