"""Pictures, depth and thermal pictures as ImageBind's container prepares them, exactly."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bind_golden import arrays, raw
from multi2vec_bind.imagebind_recipe import GREY_PICTURE, PICTURE
from pictures import encoded, gradient
from vecmod.serving.media.image import ImageReader
from vecmod.serving.media.limits import ImageLimits
from vecmod.serving.model.transforms import prepare_image

READER = ImageReader(ImageLimits(max_pixels=178_956_970, max_aspect=200), saturate=True)
VISION = arrays("vision")
GREY = arrays("gray")


@pytest.mark.parametrize("name", VISION)
def test_colour(name: str) -> None:
    with READER.open(raw("images", name)).rgb() as image:
        np.testing.assert_array_equal(prepare_image(image, PICTURE), VISION[name])


@pytest.mark.parametrize("name", GREY)
def test_grey(name: str) -> None:
    with READER.open(raw("images", name)).grey() as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(prepare_image(image, GREY_PICTURE), GREY[name])


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_saturates(kind: str) -> None:
    deep = (np.arange(64 * 48).reshape(48, 64) * 21).astype(np.uint16)
    with READER.open(encoded(Image.fromarray(deep), kind)).grey() as image:
        np.testing.assert_array_equal(np.asarray(image), np.minimum(deep, 255))


def test_grey_is_pillows_luma_of_every_mode() -> None:
    for mode in ("RGB", "RGBA", "CMYK", "P", "1", "LA"):
        data = encoded(gradient(64, 48).convert(mode), "TIFF" if mode == "CMYK" else "PNG")
        with Image.open(BytesIO(data)) as image, READER.open(data).grey() as grey:
            np.testing.assert_array_equal(np.asarray(grey), np.asarray(image.convert("L")), err_msg=mode)
