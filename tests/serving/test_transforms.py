"""Resizing that does not depend on the Pillow version."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pictures import gradient
from vecmod.serving.model.transforms import Channels, Filter, ImageSteps, prepare_image

SQUASH = ImageSteps(32, Filter.BILINEAR, None, 255.0, Channels(0.5, 0.25, 0.0), Channels(0.5, 1.0, 2.0))


def test_arithmetic_is_float32_in_the_authors_order() -> None:
    image = gradient(32, 32)
    scaled = np.asarray(image, np.float32) / np.float32(255)
    expected = (scaled - np.array(SQUASH.mean, np.float32)) / np.array(SQUASH.std, np.float32)
    prepared = prepare_image(image, SQUASH)
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared, expected.transpose(2, 0, 1))


def test_width_is_resized_before_height() -> None:
    """A tall picture: Pillow 13 alone would go the other way round, and differ by a level here and there."""
    image = Image.effect_noise((150, 700), 80).convert("RGB")
    narrow = image.resize((32, 700), Image.Resampling.BILINEAR)
    expected = np.asarray(narrow.resize((32, 32), Image.Resampling.BILINEAR))
    prepared = prepare_image(image, SQUASH)
    np.testing.assert_array_equal(prepared[2], expected[:, :, 2] / np.float32(255) / np.float32(2))


@pytest.mark.parametrize(("width", "down", "nearest"), [(33, 0, 0), (35, 1, 2), (37, 2, 2), (39, 3, 4)])
def test_where_the_square_is_cut_out(width: int, down: int, nearest: int) -> None:
    """torchvision's CenterCrop rounds halves to the even pixel; transformers rounds down."""
    image = gradient(width, 32)
    whole = ImageSteps(32, Filter.BICUBIC, None, 1.0, Channels(0, 0, 0), Channels(1, 1, 1), short_side=32)
    for steps, left in ((whole, down), (replace(whole, cut_to_nearest=True), nearest)):
        expected = np.asarray(image)[:, left : left + 32].transpose(2, 0, 1)
        np.testing.assert_array_equal(prepare_image(image, steps), expected)


def test_tiny_pictures_are_enlarged() -> None:
    assert prepare_image(Image.new("RGB", (1, 1), (255, 0, 0)), SQUASH).shape == (3, 32, 32)
    cropped = ImageSteps(32, Filter.BICUBIC, 0.875, 1.0, SQUASH.mean, SQUASH.std)
    assert prepare_image(gradient(3, 2), cropped).shape == (3, 32, 32)
