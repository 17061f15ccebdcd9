"""What a picture costs beyond the size that it announces, found out before its pixels are decoded.

Pillow trusts a file that it opens: it lists every strip and reads every marker, and its decoders work through as many
scans as there are. What no camera and no program writes is refused; what differs by format is weighed.
"""

import re
from collections.abc import Iterator
from struct import Struct, error, unpack_from

from PIL import Image

_ICON, _PNG, _JPEG = b"\0\0\x01\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
# Icons have 256 pixels a side; Pillow decodes one, of whatever size, when it opens the file.
_ICON_PIXELS = 1024 * 1024
_ICON_ENTRY = Struct("<12xI")  # of 16 bytes the last four: where the picture begins
# A progressive JPEG has about ten scans; each costs a pass over all pixels. Segments are profiles, thumbnails, tables.
_JPEG_SCANS, _JPEG_SEGMENTS = 100, 2000
# Behind a scan's bytes: any marker but a stuffed zero, a filler or a restart.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# As many as a picture of the largest size has rows; Pillow keeps 245 bytes for each.
_TIFF_STRIPS = 100_000
_STRIP_OFFSETS, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS = 273, 322, 323, 324  # tags of TIFF 6.0
# Memory per pixel against that of other formats (4 bytes), measured: OpenJPEG keeps an integer for each component.
_WEIGHTS = {"JPEG2000": 6}
# libavif decodes at the size that is in the stream, which the file's header need not tell.
_UNTOLD = ("AVIF",)


def excess(data: bytes) -> str:
    """Why a file is refused before it is opened; empty if it is not."""
    try:
        if data.startswith(_ICON):
            return _icon_excess(data)
        if data.startswith(_JPEG):
            return _jpeg_excess(data)
        if order := _TIFF_ORDERS.get(data[:4]):
            return _tiff_excess(data, order)
    except error:
        pass  # cut off: what is wrong with it is said when it is opened
    return ""


def decoded_pixels(image: Image.Image) -> int:
    """Pixels that are in memory at once: a TIFF's tile may be larger than the picture that is cut from it."""
    tags = getattr(image, "tag_v2", {})
    return max(image.width * image.height, int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0)))


def weighs_more(kind: str, pixels: int, limit: int) -> bool:
    """Whether pixels of a format take more memory than ``limit`` ordinary ones, or nobody can tell."""
    return kind in _UNTOLD or pixels * _WEIGHTS.get(kind, 1) > limit


def _icon_excess(data: bytes) -> str:
    for number in range(unpack_from("<H", data, 4)[0]):
        width, height = _icon_picture(data, _ICON_ENTRY.unpack_from(data, 6 + 16 * number)[0])
        if width * height > _ICON_PIXELS:
            return f"is an icon that holds a picture of {width}x{height} pixels; send that"
    return ""


def _icon_picture(data: bytes, start: int) -> tuple[int, int]:
    if data[start : start + len(_PNG)] == _PNG:
        width, height = unpack_from(">II", data, start + 16)
        return width, height
    width, height = unpack_from("<ii", data, start + 4)
    return abs(width), abs(height) // 2  # a bitmap, and a mask of the same size below it


def _jpeg_excess(data: bytes) -> str:
    scans = 0
    for number, marker in enumerate(_jpeg_segments(data)):
        scans += marker == _START_OF_SCAN
        if scans > _JPEG_SCANS:
            return f"has more than {_JPEG_SCANS} scans; save it again"
        if number > _JPEG_SEGMENTS:
            return f"has more than {_JPEG_SEGMENTS} segments; save it again"
    return ""


def _jpeg_segments(data: bytes) -> Iterator[int]:
    """The markers of the first picture in the file."""
    position = len(_JPEG)
    while found := _JPEG_MARKER.search(data, position):
        marker = found[0][1]
        if marker == _END_OF_IMAGE:
            return
        yield marker
        position = found.end() + unpack_from(">H", data, found.end())[0]


def _tiff_excess(data: bytes, order: str) -> str:
    """Of the first picture, as Pillow reads only that one."""
    (start,) = unpack_from(f"{order}I", data, 4)
    for number in range(unpack_from(f"{order}H", data, start)[0]):
        tag, _, count = unpack_from(f"{order}HHI", data, start + 2 + 12 * number)
        if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and count > _TIFF_STRIPS:
            return f"has more than {_TIFF_STRIPS} strips or tiles; save it again"
    return ""
