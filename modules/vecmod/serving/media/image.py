"""Bytes to an RGB or grey picture; one of two doors to Pillow.

What is done to pictures equals the official container wherever that one gives a meaningful vector:

========================  ===================================================================================
alpha, transparency       dropped, not blended
palette, grey, CMYK       expanded to RGB
16-bit grey               the high byte is taken (the official container clips nearly all of it to white), or
                          all above 255 becomes white, if the reader is told to saturate
32-bit and float grey     clipped to 0..255
animation, multi-page     first frame
EXIF orientation          ignored, except in TIFF files, where Pillow applies it
ICC profile               ignored
========================  ===================================================================================
"""

import struct
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TypeVar

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from vecmod.contract.errors import TooLarge, Undecodable
from vecmod.serving.media.excess import decoded_pixels, excess, weighs_more
from vecmod.serving.media.limits import ImageLimits

Result = TypeVar("Result")

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
# What Pillow keeps is 4 bytes per pixel: 96 MB for a picture that just is not large.
_LARGE_PIXELS = 24_000_000
# Texts of a PNG that are unpacked when it is opened: programs that make pictures store their settings there.
_PNG_TEXTS = 4 * 1024 * 1024


@dataclass(frozen=True)
class OpenPicture:
    """A picture within limits whose pixels are still encoded.

    Attributes:
        large: so large that a few at once would add up: whoever decodes it should decode no other large one.
    """

    large: bool
    _open: Callable[[], Image.Image]
    _saturate: bool = False

    def rgb(self) -> AbstractContextManager[Image.Image]:
        """The first frame in mode RGB, once; its memory is freed at the end of the ``with`` block.

        Raises:
            Undecodable: if it is damaged.
        """
        return self._decoded("RGB")

    def grey(self) -> AbstractContextManager[Image.Image]:
        """The same in mode L: luma of ITU-R 601, as Pillow computes it."""
        return self._decoded("L")

    @contextmanager
    def _decoded(self, mode: str) -> Iterator[Image.Image]:
        image = self._open()
        try:
            pixels = _guarded(partial(_to_mode, image, mode, saturate=self._saturate))
            try:
                yield pixels
            finally:
                pixels.close()
        finally:
            image.close()


class ImageReader:
    """Opens pictures within limits; safe to call from many threads.

    Args:
        limits: what a picture may be.
        saturate: 16-bit grey becomes white above 255, as models see it whose makers left it to Pillow.
    """

    def __init__(self, limits: ImageLimits, *, saturate: bool = False) -> None:
        self._limits = limits
        self._saturate = saturate
        # Pillow's own guard is process-wide. Ours refuses everything above `max_pixels` before a pixel is read;
        # this keeps Pillow's from refusing, or warning of, less than that.
        Image.MAX_IMAGE_PIXELS = limits.max_pixels
        PngImagePlugin.MAX_TEXT_MEMORY = _PNG_TEXTS
        Image.init()
        self._formats = [name for name in _SAFE_FORMATS if name in Image.OPEN]

    def open(self, data: bytes) -> OpenPicture:
        """A picture whose header was read.

        Raises:
            TooLarge: if it has too many pixels.
            Undecodable: if it is no picture, is damaged, or has an extreme shape.
        """
        if reason := excess(data):
            raise Undecodable(reason)
        image = _guarded(partial(self._open, data))
        pixels = _guarded(partial(decoded_pixels, image))
        self._check(image.size, pixels)
        if not weighs_more(image.format or "", pixels, _LARGE_PIXELS):
            return OpenPicture(large=False, _open=lambda: image, _saturate=self._saturate)
        # It may have to wait, and what Pillow keeps of its header may be large: it is opened again.
        image.close()
        return OpenPicture(large=True, _open=partial(_guarded, partial(self._open, data)), _saturate=self._saturate)

    def _open(self, data: bytes) -> Image.Image:
        try:
            return Image.open(BytesIO(data), formats=self._formats)
        except UnidentifiedImageError:
            bomb = False
        except Image.DecompressionBombError:
            bomb = True
        if bomb:
            raise self._too_large()
        raise Undecodable(f"is not a picture; formats read here: {', '.join(self._formats)}")

    def _check(self, size: tuple[int, int], pixels: int) -> None:
        width, height = size
        if pixels > self._limits.max_pixels:
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


def _guarded(read: Callable[[], Result]) -> Result:
    """What ``read`` returns; damage becomes a fault that holds nothing of the picture.

    Raises:
        Undecodable: if Pillow finds damage.
    """
    try:
        return read()
    except _DAMAGE as error:
        reason = str(error)
        # Pillow's frames hold the half-read picture, gigabytes perhaps, for as long as anybody holds the error.
        traceback.clear_frames(error.__traceback__)
    raise Undecodable(f"is damaged: {reason}; send the file again, whole")


def _to_mode(image: Image.Image, mode: str, *, saturate: bool) -> Image.Image:
    """The pixels in mode RGB or L; a picture of another mode is freed."""
    if image.mode == mode:
        image.load()
        return image
    image.info.pop("transparency", None)  # it is dropped anyway; Pillow would warn that it cannot be kept
    grey16 = image.mode.startswith("I;16")
    converted = (_eight_bits(image, saturate=saturate) if grey16 else image).convert(mode)
    image.close()
    return converted


def _eight_bits(image: Image.Image, *, saturate: bool) -> Image.Image:
    values = np.asarray(image)
    return Image.fromarray((np.minimum(values, 255) if saturate else values >> 8).astype(np.uint8))
