"""The text of an item to the bytes it stands for."""

import binascii
from collections.abc import Iterator
from io import BytesIO

from vecmod.contract.errors import Undecodable

# Letters that are decoded at a time; it takes a millisecond.
_PIECE = 1024 * 1024
_URL_SAFE = str.maketrans("-_", "+/", " \t\r\n")


def read_bytes(value: str | bytes) -> bytes:
    """The bytes of a file that came as base64, or as it is; raises as :func:`read_base64`."""
    return value if isinstance(value, bytes) else read_base64(value)


def read_base64(text: str) -> bytes:
    """Bytes of base64: standard or URL-safe, padded or not, line breaks and a data URI prefix allowed.

    Raises:
        Undecodable: if it is empty or anything else stands in it.
    """
    if text.startswith("data:"):
        text = _data_of_uri(text)
    try:
        data = _decoded(_pieces(text))
    except ValueError:
        data = _read_lenient(text)
    if not data:
        raise Undecodable("is empty; send the file's bytes as base64")
    return data


def _data_of_uri(uri: str) -> str:
    header, comma, data = uri.partition(",")
    if not comma or not header.endswith(";base64"):
        raise Undecodable("is a data URI without base64 data; send data:<type>;base64,<data>, or the data alone")
    return data


def _read_lenient(text: str) -> bytes:
    if not text.isascii():
        # Said before `translate`, which on such text takes a second for each 20 MB and holds up everybody.
        raise Undecodable("is not base64 (it has characters that are not ASCII); send the file's bytes as base64")
    text = text.rstrip("= \t\r\n")
    try:
        return _decoded(piece.translate(_URL_SAFE) for piece in _pieces(text))
    except ValueError as error:
        raise Undecodable(f"is not base64 ({error}); send the file's bytes as base64") from error


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def _decoded(pieces: Iterator[str]) -> bytes:
    """The bytes of base64 that comes in pieces: one large one would hold up everybody.

    Raises:
        ValueError: if anything else stands in it.
    """
    file = BytesIO()
    left = ""
    for piece in pieces:
        text = left + piece
        # Padding is in the last group alone, which may be this piece's.
        whole = max(len(text) - 1, 0) // 4 * 4
        if "=" in text[:whole]:
            raise ValueError("Excess data after padding")
        file.write(binascii.a2b_base64(text[:whole], strict_mode=True))
        left = text[whole:]
    file.write(binascii.a2b_base64(left + "=" * (-len(left) % 4), strict_mode=True))
    return file.getvalue()
