"""int8 of the built-in image model, with its real weights: how near its vectors are, and whether the same are found."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crops import crops
from recipes import image_steps
from vecmod.serving.calibration import calibration_samples
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.model.builtin import efficientnet_lite0
from vecmod.serving.model.weights import WeightsPlace

PICTURES = 512


def nearest(vectors: FloatArray, among: FloatArray) -> list[set[int]]:
    """The ten nearest of each, itself left out."""
    near = vectors @ among.T
    np.fill_diagonal(near, -1)
    return [set(row) for row in np.argsort(-near, axis=1)[:, :10].tolist()]


@pytest.fixture(scope="module")
def vectors(cache: Path) -> tuple[FloatArray, FloatArray]:
    """Of fp32 and of int8, length 1, of crops that were not calibrated with."""
    recipe = efficientnet_lite0(WeightsPlace(None, cache, offline=True))
    steps, network = image_steps(recipe), recipe.towers["image"].network
    pictures = [Image.open(BytesIO(file)).convert("RGB") for _, file in crops(PICTURES)]
    inputs = np.stack([steps.prepare(picture).content for picture in pictures])
    found = []
    for precision in ("fp32", "int8"):
        choice = EngineChoice("openvino", "cpu", 2, cache, precision=precision)
        engine = load_engine(network, choice, calibration_samples(steps, None))
        assert engine.engine.precision == precision
        rows = np.concatenate([engine.run(inputs[start : start + 16]) for start in range(0, PICTURES, 16)])
        found.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return found[0], found[1]


def test_vectors_are_near(vectors: tuple[FloatArray, FloatArray]) -> None:
    exact, rounded = vectors
    cosines = (exact * rounded).sum(axis=1)
    print(f"int8, {PICTURES} crops: cosine {cosines.mean():.5f}, the least {cosines.min():.4f}")
    assert 0.999 < cosines.mean() < 1
    assert cosines.min() > 0.99


def test_the_same_pictures_are_found(vectors: tuple[FloatArray, FloatArray]) -> None:
    exact, rounded = vectors
    true = nearest(exact, exact)
    both = [
        np.mean([len(one & other) for one, other in zip(true, nearest(rounded, among), strict=True)]) / 10
        for among in vectors
    ]
    print(f"int8, {PICTURES} crops: recall@10 in a collection of fp32 {both[0]:.4f}, of int8 {both[1]:.4f}")
    assert min(both) >= 0.98
