"""The decoder table: for each modality, how the text on the wire becomes a medium."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from PIL.Image import Image

from vecmod.serving.media.fetch import read_base64
from vecmod.serving.media.image import ImageLimits, ImageReader


class Decoder:
    """Decodes items by modality; safe to call from many threads."""

    def __init__(self, images: ImageLimits) -> None:
        read = ImageReader(images)
        self._readers: dict[str, Callable[[str], AbstractContextManager[Image | str]]] = {
            "text": nullcontext,
            "image": lambda value: read.open_rgb(read_base64(value)),
        }

    @contextmanager
    def decode(self, modality: str, value: str) -> Iterator[Image | str]:
        """The medium, held in memory until the end of the ``with`` block.

        Raises:
            Undecodable, TooLarge: naming the fault.
        """
        with self._readers[modality](value) as medium:
            yield medium
