"""The process that makes thumbnails; a door to Pillow.

It is one of its own because a file may be hostile: decoders can be made to take hours or all memory, which no check of
a header rules out. So memory is limited here, time by the one who asks (:mod:`vecmod.explore.thumbnails`), and what the
decoders raise beyond the usual ends this process alone; then another is started. On standard input comes a line of JSON
for each picture, ``{"path": ..., "size": ...}``; the answer is its length in four bytes, and a JPEG, or nothing.
"""

import json
import os
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vecmod.explore.media_types import kind_of

# Formats whose decoders run inside Pillow; it could also start other programs (EPS) or Windows' own code (WMF).
_FORMATS = "AVIF BMP DIB GIF JPEG JPEG2000 PNG PPM TGA TIFF WEBP".split()
# What the services take, too.
_MOST_PIXELS = 178_956_970
_MOST_MEMORY = 3 << 30
_QUALITY = 82
_NICENESS = 10
_PAPER = "white"


def thumbnail(file: Path, size: int) -> bytes:
    """A JPEG of at most ``size`` pixels a side; empty if the file is too large or holds no picture."""
    image = _film(file) if kind_of(file) == "video" else Image.open(file, formats=_FORMATS)
    if image is None or image.width * image.height > _MOST_PIXELS:
        return b""
    with image:
        image.thumbnail((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
        small = ImageOps.exif_transpose(_in_colours(image))
        buffer = BytesIO()
        small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def main() -> None:
    """Answer until there is nothing more to ask."""
    _limit_memory()
    with suppress(AttributeError):  # not on Windows
        os.nice(_NICENESS)  # whoever draws the page, or searches, goes first
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        made = b""
        with suppress(OSError, ValueError, SyntaxError):  # as decoders say that bytes are damaged
            made = thumbnail(Path(asked["path"]), asked["size"])
        sys.stdout.buffer.write(len(made).to_bytes(4, "big") + made)
        sys.stdout.buffer.flush()


def _film(file: Path) -> Image.Image | None:
    from vecmod.explore.first_frame import first_frame  # noqa: PLC0415 -- an optional extra

    frame = first_frame(file)
    return None if frame is None else Image.fromarray(frame)


def _in_colours(image: Image.Image) -> Image.Image:
    """As it is shown: what is deeper than 8 bits spread over them, what is transparent on paper."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, np.float32)
        low, high = np.nanmin(values), np.nanmax(values)
        spread = np.nan_to_num((values - low) * (255 / (high - low) if high > low else 0))
        return Image.fromarray(spread.astype(np.uint8))
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        paper = Image.new("RGBA", seen.size, _PAPER)
        paper.alpha_composite(seen)
        paper.info = image.info
        return paper.convert("RGB")
    return image if image.mode == "L" else image.convert("RGB")


def _limit_memory() -> None:
    """Where the system can: beyond it decoders fail, and the machine does not."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 -- not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


if __name__ == "__main__":
    main()
