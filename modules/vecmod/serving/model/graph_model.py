"""The one model for every family whose recipe is pure data."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL.Image import Image

from vecmod.contract.meta_api import EngineMeta, ModelMeta
from vecmod.serving.engine.engine import Engine, FloatArray
from vecmod.serving.model.recipe import Recipe, Tower
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

    def prepare(self, modality: str, medium: Image) -> FloatArray:
        """The network input of one decoded item."""
        return prepare_image(medium, self._recipe.towers[modality].steps)

    def embed(self, modality: str, items: Sequence[FloatArray]) -> FloatArray:
        """Vectors float32 ``[n, dim]``."""
        return self._engines[modality].run(np.stack(items))

    def blank(self, modality: str) -> FloatArray:
        """A black picture, prepared."""
        return np.zeros(self._recipe.towers[modality].network.input_shape, np.float32)

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
