"""Small files of sound, made on the fly."""

import struct
from io import BytesIO
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream


def wav(
    data: bytes, rate: int = 16000, channels: int = 1, bits: int = 16, kind: int = 1, size: int | None = None
) -> bytes:
    """A WAV file with a header that says whatever it is told to; kind 3 is floating point."""
    size = len(data) if size is None else size
    frame = channels * bits // 8
    head = struct.pack("<IHHIIHH", 16, kind, channels, rate, min(rate * frame, 2**32 - 1), frame, bits)
    return (
        b"RIFF"
        + struct.pack("<I", min(36 + size, 2**32 - 1))
        + b"WAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def tone(seconds: float, rate: int = 16000, channels: int = 1) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Samples int16 ``[n, channels]``: another pitch in each channel."""
    at = np.arange(int(seconds * rate))[:, None] / rate
    pitches = 220.0 * (1 + np.arange(channels))
    return (np.sin(2 * np.pi * pitches * at) * 12000).astype(np.int16)


def encoded_sound(
    samples: np.ndarray[Any, np.dtype[np.int16]], rate: int, container: str, codec: str, **options: str
) -> bytes:
    """A file of PyAV's own writing; options are those of FFmpeg's muxer."""
    buffer = BytesIO()
    layout = "stereo" if samples.shape[1] == 2 else "mono"
    with av.open(buffer, "w", format=container, options=options) as output:
        stream = cast("AudioStream", output.add_stream(codec, rate=rate, layout=layout))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), format="s16", layout=layout)
        frame.rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return buffer.getvalue()
