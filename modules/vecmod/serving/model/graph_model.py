"""The one model for every family whose recipe is pure data."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from PIL.Image import Image

from vecmod.contract.meta_api import EngineMeta, ModelMeta
from vecmod.serving.engine.engine import Engine, FloatArray, Inputs
from vecmod.serving.model.recipe import Medium, Prepared, Recipe, TextSteps, Tower
from vecmod.serving.model.text_batch import pad_together, prepare_text
from vecmod.serving.model.transforms import prepare_image


class GraphModel:
    """A recipe whose towers are loaded into engines.

    Args:
        recipe: the model.
        load: turns a tower into an engine.
        max_batch: inputs in one run; None takes the recipe's best.
    """

    def __init__(self, recipe: Recipe, load: Callable[[Tower], Engine], max_batch: int | None) -> None:
        self._recipe = recipe
        self._engines = {modality: load(tower) for modality, tower in recipe.towers.items()}
        self.dimensions: Mapping[str, int] = {modality: tower.network.dim for modality, tower in recipe.towers.items()}
        self.max_batch = max_batch or recipe.best_batch

    def prepare(self, modality: str, medium: Medium) -> Prepared:
        """The network input of one decoded item."""
        steps = self._recipe.towers[modality].steps
        if isinstance(steps, TextSteps):
            return prepare_text(cast("str", medium), steps)
        return Prepared(prepare_image(cast("Image", medium), steps))

    def embed(self, modality: str, items: Sequence[Inputs]) -> FloatArray:
        """Vectors float32 ``[n, dim]``."""
        steps = self._recipe.towers[modality].steps
        batch = pad_together(items, steps) if isinstance(steps, TextSteps) else np.stack(items)
        vectors = self._engines[modality].run(batch)
        return _unit(vectors) if self._recipe.normalized else vectors

    def blank(self, modality: str) -> Inputs:
        """No light, or a text that fills the context, prepared."""
        steps = self._recipe.towers[modality].steps
        if isinstance(steps, TextSteps):
            return prepare_text("a " * steps.context, steps).content
        return np.zeros((3, steps.size, steps.size), np.float32)

    def meta(self) -> ModelMeta:
        """The truth about model and engine."""
        engine = next(iter(self._engines.values()))
        return ModelMeta(
            family=self._recipe.name,
            revision=self._recipe.revision,
            licence=self._recipe.licence,
            modalities=list(self._engines),
            dimensions=dict(self.dimensions),
            normalized=self._recipe.normalized,
            preprocessing="; ".join(f"{name}: {tower.steps.describe()}" for name, tower in self._recipe.towers.items()),
            engine=EngineMeta(
                name=engine.name,
                device=engine.device,
                precision=engine.precision,
                threads=engine.threads,
                max_batch=self.max_batch,
            ),
        )

    def close(self) -> None:
        """Free the engines."""
        for engine in self._engines.values():
            engine.close()


def _unit(vectors: FloatArray) -> FloatArray:
    """Scaled to length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
