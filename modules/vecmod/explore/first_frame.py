"""The first picture of a film, through PyAV (FFmpeg); a door to it, opened only where thumbnails are made."""

from pathlib import Path

import av
import numpy as np
from av.codec.context import CodecContext
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# FFmpeg reads far more than films, and follows what they name: so only these are let in, it is given the open file and
# nothing else to read, and what it decodes is limited in size and number. The service wing does so, too
# (serving/media/av_file.py, video.py), but the wings never meet: a test holds the two against each other.
_DECODERS = frozenset("av1 gif h263 h264 hevc libdav1d libvpx-vp9 mjpeg mpeg4 prores vp8 vp9".split())
_OPTIONS = {
    "format_whitelist": "mov,matroska,avi,gif",
    "protocol_whitelist": "none",
    "max_streams": "16",
    "ignore_chapters": "1",
    "max_pixels": str(4096 * 2304),
    "max_probe_packets": "1",
}
_MOST_PACKETS = 500


def first_frame(film: Path) -> Pixels | None:
    """RGB uint8 ``[height, width, 3]``, turned as it is to be shown; None if the first packets hold no picture.

    Raises:
        av.FFmpegError, and what PyAV makes of it (OSError, ValueError, ...): if the film is damaged.
    """
    with film.open("rb") as file, av.open(file, "r", options=_OPTIONS, metadata_errors="replace") as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        # PyAV's types do not say that a stream may have no decoder at all.
        context: CodecContext | None = stream.codec_context
        if context is None or context.codec.name not in _DECODERS:
            return None
        context.thread_count = 1
        context.options = {"max_pixels": _OPTIONS["max_pixels"]}
        for number, packet in enumerate(container.demux(stream)):
            for frame in packet.decode():
                turned: Pixels = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
                return turned
            if number > _MOST_PACKETS:
                break
    return None
