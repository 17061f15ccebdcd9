"""What a caller hands over as a medium, to what the wire takes: base64 of a path, bytes, a file, an image; or a URL."""

import base64
import binascii
import os
import re
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

from vecmod.host.host_errors import InvalidQuery

_WEB = re.compile(r"https?://", re.IGNORECASE)


@runtime_checkable
class SupportsSave(Protocol):
    """What of a PIL image is needed here, so that Pillow need not be installed."""

    format: str | None

    def save(self, fp: Any, format: str) -> None:  # noqa: A002, ANN401 -- Pillow's own signature
        """Write the picture."""
        ...


MediaInput = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | SupportsSave


def to_wire(medium: MediaInput) -> str:
    """Base64 of a medium, standard alphabet, on one line; a URL stays one.

    A string is the name of an existing file, base64, with or without a data URI prefix, or an ``http(s)://`` URL, which
    the service fetches if its operator allowed the host. Never pass on a string that a stranger chose: it could name a
    file of yours.

    Raises:
        InvalidQuery: if it is none of these.
    """
    if isinstance(medium, str):
        return _of_text(medium)
    if isinstance(medium, os.PathLike):
        return _of_file(Path(medium))
    return _encode(_content(medium))


def is_url(text: str) -> bool:
    """Whether a medium is given as an ``http(s)://`` URL."""
    return _WEB.match(text) is not None


def _content(medium: object) -> bytes:
    if isinstance(medium, bytes | bytearray | memoryview):
        return bytes(medium)
    if isinstance(medium, SupportsSave):
        return _saved(medium)
    content = _read(medium)
    if not isinstance(content, bytes):
        raise InvalidQuery(
            f"a {type(medium).__name__} is no medium; give a path, bytes, a binary file, a PIL image or base64"
        )
    return content


def _read(medium: object) -> object:
    read = getattr(medium, "read", None)
    if not callable(read):
        return None
    try:
        return read()
    except (OSError, ValueError) as error:  # ValueError: the file is closed
        raise InvalidQuery(f"the file cannot be read: {error}") from error


def _saved(image: SupportsSave) -> bytes:
    """Without loss: JPEG would change the pixels. PNG has no CMYK and the like, TIFF has."""
    for form in ("PNG", "TIFF"):
        buffer = BytesIO()
        try:
            image.save(buffer, format=form)
        except OSError:
            continue
        return buffer.getvalue()
    raise InvalidQuery("this picture can be saved neither as PNG nor as TIFF; convert it to RGB")


def _of_text(text: str) -> str:
    if not text:
        raise InvalidQuery("the medium is empty; give a path, bytes, a binary file, a PIL image or base64")
    if is_url(text):
        return text
    if len(text) < 4096 and "\n" not in text and Path(text).is_file():  # noqa: PLR2004 -- the longest path on Linux
        return _of_file(Path(text))
    data = text.partition(",")[2] if text.startswith("data:") else text
    try:
        binascii.a2b_base64("".join(data.split()).translate(str.maketrans("-_", "+/")), strict_mode=True)
    except ValueError as error:
        shown = text if len(text) < 80 else text[:77] + "..."  # noqa: PLR2004
        raise InvalidQuery(f"{shown!r} is neither an existing file nor base64 nor a URL") from error
    return text


def _of_file(path: Path) -> str:
    try:
        return _encode(path.read_bytes())
    except (OSError, ValueError) as error:  # ValueError: the name has a null byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidQuery(f"{path} cannot be read: {reason}") from error


def _encode(content: bytes) -> str:
    if not content:
        raise InvalidQuery("the medium is empty: zero bytes")
    return base64.b64encode(content).decode("ascii")
