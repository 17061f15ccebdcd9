"""Makes the films in modules/vecmod/samples/films/ from the photos beside them: a slow pan and zoom over each.

Run it to make them again: ``.venv/bin/python tests/sample_films.py``.
"""

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, cast

import av
import numpy as np
from av.video.stream import VideoStream
from PIL import Image

from pictures import SAMPLES

FILMS = SAMPLES / "films"
SIZE = (320, 240)
RATE = 12
FRAMES = 42


class Window(NamedTuple):
    """Where the film looks: left and top edge, and width, as shares of the photo's width."""

    left: float
    top: float
    width: float


class Way(NamedTuple):
    """From window to window, in even steps."""

    first: Window
    last: Window


WAYS = {
    "cat.mp4": Way(Window(0.05, 0.0, 0.85), Window(0.3, 0.05, 0.5)),
    "coffee.mp4": Way(Window(0.3, 0.1, 0.6), Window(0.05, 0.0, 0.85)),
    "rocket.webm": Way(Window(0.0, 0.0, 0.88), Window(0.14, 0.05, 0.8)),
    "temple.mp4": Way(Window(0.1, 0.0, 0.55), Window(0.1, 0.0, 0.85)),
}
ENCODERS = {".mp4": ("libx264", {"crf": "25"}), ".webm": ("libvpx-vp9", {"crf": "34", "b": "0", "row-mt": "0"})}


def pictures(name: str) -> Iterator[Image.Image]:
    """The pictures of a film, before they are encoded."""
    way = WAYS[name]
    with Image.open(SAMPLES / "photos" / f"{Path(name).stem}.jpg") as photo:
        whole = photo.convert("RGB")
    for number in range(FRAMES):
        share = number / (FRAMES - 1)
        left, top, width = (a + (b - a) * share for a, b in zip(way.first, way.last, strict=True))
        box = [whole.width * edge for edge in (left, top, left + width, top + width * SIZE[1] / SIZE[0])]
        yield whole.resize(SIZE, Image.Resampling.LANCZOS, (box[0], box[1], box[2], box[3]))


def film(name: str) -> bytes:
    """The film, without sound and without anything that changes from day to day."""
    buffer = BytesIO()
    codec, options = ENCODERS[Path(name).suffix]
    kind = Path(name).suffix[1:]
    with av.open(buffer, "w", format=kind, options={"fflags": "+bitexact"}) as output:
        stream = cast("VideoStream", output.add_stream(codec, rate=RATE, options={**options, "flags": "+bitexact"}))
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(pictures(name)):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return buffer.getvalue()


if __name__ == "__main__":
    for made in WAYS:
        (FILMS / made).write_bytes(film(made))
