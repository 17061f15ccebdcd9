"""What the pipeline asks of a model."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from vecmod.contract.meta_api import ModelMeta
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.model.recipe import Medium, Prepared


class Model(Protocol):
    """A loaded model; ``prepare`` is called from many threads, ``embed`` from one for each modality."""

    dimensions: Mapping[str, int]
    max_batch: int

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
