"""What the tables of an MP4 or QuickTime file declare, found out before FFmpeg believes it (ISO/IEC 14496-12)."""

from collections.abc import Iterator
from struct import error, unpack_from

# Boxes that hold the boxes that are looked for.
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_HEADER, _LONG_HEADER = 8, 16
_ONE_MORE_WORD = 1  # instead of a size: it follows the name, in 64 bits
# FFmpeg follows them no deeper.
_DEPTH = 10


def declared_samples(data: bytes) -> Iterator[int]:
    """Samples (frames of a film, packets of a sound) of each box: of tables for a track or a fragment; else none."""
    return (_samples(data, name, start) for name, start in _boxes(data, 0, len(data)))


def _boxes(data: bytes, start: int, stop: int, depth: int = 0) -> Iterator[tuple[bytes, int]]:
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
        yield name, inside
        if name in _PARENTS and depth < _DEPTH:
            yield from _boxes(data, inside, end, depth + 1)
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
