"""What a file of sound or film makes FFmpeg do before anything of it is decoded, found out before FFmpeg does it.

FFmpeg believes what tables declare; and it compares each tag and each chapter with all those before it, so a hundred
thousand of them take a minute, and a million hours. Marks that no writer can do without are counted wherever they
stand, so that nothing can hide from a reader that is less lenient than FFmpeg's.

Sources: ISO/IEC 14496-12 (MP4), RFC 9639 (FLAC), id3.org's ID3v2, RFC 3533 (Ogg), RFC 9559 (Matroska).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate

from vecmod.serving.media.boxes import declared_samples

# FFmpeg makes 24 bytes of each sample that tables of an MP4 file declare, before it reads one: 10 hours at 50 a second.
_MOST_SAMPLES = 2_000_000
_MOST_TAGS, _MOST_ID3 = 10_000, 100
# FFmpeg keeps them in the order of their times, and they may come in the opposite one.
_MOST_CUES = 100_000
_FLAC, _MATROSKA, _ID3 = b"fLaC", b"\x1a\x45\xdf\xa3", b"ID3"
_FLAC_MARK = re.compile(_FLAC)
_FLAC_COMMENTS, _FLAC_LAST = 4, 0x80
_ID3_HEADER, _ID3_FOOTER = 10, 0x10
# A page of Ogg, whose header ends with a table of lengths; where all of them are 255, its packet goes on in the next.
_OGG_PAGE = re.compile(rb"OggS(?=.{22}(.)(\xff+))", re.DOTALL)
_OGG_HEADER = 27
# Each private frame and each chapter of ID3, which WAV and AIFF have in their middle, begins so.
_ID3_MARKS = (b"PRI", b"CHA")
# Each name of a tag, and each chapter's number.
_MATROSKA_MARKS = (b"\x45\xa3", b"\x73\xc4")
# A cue's track: a number of 1 to 8 bytes, whose length is written in 1 to 8 bytes.
_CUE_TRACK = re.compile(
    rb"\xf7(?:[\x81-\x88]|(?:\x40|\x20\0|\x10\0{2}|\x08\0{3}|\x04\0{4}|\x02\0{5}|\x01\0{6})[\x01-\x08])"
)
# Bytes that are looked through at a time, and what a mark may take at most: a page's header.
_STEP, _LONGEST_MARK = 1024 * 1024, 27 + 255
# Any two bytes stand somewhere in every 65536; what is there twice as often is no accident.
_ACCIDENTS = 2 / 65536


def clutter(data: bytes) -> str:
    """Why a file is refused before it is opened, of which :func:`behind_id3` has cut something off; else empty."""
    if _is_more((1 + samples for samples in declared_samples(data)), _MOST_SAMPLES):
        return f"declares more than {_MOST_SAMPLES} samples in its tables; save it again, shorter"
    if data.startswith(_ID3):
        return f"begins with more than {_MOST_ID3} lists of tags; save it again without them"
    accidents = _ACCIDENTS * len(data)
    is_matroska = data.startswith(_MATROSKA)
    marks: list[float] = [_count(data, mark) for mark in _ID3_MARKS]
    marks += [_count(data, mark) - accidents for mark in _MATROSKA_MARKS if is_matroska]
    if max(marks) > _MOST_TAGS or _is_more(_tags(data), _MOST_TAGS):
        return f"has more than {_MOST_TAGS} tags or chapters; save it again without them"
    # Of the second byte, too, eight are as good as one.
    if is_matroska and _is_more((1 for _ in _found(_CUE_TRACK, data)), _MOST_CUES + 8 * accidents):
        return f"has more than {_MOST_CUES} entries in its index; save it again with fewer key frames"
    return ""


def behind_id3(data: bytes) -> int:
    """Where a file begins that has other tags in front; nothing in them is needed."""
    start = 0
    for _ in range(_MOST_ID3):
        header = data[start : start + _ID3_HEADER]
        if len(header) < _ID3_HEADER or not header.startswith(_ID3):
            break
        size = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(header[-4:])))
        start += _ID3_HEADER + size + (_ID3_HEADER if header[5] & _ID3_FOOTER else 0)
    return start


def _count(data: bytes, mark: bytes) -> int:
    return sum(data.count(mark, start, start + _STEP + len(mark) - 1) for start in range(0, len(data), _STEP))


def _found(pattern: re.Pattern[bytes], data: bytes) -> Iterator[re.Match[bytes]]:
    """Its places, found in steps: to look through all of it would hold up everybody."""
    for start in range(0, len(data), _STEP):
        for match in pattern.finditer(data, start, start + _STEP + _LONGEST_MARK):
            if match.start() < start + _STEP:
                yield match


def _is_more(counts: Iterable[int], most: float) -> bool:
    return any(total > most for total in accumulate(counts))


def _tags(data: bytes) -> Iterator[int]:
    """Numbers whose sum is no less than how many tags a file of FLAC, Ogg or Matroska has."""
    if data.startswith(_FLAC):
        yield from _flac_tags(data, len(_FLAC))
    elif data.startswith(_MATROSKA):
        # What it says of FLAC in it is what a FLAC file says of itself.
        for found in _found(_FLAC_MARK, data):
            yield from _flac_tags(data, found.end())
    else:
        yield from _ogg_tags(data)


def _flac_tags(data: bytes, start: int) -> Iterator[int]:
    """Equals signs in each block of tags, and one for every block of any kind."""
    kind = 0
    while start + 4 <= len(data) and not kind & _FLAC_LAST:
        kind, inside = data[start], start + 4
        start = inside + int.from_bytes(data[start + 1 : inside], "big")
        yield 1 + (data.count(b"=", inside, start) if kind & ~_FLAC_LAST == _FLAC_COMMENTS else 0)


def _ogg_tags(data: bytes) -> Iterator[int]:
    """Equals signs in each page that is the middle of a packet: packets of sound are too small to have one."""
    for page in _found(_OGG_PAGE, data):
        lengths = page[1][0]
        if len(page[2]) >= lengths:
            inside = page.start() + _OGG_HEADER + lengths
            yield data.count(b"=", inside, inside + 255 * lengths)
