"""Networks as plain functions over a small set of operations, so that each is written once.

A family describes its network with these operations; an engine decides what they mean: the ONNX engine
records them as a graph, the torch engine runs them. Weights are named by their key in the published state
dict, so the official files load as they are, and no engine needs another engine's library.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Tensor = TypeVar("Tensor")
Weights = Mapping[str, NDArray[np.float32]]
Shape = tuple[int | str, ...]
# By this key a graph file that we wrote says in its metadata which network it holds.
NAME_KEY = "vecmod.network"


class Gelu(StrEnum):
    """The variants of the Gaussian error linear unit (Hendrycks & Gimpel 2016, arXiv:1606.08415)."""

    EXACT = "gelu"
    TANH = "gelu_pytorch_tanh"
    QUICK = "quick_gelu"

    @classmethod
    def _missing_(cls, value: object) -> "Gelu | None":
        """Other names that transformers has for the same."""
        return {"gelu_new": cls.TANH, "gelu_fast": cls.TANH, "gelu_python": cls.EXACT}.get(str(value))


class Ops(Protocol[Tensor]):
    """The operations a network may use.

    Images are ``[n, channels, height, width]``, token ids ``[n, length]``, tokens ``[n, length, channels]``, where
    ``length`` may differ from batch to batch. A mask is true for the tokens that count: ``[n, length]``.
    """

    def conv(
        self,
        x: Tensor,
        name: str,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        *,
        depthwise: bool = False,
        bias: bool = False,
    ) -> Tensor:
        """2-D convolution with weight ``{name}.weight``, and ``{name}.bias`` where ``bias`` asks for it.

        ``padding`` is (before, after) on both axes.
        """
        ...

    def batch_norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        """Batch normalisation with stored statistics."""
        ...

    def relu(self, x: Tensor, ceiling: float | None = None) -> Tensor:
        """``max(x, 0)``, and ``min(..., ceiling)`` where one is given."""
        ...

    def max_pool(self, x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
        """2-D maximum pooling; padding never wins."""
        ...

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Elementwise sum."""
        ...

    def multiply(self, x: Tensor, name: str) -> Tensor:
        """``x`` times the stored number ``name``."""
        ...

    def unit(self, x: Tensor) -> Tensor:
        """Scaled to length 1 along the last axis; shorter than 1e-12 counts as that long."""
        ...

    def global_average_pool(self, x: Tensor) -> Tensor:
        """Mean over height and width: ``[n, channels]``."""
        ...

    def linear(self, x: Tensor, name: str, *, bias: bool = True) -> Tensor:
        """``x @ {name}.weight.T + {name}.bias`` over the last axis."""
        ...

    def layer_norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        """Layer normalisation over the last axis."""
        ...

    def gelu(self, x: Tensor, kind: Gelu) -> Tensor:
        """The activation of most transformers."""
        ...

    def softmax(self, x: Tensor) -> Tensor:
        """Softmax over the last axis."""
        ...

    def embed(self, ids: Tensor, name: str) -> Tensor:
        """Rows of ``{name}.weight``: ids to tokens."""
        ...

    def add_rows(self, x: Tensor, name: str, start: int = 0) -> Tensor:
        """Tokens plus rows ``start``, ``start + 1``, ... of ``{name}.weight``: learned positions."""
        ...

    def patches(self, x: Tensor) -> Tensor:
        """Places of a feature map, row by row, as tokens."""
        ...

    def prepend(self, x: Tensor, name: str) -> Tensor:
        """The learned token ``name``, then the tokens."""
        ...

    def learned_token(self, x: Tensor, name: str) -> Tensor:
        """The learned token ``name`` alone, once for each item of ``x``: ``[n, 1, channels]``."""
        ...

    def attention(
        self, query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        """Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762), to masked tokens only."""
        ...

    def counting(self, ids: Tensor, pad_id: int) -> Tensor:
        """The mask of ids up to the last that is no padding, whose own id may also stand inside a text."""
        ...

    def first_token(self, x: Tensor) -> Tensor:
        """The first token: ``[n, channels]``."""
        ...

    def last_token(self, x: Tensor) -> Tensor:
        """The last token, whatever it is: ``[n, channels]``."""
        ...

    def token_at(self, x: Tensor, ids: Tensor, value: int | None) -> Tensor:
        """The token at the first id equal to ``value``, or at the first of the largest ids: ``[n, channels]``."""
        ...

    def mean_token(self, x: Tensor, mask: Tensor) -> Tensor:
        """Mean of the tokens that count: ``[n, channels]``."""
        ...

    def top_rows(self, x: Tensor, name: str, count: int) -> Tensor:
        """The rows of ``{name}.weight`` that ``x`` weighs most, ``count`` of them, summed with these weights."""
        ...


class Network(Protocol):
    """A network: the same function for every kind of tensor."""

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        """The output of the network for the input ``x``."""
        ...


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with its weights.

    Attributes:
        name: stable name of the network, e.g. ``resnet50``; part of the cache key of converted graphs.
        network: the function.
        input_shape: shape of one input without the batch axis; a name stands for a length that is free.
        dim: length of one output vector.
        digest: of the weights and of whatever else shapes the network, hexadecimal.
        load: reads the weights.
        input_type: of the input: pixels or token ids.
    """

    name: str
    network: Network
    input_shape: Shape
    dim: int
    digest: str
    load: Callable[[], Weights]
    input_type: Literal["float32", "int64"] = "float32"


@dataclass(frozen=True)
class ConvertedGraph:
    """A network that ``vecmod convert`` wrote to an ONNX file earlier; ``name`` is what the file must say it is."""

    name: str
    path: Path
    input_shape: Shape
    dim: int


@dataclass(frozen=True)
class ExportedGraph:
    """A network that another program wrote to an ONNX file.

    Attributes:
        path: the file.
        input_shape: shape of one input without the batch axis; a name stands for a length that is free.
        dim: length of one output vector.
        inputs: what pixels or ids may be called; the first of these names that the file has is taken.
        outputs: what vectors may be called, in the same way.
        pad_id: fills texts, if the file wants them longer than they are.
    """

    path: Path
    input_shape: Shape
    dim: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    pad_id: int = 0


AnyNetwork = TrainedNetwork | ConvertedGraph | ExportedGraph
