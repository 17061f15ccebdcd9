"""Networks as plain functions over a small set of operations, so that each is written once.

A family describes its network with these operations; an engine decides what they mean: the ONNX engine
records them as a graph, the torch engine runs them. Weights are named by their key in the published state
dict, so the official files load as they are, and no engine needs another engine's library.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Tensor = TypeVar("Tensor")
Weights = Mapping[str, NDArray[np.float32]]


class Ops(Protocol[Tensor]):
    """The operations a network may use. Images are ``[n, channels, height, width]``."""

    def conv(
        self,
        x: Tensor,
        name: str,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        *,
        depthwise: bool = False,
    ) -> Tensor:
        """2-D convolution with weight ``{name}.weight`` and no bias; ``padding`` is (before, after) on both axes."""
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

    def global_average_pool(self, x: Tensor) -> Tensor:
        """Mean over height and width: ``[n, channels]``."""
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
        input_shape: shape of one input without the batch axis.
        dim: length of one output vector.
        digest: SHA-256 of the weights file, hexadecimal.
        load: reads the weights.
    """

    name: str
    network: Network
    input_shape: tuple[int, ...]
    dim: int
    digest: str
    load: Callable[[], Weights]


@dataclass(frozen=True)
class ConvertedGraph:
    """A network that ``vecmod convert`` wrote to an ONNX file earlier; ``name`` is what the file must say it is."""

    name: str
    path: Path
    input_shape: tuple[int, ...]
    dim: int


AnyNetwork = TrainedNetwork | ConvertedGraph
