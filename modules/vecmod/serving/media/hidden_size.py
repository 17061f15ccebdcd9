"""How large a picture becomes in memory where the size it announces does not tell, read before a pixel is decoded."""

from collections.abc import Iterator
from struct import Struct, error, unpack_from
from typing import NamedTuple

from PIL import Image

_ICON = b"\0\0\x01\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_ICON_ENTRY = Struct("<12xI")  # of 16 bytes the last four: where the picture begins
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # tags of TIFF 6.0, section 15


class Size(NamedTuple):
    """Pixels."""

    width: int
    height: int


def icon_sizes(data: bytes) -> Iterator[Size]:
    """The pictures in a Windows icon, by their own headers: its directory may say less. Nothing of other files."""
    if not data.startswith(_ICON):
        return
    try:
        for number in range(unpack_from("<H", data, 4)[0]):
            yield _embedded(data, _ICON_ENTRY.unpack_from(data, 6 + 16 * number)[0])
    except error:
        return  # cut off: what is wrong with it is said when it is read


def _embedded(data: bytes, start: int) -> Size:
    if data[start : start + len(_PNG)] == _PNG:
        return Size(*unpack_from(">II", data, start + 16))
    width, height = unpack_from("<ii", data, start + 4)
    return Size(abs(width), abs(height) // 2)  # a bitmap, and a mask of the same size below it


def decoded_pixels(image: Image.Image) -> int:
    """Pixels that are in memory at once: a TIFF's tile may be larger than the picture that is cut from it."""
    tags = getattr(image, "tag_v2", {})
    return max(image.width * image.height, int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0)))
