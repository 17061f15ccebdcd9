"""Bytes that a file of sound or film declares and does not have; FFmpeg takes what is there for the whole.

Sources: Microsoft's "Multimedia Programming Interface and Data Specifications" (RIFF: WAV, AVI), EBU Tech 3306 (RF64),
RFC 8794 and 9559 (Matroska, WebM). MP4 files need no look: without their tables, or what these point to, nothing can be
made of them.
"""

from struct import error, unpack_from

# Programs that write to a pipe cannot know the length of a file: they write this or more.
_LENGTH_UNKNOWN = 0x7FFFF000
_WAV, _AVI = (b"RIFF", b"RF64", b"BW64"), b"RIFF"
_MATROSKA, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def missing(data: bytes) -> int:
    """How many are missing at the end; 0 if none are, or the kind of file does not tell."""
    try:
        if data[:4] in _WAV and data[8:12] == b"WAVE":
            return max(_end_of_wav(data) - len(data), 0)
        if data[:4] == _AVI and data[8:12] == b"AVI ":
            (size,) = unpack_from("<I", data, 4)
            return max(8 + size - len(data), 0) if size < _LENGTH_UNKNOWN else 0
        if data.startswith(_MATROSKA):
            return max(_end_of_matroska(data) - len(data), 0)
    except (error, IndexError):
        pass  # what is wrong with it is said when it is opened
    return 0


def _end_of_wav(data: bytes) -> int:
    start, long_size = 12, 0
    while True:
        name, size = unpack_from("<4sI", data, start)
        start += 8
        if name == b"ds64":
            (long_size,) = unpack_from("<8xQ", data, start)
        if name == b"data":
            return start + (size if size < _LENGTH_UNKNOWN else long_size)
        start += size + size % 2


def _end_of_matroska(data: bytes) -> int:
    """Of its one large element, behind the header."""
    start, size = _length(data, len(_MATROSKA))
    segment = start + size
    if data[segment : segment + len(_SEGMENT)] != _SEGMENT:
        return 0
    start, size = _length(data, segment + len(_SEGMENT))
    return start + size


def _length(data: bytes, start: int) -> tuple[int, int]:
    """Where an element's content begins, and how long it is; 0 if that is not known: all bits are ones then."""
    bits = 8 - data[start].bit_length()
    stop = start + 1 + bits
    value = int.from_bytes(data[start:stop], "big") & (1 << 7 * (bits + 1)) - 1
    return stop, 0 if value == (1 << 7 * (bits + 1)) - 1 else value
