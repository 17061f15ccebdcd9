"""ResNet50 against the official container's own vectors, end to end over HTTP, through every engine."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import running
import seeded_resnet50
from img2vec_neural.resnet50 import resnet50
from pictures import GOLDEN, b64
from recipes import image_steps, prepared
from vecmod.serving.model.weights import WeightsPlace

# Largest difference, as a share of the golden vector's largest component; another torch version alone gives 2e-6.
BOUND = 2e-5
VECTORS = np.load(GOLDEN / "vectors.npz")
INPUTS = np.load(GOLDEN / "preprocessed.npz")


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def engine_service(request: pytest.FixtureRequest, cache: Path, seeded_weights: Path) -> Iterator[running.Caller]:
    server = running.img2vec(
        cache, MODEL_NAME="resnet50", VECMOD_MODEL_PATH=seeded_weights, VECMOD_ENGINE=request.param
    )
    with running.in_thread(server) as caller:
        yield caller


def test_recipe_gives_the_published_values() -> None:
    """First values of three tensors, as the recipe's own table has them."""
    first = {
        name: seeded_resnet50.tensor(name, shape).ravel()[0]
        for name, shape in seeded_resnet50.shapes()
        if name in ("conv1.weight", "bn1.bias", "layer1.0.bn3.weight")
    }
    assert first == {
        "conv1.weight": np.float32(0.05811039358377457),
        "bn1.bias": np.float32(-0.10667763650417328),
        "layer1.0.bn3.weight": np.float32(0.7611406445503235),
    }


@pytest.mark.parametrize("name", VECTORS.files)
def test_preprocessing_is_exact(name: str, seeded_weights: Path, cache: Path) -> None:
    steps = image_steps(resnet50(WeightsPlace(seeded_weights, cache, offline=True)))
    pixels = prepared(b64((GOLDEN / "images" / name).read_bytes()), steps)
    np.testing.assert_array_equal(pixels, INPUTS[name])


@pytest.mark.parametrize("name", VECTORS.files)
def test_vectors_are_the_official_ones(name: str, engine_service: running.Caller) -> None:
    golden = VECTORS[name]
    vector = np.array(engine_service.vector(b64((GOLDEN / "images" / name).read_bytes())), np.float32)
    assert vector.shape == (2048,)
    assert np.abs(vector - golden).max() <= BOUND * np.abs(golden).max()
    assert 1 - vector @ golden / np.linalg.norm(vector) / np.linalg.norm(golden) <= 1e-5
