"""Bytes to samples of sound.

========================  ===================================================================================
integers of any size      divided by what makes the largest one: exact
floating point            rounded to 2^-24 and clipped to [-1, 1], as SoX does, which the official container uses
MP3, AAC, Opus, Vorbis    FFmpeg's decoders; the official container reads the first two not at all
cover pictures, tags      ignored
========================  ===================================================================================
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from vecmod.contract.errors import TooLarge, Undecodable
from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.media.av_file import check_decoder, opened, undamaged
from vecmod.serving.media.clutter import behind_id3
from vecmod.serving.media.limits import AudioLimits
from vecmod.serving.medium import Sound

_FORMATS = "wav,flac,ogg,mp3,mov,aac,matroska,aiff"
_DECODERS = "aac alac flac mp3 mp3float opus libopus vorbis pcm_"
# Cover pictures are not looked at; FFmpeg would.
_COVER_PIXELS = 1
_LOWEST_RATE, _HIGHEST_RATE = 1000, 384_000
_MOST_CHANNELS = 64
# As much memory as a picture takes that just is not large: four minutes in stereo.
_LARGE_VALUES = 24_000_000
# Encoders fill up the last packet, and say so in different ways; a file that was cut off has lost more.
_SHARE_THAT_MUST_BE_THERE = 0.9
# What the shortest that encoders make would come to ten times; each costs as much time as some thousand samples.
_FRAMES_A_SECOND = 1000
_BLOCK_VALUES = 1024 * 1024  # 4 MiB
# Programs that write to a pipe cannot know how long these will be.
_WRITTEN_TO_PIPES = ("wav", "aiff")
# Kinds of files that need not say how long they are, so that FFmpeg guesses from the first frames: marks that are at
# the beginning of those that do.
_LENGTHS: dict[str, tuple[bytes, ...]] = {
    "aac": (),
    "mp3": (b"Xing", b"Info", b"VBRI"),
    "matroska,webm": (b"\x44\x89",),
}
_BEGINNING = 4096


@dataclass(frozen=True)
class OpenSound:
    """A sound within limits, as far as its first minutes tell.

    Attributes:
        large: so large that a few at once would add up: whoever decodes it should decode no other large one.
        decode: its samples; raises Undecodable, TooLarge.
    """

    large: bool
    decode: Callable[[], Sound]


def open_sound(data: bytes, limits: AudioLimits) -> OpenSound:
    """A sound that is decoded already, or, if that would take much memory, can be.

    Raises:
        TooLarge: if it is too long.
        Undecodable: if it is no sound, is damaged or cut off, or nothing is in it.
    """
    sound = _read(data, limits, min(_LARGE_VALUES, limits.max_values))
    if sound is not None:
        return OpenSound(large=False, decode=lambda: sound)
    if limits.max_values <= _LARGE_VALUES:
        raise _too_large(limits)
    return OpenSound(large=True, decode=partial(_read_large, data, limits))


def _read_large(data: bytes, limits: AudioLimits) -> Sound:
    sound = _read(data, limits, limits.max_values)
    if sound is None:
        raise _too_large(limits)
    return sound


def _too_long(limits: AudioLimits) -> TooLarge:
    return TooLarge(f"is longer than {limits.max_seconds} s; send a shorter piece, or raise VECMOD_MAX_AUDIO_SECONDS")


def _too_large(limits: AudioLimits) -> TooLarge:
    return TooLarge(
        f"has more than {limits.max_values} samples in all channels; send a shorter piece, or one channel, "
        "or raise VECMOD_MAX_AUDIO_SECONDS"
    )


def _read(data: bytes, limits: AudioLimits, most: int) -> Sound | None:
    """The sound, or None if it has more than ``most`` values."""
    with opened(data, "a sound", _FORMATS, _COVER_PIXELS) as container:
        stream = _stream(container)
        said = _said_seconds(data, container, stream, limits)
        if said > limits.max_seconds:
            raise _too_long(limits)
        frames = undamaged(container.decode(stream))
        first = next((frame for frame in frames if frame.samples), None)
        if first is None:
            raise Undecodable("has no samples in it; send a sound that is not empty")
        rate = _rate(first)
        blocks: deque[FloatArray] = deque()
        count = values = 0
        for block in _blocks(_chunks(first, frames, limits), first.layout.nb_channels):
            blocks.append(block)
            count, values = count + block.shape[1], values + block.size
            if count > limits.max_seconds * rate:
                raise _too_long(limits)
            if values > most:
                return None
        _check_length(said, count / rate)
    return Sound(_joined(blocks, count), rate)


def _stream(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise Undecodable("has no sound in it; send a file with an audio track")
    stream = container.streams.audio[0]
    check_decoder(stream, _DECODERS, "save it as WAV, FLAC, Ogg, MP3 or M4A")
    return stream


def _rate(frame: AudioFrame) -> int:
    """Of the frame, not of the stream: an AAC file may know only half of its rate."""
    rate, channels = frame.sample_rate, frame.layout.nb_channels
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise Undecodable(f"has {rate} samples a second; save it with {_LOWEST_RATE} to {_HIGHEST_RATE}, best 16000")
    if channels > _MOST_CHANNELS:
        raise Undecodable(f"has {channels} channels; save it with {_MOST_CHANNELS} at most, best one")
    return rate


def _chunks(first: AudioFrame, others: Iterator[AudioFrame], limits: AudioLimits) -> Iterator[FloatArray]:
    """Samples float32 ``[channels, n]``, frame by frame."""
    most = limits.max_seconds * _FRAMES_A_SECOND
    for number, frame in enumerate(chain([first], others)):
        if number > most:
            raise TooLarge(f"has more than {most} frames; save it again, with 10 ms of sound or more in each")
        if (frame.sample_rate, frame.layout.nb_channels) != (first.sample_rate, first.layout.nb_channels):
            raise Undecodable("changes its rate or its channels on the way; save it again with one of each")
        yield _samples(frame)


def _blocks(chunks: Iterator[FloatArray], channels: int) -> Iterator[FloatArray]:
    """The same samples in blocks of one size, the last one shorter.

    Frames may be of one sample, of which Python keeps a hundred times as much; and what lies in large blocks goes back
    to the system when it is freed.
    """
    block, filled = np.empty((channels, _BLOCK_VALUES // channels), np.float32), 0
    for chunk in chunks:
        start = 0
        while start < chunk.shape[1]:
            part = chunk[:, start : start + block.shape[1] - filled]
            block[:, filled : filled + part.shape[1]] = part
            start, filled = start + part.shape[1], filled + part.shape[1]
            if filled == block.shape[1]:
                yield block
                block, filled = np.empty_like(block), 0
    if filled:
        yield block[:, :filled]


def _samples(frame: AudioFrame) -> FloatArray:
    values = frame.to_ndarray()
    channels = frame.layout.nb_channels
    planes = values if frame.format.is_planar else values.reshape(-1, channels).T
    if planes.dtype.kind == "f":
        return _rounded(planes.astype(np.float64))
    half = 2.0 ** (8 * planes.dtype.itemsize - 1)
    centre = half if planes.dtype.kind == "u" else 0.0
    # Rounded once, as the rest is by powers of two.
    scaled: FloatArray = (planes.astype(np.float32) - np.float32(centre)) / np.float32(half)
    return scaled


def _rounded(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> FloatArray:
    """SoX's way through 32-bit integers, of which the container's reader keeps 25 bits."""
    if not np.isfinite(values).all():
        raise Undecodable("has samples that are not finite numbers; save it again")
    steps = np.floor(np.trunc(np.clip(values, -1, 1) * 2.0**31) / 128 + 0.5)
    return (steps / 2.0**24).astype(np.float32)


def _said_seconds(data: bytes, container: InputContainer, stream: AudioStream, limits: AudioLimits) -> float:
    """How long the file says that its sound is; 0 if it does not."""
    kind = container.format.name
    start = behind_id3(data)
    if not any(mark in data[start : start + _BEGINNING] for mark in _LENGTHS.get(kind, (b"",))):
        return 0.0
    if stream.duration is not None and stream.time_base is not None:
        said = float(stream.duration * stream.time_base)
    elif container.duration is not None and len(container.streams) == 1:
        said = container.duration / av.time_base
    else:
        return 0.0
    return 0.0 if kind in _WRITTEN_TO_PIPES and said > limits.max_seconds else said


def _check_length(said: float, found: float) -> None:
    if found < _SHARE_THAT_MUST_BE_THERE * said:
        raise Undecodable(f"is cut off: it says that it is {said:.1f} s long, and holds {found:.1f} s; send it whole")


def _joined(blocks: deque[FloatArray], count: int) -> FloatArray:
    """One array; the pieces are freed on the way."""
    joined = np.empty((blocks[0].shape[0], count), np.float32)
    start = 0
    while blocks:
        block = blocks.popleft()
        joined[:, start : start + block.shape[1]] = block
        start += block.shape[1]
    return joined
