"""Media with changes that nobody thought of, decoded and prepared: nothing but our own faults may come out.

A few thousand run with the tests; more by hand: ``.venv/bin/python tests/mutated_media.py video --count 100000``. What
fails is named by seed and number, and is the same each time. A crash names the number it was at.
"""

import argparse
import faulthandler
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from bind_golden import FOLDER
from films import film, header_first
from multi2vec_bind.imagebind_recipe import GREY_PICTURE, PICTURE
from sounds import encoded_sound, tone
from vecmod.contract.errors import RequestFault
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.limits import MediaLimits
from vecmod.serving.medium import Kind
from vecmod.serving.model.builtin import LITE0_STEPS
from vecmod.serving.model.film import FilmSteps, FrameSteps
from vecmod.serving.model.mel import SoundSteps
from vecmod.serving.model.motion import MotionSteps
from vecmod.serving.model.steps import Steps

Random = np.random.Generator
# What tables and lengths break at.
_EDGES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1]
_BEGINNING = 600


def _flip(data: bytearray, random: Random) -> None:
    for at in random.integers(0, len(data), random.integers(1, 17)):
        data[at] = random.integers(256)


def _flip_in_header(data: bytearray, random: Random) -> None:
    for at in random.integers(0, min(len(data), _BEGINNING), random.integers(1, 5)):
        data[at] ^= 1 << random.integers(8)


def _cut(data: bytearray, random: Random) -> None:
    del data[random.integers(1, len(data) + 1) :]


def _cut_out(data: bytearray, random: Random) -> None:
    start = random.integers(0, len(data))
    del data[start : start + random.integers(1, 2 + len(data) // 4)]


def _repeat(data: bytearray, random: Random) -> None:
    start = random.integers(0, len(data))
    data[start:start] = data[start : start + random.integers(1, 2 + len(data) // 4)]


def _edge(data: bytearray, random: Random) -> None:
    """A number as large or as small as it can be, in the header or where it ends."""
    for _ in range(random.integers(1, 4)):
        size = int(random.choice([1, 2, 4, 8]))
        value = int(_EDGES[int(random.integers(len(_EDGES)))]) % 256**size
        start = int(random.integers(0, _BEGINNING)) % len(data)
        start = start if random.integers(2) else len(data) - 1 - start
        data[start : start + size] = value.to_bytes(size, "little" if random.integers(2) else "big")


def _swap(data: bytearray, random: Random) -> None:
    """Two pieces change places."""
    size = int(random.integers(1, 2 + len(data) // 8))
    one, other = sorted(random.integers(0, max(len(data) - size, 1), 2))
    if one + size <= other:
        piece = data[one : one + size]
        data[one : one + size], data[other : other + size] = data[other : other + size], piece


_CHANGES: list[Callable[[bytearray, Random], None]] = [_flip, _flip_in_header, _cut, _cut_out, _repeat, _edge, _swap]


def mutated(files: Sequence[bytes], random: Random) -> bytes:
    """One of the files with one to three changes."""
    data = bytearray(files[int(random.integers(len(files)))])
    for _ in range(random.integers(1, 4)):
        if data:
            _CHANGES[int(random.integers(len(_CHANGES)))](data, random)
    return bytes(data)


@dataclass(frozen=True)
class Way:
    """How a kind of medium is prepared, and files to begin with."""

    files: Callable[[], list[bytes]]
    steps: Sequence[Steps]


def _raw(kind: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FOLDER / "raw" / kind).iterdir())]


@cache
def _films() -> list[bytes]:
    kinds = (("mp4", "libx264"), ("webm", "libvpx-vp9"), ("gif", "gif"), ("avi", "mpeg4"), ("mov", "mjpeg"))
    small = [film(12, 4, container, codec, size=(48, 32), key=4) for container, codec in kinds]
    fragments = film(12, 4, size=(48, 32), key=4, options={"movflags": "frag_keyframe+empty_moov"})
    # The longer ones of `raw` take a second each.
    return [*small, fragments, header_first(small[0]), (FOLDER / "raw/video/short_160x120_10fps_1s.mp4").read_bytes()]


@cache
def _sounds() -> list[bytes]:
    kinds = (("flac", "flac"), ("ipod", "aac"), ("mp3", "libmp3lame"), ("webm", "libopus"), ("ogg", "libopus"))
    others = [encoded_sound(tone(0.5, 48000), 48000, container, codec) for container, codec in kinds]
    aiff = encoded_sound(tone(0.5), 16000, "aiff", "pcm_s16be")
    return [*others, aiff, *_raw("audio")]


WAYS = {
    "images": Way(lambda: _raw("images"), (PICTURE, GREY_PICTURE)),
    "audio": Way(_sounds, (SoundSteps(),)),
    "imu": Way(lambda: _raw("imu"), (MotionSteps(),)),
    "video": Way(_films, (FilmSteps(), FrameSteps(LITE0_STEPS))),
}


@dataclass
class Tally:
    """What came out: prepared media, and codes of faults; the slowest, in seconds, and its number."""

    found: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, 0)


def run(kind: str, count: int, seed: int, first: int = 0) -> Tally:
    """So many mutations of a kind of medium, from the ``first`` on.

    Raises:
        AssertionError: if anything but our own faults comes out, or what is prepared is not finite; from its cause.
    """
    way, tally = WAYS[kind], Tally()
    files, decoder = way.files(), Decoder(MediaLimits(), Kind)
    for number in range(first, first + count):
        random = np.random.default_rng([seed, number])
        data, steps = mutated(files, random), way.steps[number % len(way.steps)]
        start = time.thread_time()
        try:
            tally.found[_outcome(decoder, steps, data)] += 1
        except BaseException as error:
            raise AssertionError(f"{kind}, seed {seed}, number {number}") from error
        tally.slowest = max(tally.slowest, (time.thread_time() - start, number))
    return tally


def _outcome(decoder: Decoder, steps: Steps, data: bytes) -> str:
    try:
        with decoder.open(steps.kind, data).decode() as medium:
            content = steps.prepare(medium).content
    except RequestFault as fault:
        return fault.code if len(fault.message) < 500 else "a fault that says too much"
    assert np.isfinite(np.asarray(content)).all()
    return "prepared"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=WAYS)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number to begin with")
    asked = parser.parse_args()
    faulthandler.enable()
    step = 500
    for first in range(asked.first, asked.first + asked.count, step):
        print(f"from {first}:", end=" ", flush=True)
        tally = run(asked.kind, min(step, asked.first + asked.count - first), asked.seed, first)
        print(dict(tally.found), f"slowest {tally.slowest[0]:.1f} s, number {tally.slowest[1]}")


if __name__ == "__main__":
    main()
