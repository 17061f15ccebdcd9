"""A model without weights, for tests of everything around a model: a picture's mean colour is its vector."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL.Image import Image

from vecmod.contract.meta_api import EngineMeta, ModelMeta
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.medium import Kind, Medium
from vecmod.serving.model.steps import Prepared


class DummyModel:
    """Args:
    seconds: how long one run takes, whatever its size.
    before_run: called with each batch.
    """

    def __init__(
        self, seconds: float = 0.0, before_run: Callable[[Sequence[FloatArray]], None] = lambda _: None
    ) -> None:
        self.dimensions: Mapping[str, int] = {"image": 3}
        self.kinds: Mapping[str, Kind] = {"image": Kind.COLOUR}
        self.batch_sizes: Mapping[str, int] = {"image": 8}
        self.streams: Mapping[str, int] = {"image": 1}
        self.advice: Mapping[str, str] = {}
        self.sizes: list[int] = []
        self.entered = threading.Event()
        self.release = threading.Event()
        self.release.set()
        self._seconds = seconds
        self._before_run = before_run

    def prepare(self, modality: str, medium: Medium) -> Prepared:
        assert modality == "image"
        assert isinstance(medium, Image)
        return Prepared(np.asarray(medium, np.float32).mean(axis=(0, 1)))

    def embed(self, modality: str, items: Sequence[Inputs]) -> FloatArray:
        assert modality == "image"
        self.entered.set()
        self.release.wait(30)
        self._before_run(items)
        time.sleep(self._seconds)
        self.sizes.append(len(items))
        return np.stack(items)

    def blank(self, modality: str) -> FloatArray:
        assert modality == "image"
        return np.zeros(3, np.float32)

    def meta(self) -> ModelMeta:
        engine = EngineMeta(name="none", device="cpu", precision="fp32", threads=1, max_batch=self.batch_sizes["image"])
        return ModelMeta(
            family="dummy",
            revision="1",
            licence="none",
            modalities=["image"],
            dimensions={"image": 3},
            normalized=False,
            preprocessing="mean colour",
            engine=engine,
        )

    def close(self) -> None:
        self.release.set()
