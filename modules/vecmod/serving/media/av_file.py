"""Files of sound or film, opened with PyAV (FFmpeg) in memory; a door to it beside the two that decode.

FFmpeg reads far more than media: playlists and descriptions that lead it to other files and hosts. So only the formats
and decoders that a caller names are let in, and nothing but the bytes that are given is ever read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.stream import VideoStream

from vecmod.contract.errors import Undecodable
from vecmod.serving.media.boxes import declared_samples

Unit = TypeVar("Unit")

# FFmpeg makes 24 bytes of each sample that tables of an MP4 file declare, before it reads one: 10 hours at 50 a second.
_MOST_SAMPLES = 2_000_000
# What FFmpeg raises on damaged bytes: its own errors, and those of Python that PyAV maps them to.
DAMAGE = (av.FFmpegError, OSError, ValueError, EOFError, MemoryError, LookupError, ArithmeticError)


@contextmanager
def opened(data: bytes, what: str, formats: str, most_pixels: int) -> Iterator[InputContainer]:
    """The file, whose headers were read; closed at the end of the ``with`` block.

    Args:
        data: the whole file.
        what: what it should be, for the message: "a sound".
        formats: names of FFmpeg's demuxers, separated by commas.
        most_pixels: of a frame that FFmpeg may decode to learn more of the file.

    Raises:
        Undecodable: if it is none of them, or its headers are damaged.
    """
    if declared_samples(data) > _MOST_SAMPLES:
        raise Undecodable(f"declares more than {_MOST_SAMPLES} samples in its tables; save it again, shorter")
    # "none" is no protocol: nothing can be opened by name.
    options = {"format_whitelist": formats, "protocol_whitelist": "none", "max_streams": "16"}
    options["max_pixels"] = str(most_pixels)
    # Else it would search the samples of a WAV file for sound of another format, for longer than all the rest takes.
    options["max_probe_packets"] = "1"
    try:
        container = av.open(BytesIO(data), "r", options=options, metadata_errors="replace")
    except DAMAGE:
        container = None
    if container is None:
        raise Undecodable(f"is not {what}, or its beginning is damaged; formats read here: {formats}")
    with container:
        yield container


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
