"""The decoder table: for each kind of medium, how the text on the wire, or the bytes it led to, become one."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import cast

from vecmod.serving.media.fetch import read_bytes
from vecmod.serving.media.image import ImageReader
from vecmod.serving.media.imu import read_imu
from vecmod.serving.media.limits import MediaLimits
from vecmod.serving.medium import Kind, Medium


class DecoderUnavailable(Exception):
    """A kind of medium cannot be read with what is installed; the message says what to install."""


@dataclass(frozen=True)
class Opened:
    """An item that was looked at, and is within limits.

    Attributes:
        large: its medium takes so much memory that it should be decoded while no other large one is.
        decode: the medium, once, held in memory until the end of the ``with`` block; raises Undecodable.
    """

    large: bool
    decode: Callable[[], AbstractContextManager[Medium]]


Reader = Callable[[str | bytes], Opened]


class Decoder:
    """Opens items by kind; safe to call from many threads.

    Args:
        limits: what media may be.
        kinds: those that will be asked for.

    Raises:
        DecoderUnavailable: if one of them cannot be read here.
    """

    def __init__(self, limits: MediaLimits, kinds: Iterable[Kind]) -> None:
        self._readers = {kind: _MAKERS[kind](limits) for kind in kinds}

    def open(self, kind: Kind, value: str | bytes) -> Opened:
        """The item, before anything large is in memory; bytes are the file itself.

        Raises:
            Undecodable, TooLarge: naming the fault.
        """
        return self._readers[kind](value)


def _texts(_: MediaLimits) -> Reader:
    def read(value: str | bytes) -> Opened:
        text = cast("str", value)  # only media are files
        return Opened(large=False, decode=lambda: nullcontext(text))

    return read


def _pictures(limits: MediaLimits, *, grey: bool = False, clipped: bool = False) -> Reader:
    images = ImageReader(limits.images, saturate=clipped)

    def read(value: str | bytes) -> Opened:
        picture = images.open(read_bytes(value))
        return Opened(picture.large, picture.grey if grey else picture.rgb)

    return read


def _sounds(limits: MediaLimits) -> Reader:
    with _ffmpeg("sounds", limits):
        from vecmod.serving.media.audio import open_sound  # noqa: PLC0415 -- an optional extra

    def read(value: str | bytes) -> Opened:
        sound = open_sound(read_bytes(value), limits.sounds)
        return Opened(sound.large, lambda: nullcontext(sound.decode()))

    return read


def _films(limits: MediaLimits) -> Reader:
    with _ffmpeg("films", limits):
        from vecmod.serving.media.video import open_film  # noqa: PLC0415 -- an optional extra

    def read(value: str | bytes) -> Opened:
        film = open_film(read_bytes(value), limits.films)
        return Opened(film.large, lambda: closing(film.shots()))

    return read


def _motion(limits: MediaLimits) -> Reader:
    def read(value: str | bytes) -> Opened:
        table = read_imu(read_bytes(value), limits.motion)
        return Opened(large=False, decode=lambda: nullcontext(table))

    return read


@contextmanager
def _ffmpeg(what: str, limits: MediaLimits) -> Iterator[None]:
    """To import in what needs PyAV, with FFmpeg's memory limited."""
    try:
        from vecmod.serving.media.av_file import limit_blocks  # noqa: PLC0415 -- an optional extra

        yield
    except ImportError as error:
        raise DecoderUnavailable(
            f"{what} are read by PyAV, which is not installed: pip install 'vecmod[media]', "
            "or name the modalities you need in VECMOD_TOWERS"
        ) from error
    limit_blocks(limits.films.max_pixels)


_MAKERS: dict[Kind, Callable[[MediaLimits], Reader]] = {
    Kind.TEXT: _texts,
    Kind.COLOUR: _pictures,
    Kind.GREY: partial(_pictures, grey=True),
    Kind.CLIPPED_COLOUR: partial(_pictures, clipped=True),
    Kind.CLIPPED_GREY: partial(_pictures, grey=True, clipped=True),
    Kind.SOUND: _sounds,
    Kind.FILM: _films,
    Kind.MOTION: _motion,
}
