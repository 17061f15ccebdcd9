"""What the pipeline asks of a model."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from vecmod.contract.meta_api import ModelMeta
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.medium import Kind, Medium
from vecmod.serving.model.steps import Prepared


class Model(Protocol):
    """A loaded model; both ``prepare`` and ``embed`` are called from many threads.

    Attributes:
        dimensions: numbers of a vector, by modality.
        kinds: which medium it wants, by modality.
        batch_sizes: items in one call of ``embed`` beyond which throughput no longer grows, by modality.
        streams: calls of ``embed`` that may run at once, by modality; more would only wait for each other.
        advice: for modalities that it does not embed: what to do about it.
    """

    dimensions: Mapping[str, int]
    kinds: Mapping[str, Kind]
    batch_sizes: Mapping[str, int]
    streams: Mapping[str, int]
    advice: Mapping[str, str]

    def prepare(self, modality: str, medium: Medium) -> Prepared:
        """The network input of one decoded item."""
        ...

    def embed(self, modality: str, items: Sequence[Inputs]) -> FloatArray:
        """Vectors float32 ``[n, dim]`` of prepared items."""
        ...

    def blank(self, modality: str) -> Inputs:
        """A prepared item without content, for the warm-up."""
        ...

    def meta(self) -> ModelMeta:
        """What ``/meta`` says about it."""
        ...

    def close(self) -> None:
        """Free the engines."""
        ...
