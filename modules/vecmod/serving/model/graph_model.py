"""The one model for every family whose recipe is pure data."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vecmod.contract.meta_api import EngineMeta, ModelMeta
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.engine.network import AnyNetwork
from vecmod.serving.engine.shared import SharedEngine
from vecmod.serving.medium import Kind, Medium
from vecmod.serving.model.clips import embed_clips
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.steps import Prepared


class GraphModel:
    """A recipe whose networks are loaded into engines.

    Args:
        recipe: the model.
        load: turns a network into an engine.
        max_batch: inputs in one run; None takes what was measured, else the recipe's best.
    """

    def __init__(self, recipe: Recipe, load: Callable[[AnyNetwork], SharedEngine], max_batch: int | None) -> None:
        self._recipe = recipe
        self._steps = {modality: tower.steps for modality, tower in recipe.towers.items()}
        networks = {modality: tower.network for modality, tower in recipe.towers.items()}
        engines = {network: load(network) for network in dict.fromkeys(networks.values())}
        self._engines = {modality: engines[network] for modality, network in networks.items()}
        self._most = {name: max_batch or engine.batch or recipe.best_batch for name, engine in self._engines.items()}
        self.dimensions: Mapping[str, int] = {modality: network.dim for modality, network in networks.items()}
        self.kinds: Mapping[str, Kind] = {modality: steps.kind for modality, steps in self._steps.items()}
        self.advice = recipe.advice
        self.batch_sizes: Mapping[str, int] = {
            modality: max(1, self._most[modality] // steps.clips) for modality, steps in self._steps.items()
        }
        self.streams: Mapping[str, int] = {
            modality: engine.engine.split.streams for modality, engine in self._engines.items()
        }

    def prepare(self, modality: str, medium: Medium) -> Prepared:
        """The network input of one decoded item."""
        return self._steps[modality].prepare(medium)

    def embed(self, modality: str, items: Sequence[Inputs]) -> FloatArray:
        """Vectors float32 ``[n, dim]``."""
        steps, engine = self._steps[modality], self._engines[modality]
        scale = _unit if self._recipe.normalized else _as_they_are

        def run(batch: Inputs) -> FloatArray:
            return scale(engine.run(batch))

        # Of several vectors that were scaled, the mean is shorter again.
        return scale(embed_clips(run, items, self._most[modality])) if steps.clips > 1 else run(steps.batch(items))

    def blank(self, modality: str) -> Inputs:
        """An item without content, prepared."""
        return self._steps[modality].blank()

    def meta(self) -> ModelMeta:
        """The truth about model and engine."""
        shared = next(iter(self._engines.values()))
        engine = shared.engine
        return ModelMeta(
            family=self._recipe.name,
            revision=self._recipe.revision,
            licence=self._recipe.licence,
            modalities=list(self._engines),
            dimensions=dict(self.dimensions),
            normalized=self._recipe.normalized,
            preprocessing="; ".join(f"{name}: {steps.describe()}" for name, steps in self._steps.items()),
            engine=EngineMeta(
                name=engine.name,
                device=engine.device,
                precision=self._precision(),
                threads=engine.split.threads,
                streams=engine.split.streams,
                max_batch=next(iter(self._most.values())),
                measured=shared.measured,
            ),
            official=dict(self._recipe.official_meta),
        )

    def _precision(self) -> str:
        """Of all engines, or which modality has which."""
        found = {name: shared.engine.precision for name, shared in self._engines.items()}
        if len(set(found.values())) == 1:
            return next(iter(found.values()))
        return ", ".join(f"{name} {precision}" for name, precision in found.items())

    def close(self) -> None:
        """Free the engines."""
        for engine in dict.fromkeys(self._engines.values()):
            engine.close()


def _unit(vectors: FloatArray) -> FloatArray:
    """Scaled to length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def _as_they_are(vectors: FloatArray) -> FloatArray:
    return vectors
