"""The decoder table: for each modality, how the text on the wire, or the bytes it led to, become a medium."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

from PIL.Image import Image

from vecmod.serving.media.fetch import read_bytes
from vecmod.serving.media.image import ImageLimits, ImageReader


@dataclass(frozen=True)
class Opened:
    """An item that was looked at, and is within limits.

    Attributes:
        large: its medium takes so much memory that it should be decoded while no other large one is.
        decode: the medium, once, held in memory until the end of the ``with`` block; raises Undecodable.
    """

    large: bool
    decode: Callable[[], AbstractContextManager[Image | str]]


class Decoder:
    """Opens items by modality; safe to call from many threads."""

    def __init__(self, images: ImageLimits) -> None:
        self._images = ImageReader(images)
        self._readers: dict[str, Callable[[str | bytes], Opened]] = {"text": self._text, "image": self._image}

    def open(self, modality: str, value: str | bytes) -> Opened:
        """The item, before anything large is in memory; bytes are the file itself.

        Raises:
            Undecodable, TooLarge: naming the fault.
        """
        return self._readers[modality](value)

    def _text(self, value: str | bytes) -> Opened:
        text = cast("str", value)  # only media are files
        return Opened(large=False, decode=lambda: nullcontext(text))

    def _image(self, value: str | bytes) -> Opened:
        picture = self._images.open(read_bytes(value))
        return Opened(large=picture.large, decode=picture.rgb)
