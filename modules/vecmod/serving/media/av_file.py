"""Files of sound or film, opened with PyAV (FFmpeg) in memory; a door to it beside the two that decode.

FFmpeg reads far more than media: playlists and descriptions that lead it to other files and hosts. So only the formats
and decoders that a caller names are let in, and nothing but the bytes that are given is ever read. It also does
whatever a file makes it do, so memory and a processor's time are rationed.
"""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TypeVar

import av
import av.container.input
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.stream import VideoStream

from vecmod.contract.errors import TooLarge, Undecodable
from vecmod.serving.media.clutter import behind_id3, clutter
from vecmod.serving.media.missing import missing

Unit = TypeVar("Unit")

# Of one file, of a thread's time: to read its headers, where tags and tables may be endless, and to decode it. The
# largest films within limits take a third of it.
_OPENING_SECONDS, _SECONDS = 5, 300
# The index of as many samples as `clutter` lets by; or a frame with alpha, of 16 bits.
_BLOCK, _BYTES_PER_PIXEL = 64 * 1024 * 1024, 8
# What FFmpeg raises on damaged bytes: its own errors, and those of Python that PyAV maps them to.
DAMAGE = (av.FFmpegError, OSError, ValueError, EOFError, MemoryError, LookupError, ArithmeticError)


class _Rationed(BytesIO):
    """A file that ends early when too much of this thread's time was spent on it; FFmpeg reads 32 KiB at a time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.allow(_OPENING_SECONDS)
        self._is_over = False

    def allow(self, seconds: float) -> None:
        self._seconds, self._until = seconds, time.thread_time() + seconds

    def read(self, size: int | None = -1, /) -> bytes:
        self._is_over = self._is_over or time.thread_time() > self._until
        return b"" if self._is_over else super().read(size)

    def check(self) -> None:
        if self._is_over:
            raise TooLarge(
                f"takes more than {self._seconds:g} s of a processor's time to read; save it again, shorter, smaller, "
                "and without tags"
            )


def limit_blocks(most_pixels: int) -> None:
    """Let FFmpeg, in all of this process, take no more memory at once than frames of so many pixels may need.

    A few bytes may declare tables of gigabytes, in more ways than can be told in advance. PyAV has no name for this
    limit; where the system does not find FFmpeg's, there is none.
    """
    library = ctypes.CDLL(av.container.input.__file__)
    if hasattr(library, "av_max_alloc"):
        library.av_max_alloc(ctypes.c_size_t(max(_BLOCK, _BYTES_PER_PIXEL * most_pixels)))


@contextmanager
def opened(data: bytes, what: str, formats: str, most_pixels: int) -> Iterator[InputContainer]:
    """The file, whose headers were read; closed at the end of the ``with`` block.

    Args:
        data: the whole file.
        what: what it should be, for the message: "a sound".
        formats: names of FFmpeg's demuxers, separated by commas.
        most_pixels: of a frame that FFmpeg may decode to learn more of the file.

    Raises:
        Undecodable: if it is none of them, is cut off, or its headers are damaged or endless.
        TooLarge: if it takes too long to read, here or within the block.
    """
    if start := behind_id3(data):
        data = data[start:]
    if reason := clutter(data):
        raise Undecodable(reason)
    if count := missing(data):
        raise Undecodable(f"is cut off: {count} bytes are missing; send the file again, whole")
    # "none" is no protocol: nothing can be opened by name. The explorer's first_frame.py has the same options, which a
    # test holds against these: the wings never meet.
    options = {"format_whitelist": formats, "protocol_whitelist": "none", "max_streams": "16", "ignore_chapters": "1"}
    options["max_pixels"] = str(most_pixels)
    # Else it would search the samples of a WAV file for sound of another format, for longer than all the rest takes.
    options["max_probe_packets"] = "1"
    file = _Rationed(data)
    try:
        container = av.open(file, "r", options=options, metadata_errors="replace")
    except DAMAGE:
        container = None
    file.check()
    if container is None:
        raise Undecodable(f"is not {what}, or its beginning is damaged; formats read here: {formats}")
    with container:
        file.allow(_SECONDS)
        try:
            yield container
        except Undecodable:
            file.check()
            raise
        file.check()


def check_decoder(stream: AudioStream | VideoStream, names: str, advice: str) -> None:
    """Refuse a stream whose decoder is none of ``names``; of a name that ends in ``_``, any that begins with it.

    Raises:
        Undecodable: naming the decoder, with the advice.
    """
    # PyAV's types do not say that a stream may have no decoder at all.
    context: CodecContext | None = stream.codec_context
    decoder = context.codec.name if context else "something unknown"
    if not any(decoder == name or (name.endswith("_") and decoder.startswith(name)) for name in names.split()):
        raise Undecodable(f"is encoded as {decoder}; {advice}")
    # Files are decoded beside each other, so more threads for one would only take them from another.
    stream.codec_context.thread_count = 1


def undamaged(units: Iterator[Unit]) -> Iterator[Unit]:
    """The same frames or packets.

    Raises:
        Undecodable: where PyAV finds damage.
    """
    try:
        yield from units
    except DAMAGE as error:
        raise damaged(error) from None


def damaged(error: Exception) -> Undecodable:
    """The fault for what PyAV raised; it holds nothing of the file."""
    reason = getattr(error, "strerror", None) or str(error)
    return Undecodable(f"is damaged: {reason}; send the file again, whole")
