"""What the tables of an MP4 or QuickTime file declare, found out before FFmpeg believes it (ISO/IEC 14496-12)."""

from collections.abc import Iterator
from struct import error, unpack_from

# Boxes that hold the boxes that are looked for.
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_HEADER, _LONG_HEADER = 8, 16
_ONE_MORE_WORD = 1  # instead of a size: it follows the name, in 64 bits


def declared_samples(data: bytes) -> int:
    """Samples (frames of a film, packets of a sound) in all tracks and fragments; 0 if it is another kind of file."""
    return sum(_samples(data, name, start) for name, start in _boxes(data, 0, len(data)))


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int]]:
    """Names of boxes, and where their contents begin; what is cut off ends the walk."""
    while start + _HEADER <= stop:
        size, name = unpack_from(">I4s", data, start)
        inside = start + _HEADER
        if size == _ONE_MORE_WORD and start + _LONG_HEADER <= stop:
            (size,) = unpack_from(">Q", data, inside)
            inside = start + _LONG_HEADER
        end = min(start + size, stop) if size else stop
        if end < inside:
            return
        if name in _PARENTS:
            yield from _boxes(data, inside, end)
        else:
            yield name, inside
        start = end


def _samples(data: bytes, name: bytes, start: int) -> int:
    """Of one table; their number stands behind version and flags, or behind a common size."""
    try:
        if name == b"stsz":
            return int(unpack_from(">I", data, start + 8)[0])
        if name in (b"stz2", b"trun"):
            return int(unpack_from(">I", data, start + (8 if name == b"stz2" else 4))[0])
    except error:
        pass  # cut off: what is wrong with it is said when it is opened
    return 0
