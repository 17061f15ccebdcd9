"""Small films, made on the fly."""

import struct
from fractions import Fraction
from io import BytesIO
from typing import Any, cast

import av
import numpy as np
from av.video.stream import VideoStream


def frame_picture(number: int, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels uint8 ``[height, width, 3]`` that differ from number to number."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 2 + number * 5, y * 3 + number * 7, x + y + number * 11]
    return (np.stack(planes, axis=2) % 256).astype(np.uint8)


def film(
    frames: int,
    rate: int,
    container: str = "mp4",
    codec: str = "libx264",
    *,
    size: tuple[int, int] = (64, 48),
    key: int = 12,
    late: int = 0,
    step: int = 1,
    options: dict[str, str] | None = None,
) -> bytes:
    """A file of ``frames`` frames, ``rate`` a second, of which each ``key``-th can be decoded alone.

    Each is shown for ``step`` frames, the last one ``late`` frames too late; options are those of FFmpeg's muxer.
    """
    buffer = BytesIO()
    width, height = size
    with av.open(buffer, "w", format=container, options=options) as output:
        stream = cast("VideoStream", output.add_stream(codec, rate=rate))
        stream.width, stream.height = size
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        stream.time_base = Fraction(1, rate)
        stream.gop_size = key
        stream.codec_context.thread_count = 1
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(frame_picture(number, width, height), format="rgb24")
            frame = picture.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number * step + late * (number == frames - 1), Fraction(1, rate)
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return buffer.getvalue()


def header_first(mp4: bytes) -> bytes:
    """The same file as it is made for the web: its tables stand before its pictures."""
    (kind,) = struct.unpack_from(">I", mp4)  # the box that says what kind of file it is
    start = mp4.index(b"moov") - 4
    header = bytearray(mp4[start:])
    table = header.index(b"stco") + 8
    for number in range(struct.unpack_from(">I", header, table)[0]):
        (offset,) = struct.unpack_from(">I", header, table + 4 + 4 * number)
        struct.pack_into(">I", header, table + 4 + 4 * number, offset + len(header))
    return mp4[:kind] + bytes(header) + mp4[kind:start]
