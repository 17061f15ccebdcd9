"""Bytes to an RGB picture; one of two doors to Pillow.

What is done to pictures equals the official container wherever that one gives a meaningful vector:

========================  ===================================================================================
alpha, transparency       dropped, not blended
palette, grey, CMYK       expanded to RGB
16-bit grey               the high byte is taken (the official container clips nearly all of it to white)
32-bit and float grey     clipped to 0..255
animation, multi-page     first frame
EXIF orientation          ignored, except in TIFF files, where Pillow applies it
ICC profile               ignored
========================  ===================================================================================
"""

import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from vecmod.contract.errors import TooLarge, Undecodable

# Formats whose decoders run inside Pillow; it could also start Ghostscript (EPS) or Windows' own code (WMF).
_SAFE_FORMATS = "AVIF BMP DIB GIF ICO JPEG JPEG2000 PCX PNG PPM QOI SGI TGA TIFF WEBP".split()
# What Pillow's decoders raise on damaged bytes, found by reading and by feeding them damage.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
# Pictures above this are decoded one at a time, so that a few of them at once do not add up: 24 MP are 96 MB.
_LARGE_PIXELS = 24_000_000


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may be.

    Attributes:
        max_pixels: width times height.
        max_aspect: longer side divided by shorter side.
    """

    max_pixels: int
    max_aspect: int


class ImageReader:
    """Opens pictures within limits; safe to call from many threads."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._large = threading.Lock()
        # Pillow's own guard is process-wide. Ours refuses everything above `max_pixels` before a pixel is read;
        # this keeps Pillow's from refusing, or warning of, less than that.
        Image.MAX_IMAGE_PIXELS = limits.max_pixels
        Image.init()
        self._formats = [name for name in _SAFE_FORMATS if name in Image.OPEN]

    @contextmanager
    def open_rgb(self, data: bytes) -> Iterator[Image.Image]:
        """The first frame in mode RGB; its memory is freed at the end of the ``with`` block.

        Raises:
            TooLarge: if it has too many pixels.
            Undecodable: if it is no picture, is damaged, or has an extreme shape.
        """
        with ExitStack() as held:
            try:
                image = Image.open(BytesIO(data), formats=self._formats)
                self._check(image)
                if image.width * image.height > _LARGE_PIXELS:
                    held.enter_context(self._large)
                rgb = _to_rgb(image)
                held.callback(rgb.close)
            except UnidentifiedImageError as error:
                raise Undecodable(f"is not a picture; formats read here: {', '.join(self._formats)}") from error
            except Image.DecompressionBombError as error:
                raise self._too_large() from error
            except _DAMAGE as error:
                raise Undecodable(f"is damaged: {error}; send the file again, whole") from error
            yield rgb

    def _check(self, image: Image.Image) -> None:
        width, height = image.size
        if width * height > self._limits.max_pixels:
            raise self._too_large()
        if max(width, height) > self._limits.max_aspect * min(width, height):
            raise Undecodable(
                f"is {width}x{height} pixels, more than {self._limits.max_aspect} times as long as wide; crop it "
                "or raise VECMOD_MAX_ASPECT"
            )

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"has more than {self._limits.max_pixels} pixels; send a smaller copy or raise VECMOD_MAX_PIXELS"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """The pixels in mode RGB; a picture of another mode is freed."""
    if image.mode == "RGB":
        image.load()
        return image
    image.info.pop("transparency", None)  # it is dropped anyway; Pillow would warn that it cannot be kept
    grey16 = image.mode.startswith("I;16")
    rgb = (_high_byte(image) if grey16 else image).convert("RGB")
    image.close()
    return rgb


def _high_byte(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
