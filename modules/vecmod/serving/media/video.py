"""Bytes to the ten frames of a film that a model looks at: the first and the last of each of five clips of two seconds.

Which clips and which frames is pytorchvideo's way, as ImageBind's container uses it. What is between two clips is
skipped where the file has key frames to begin again at, so a long film costs little more than a short one.

========================  ===================================================================================
sound                     ignored
turned (phones)           not turned back, as the official container has it
transparency              dropped
no length in the header   the last frame's time stamp is taken for it
========================  ===================================================================================
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil
from typing import NamedTuple

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vecmod.contract.errors import TooLarge, Undecodable
from vecmod.serving.media.av_file import DAMAGE, check_decoder, damaged, opened, undamaged
from vecmod.serving.media.limits import VideoLimits
from vecmod.serving.medium import Place, Shot

_FORMATS = "mov,matroska,avi,gif"
_DECODERS = "av1 gif h263 h264 hevc libdav1d libvpx-vp9 mjpeg mpeg4 prores vp8 vp9"
_CLIPS, _CLIP_SECONDS = 5, 2
# Full HD: a decoder keeps up to 17 such frames.
_LARGE_PIXELS = 1920 * 1088
# Key frames are found by when they are to be decoded, which is that much before they are shown, at most.
_SEEK_SECONDS = 1


@dataclass(frozen=True)
class OpenFilm:
    """A film within limits, as far as its header tells.

    Attributes:
        large: its frames are so large that whoever decodes it should decode no other large one.
        shots: the frames, at most ten, one at a time; raises Undecodable, TooLarge.
    """

    large: bool
    shots: Callable[[], Generator[Shot, None, None]]


class Clip(NamedTuple):
    """A clip in ticks of its film: frames shown at ``start`` or later, and before ``stop``."""

    number: int
    start: int
    stop: int


def open_film(data: bytes, limits: VideoLimits) -> OpenFilm:
    """A film whose header was read.

    Raises:
        TooLarge: if its frames have too many pixels.
        Undecodable: if it is no film, or its header is damaged.
    """
    with opened(data, "a film", _FORMATS, limits.max_pixels) as container:
        context = _stream(container, limits.max_pixels).codec_context
        pixels = context.width * context.height
    # FFmpeg forgets a size that is beyond the limit.
    if not 0 < pixels <= limits.max_pixels:
        raise TooLarge(
            f"has frames of more than {limits.max_pixels} pixels, or of no size; save it smaller, "
            "or raise VECMOD_MAX_VIDEO_PIXELS"
        )
    large = pixels > _LARGE_PIXELS
    most = limits.max_pixels if large else min(_LARGE_PIXELS, limits.max_pixels)
    return OpenFilm(large, partial(_shots_of, data, limits, most))


def _shots_of(data: bytes, limits: VideoLimits, most_pixels: int) -> Generator[Shot, None, None]:
    """The shots of a film whose frames turn out to have as many pixels as its header tells."""
    with opened(data, "a film", _FORMATS, most_pixels) as container:
        stream = _stream(container, most_pixels)
        clips = _clips(stream, partial(_last_tick, data, most_pixels), limits.max_seconds)
        yield from _Walk(container, stream, limits).shots(clips)


def _stream(container: InputContainer, most_pixels: int) -> VideoStream:
    if not container.streams.video:
        raise Undecodable("has no pictures in it; send a file with a video track")
    stream = container.streams.video[0]
    check_decoder(stream, _DECODERS, "save it as MP4 (H.264) or WebM")
    stream.codec_context.options = {"max_pixels": str(most_pixels)}
    return stream


def _last_tick(data: bytes, most_pixels: int) -> int:
    """When the last frame is shown, of a film that does not tell how long it is; nothing is decoded for it."""
    with opened(data, "a film", _FORMATS, most_pixels) as container:
        packets = undamaged(container.demux(container.streams.video[0]))
        return max((packet.pts for packet in packets if packet.pts is not None), default=0)


def _clips(stream: VideoStream, last_tick: Callable[[], int], max_seconds: int) -> deque[Clip]:
    """Five clips, evenly spread: the last one begins at four fifths of what would be possible."""
    tick = stream.time_base
    if tick is None:
        raise Undecodable("does not tell when its pictures are shown; save it again")
    first = stream.start_time or 0
    length = last_tick() if stream.duration is None else stream.duration
    if length * tick > max_seconds:
        raise TooLarge(f"is longer than {max_seconds} s; send a shorter piece, or raise VECMOD_MAX_VIDEO_SECONDS")
    spare = max((length - first) * tick - _CLIP_SECONDS, Fraction(0))
    starts = [spare * number / _CLIPS for number in range(_CLIPS)]
    ticks = [(ceil(start / tick) + first, ceil((start + _CLIP_SECONDS) / tick) + first) for start in starts]
    return deque(Clip(number, start, stop) for number, (start, stop) in enumerate(ticks))


class _Walk:
    """One way through a film, from frame to frame and from key frame to key frame."""

    def __init__(self, container: InputContainer, stream: VideoStream, limits: VideoLimits) -> None:
        self._container = container
        self._stream = stream
        self._limits = limits
        self._frames = self._work = 0
        self._now = stream.start_time or 0

    def shots(self, waiting: deque[Clip]) -> Iterator[Shot]:
        """Both ends of the clips, which stand in the order of their starts."""
        running: list[Clip] = []
        frames, previous = self._decoded(), None
        while waiting or running:
            if not running and self._can_skip_to(waiting[0]):
                frames = self._skipped_to(waiting[0])
            frame = next(frames, None)
            if previous is not None:
                ended = [clip for clip in running if frame is None or clip.stop <= self._now]
                yield from _shot(previous, ended, 1)
                running = [clip for clip in running if clip not in ended]
            if frame is None:
                break
            begun = self._begun(waiting)
            yield from _shot(frame, begun, 0)
            running += begun
            previous = frame
        if waiting:
            raise self._nothing_in(waiting[0])

    def _decoded(self) -> Iterator[VideoFrame]:
        for frame in undamaged(self._container.decode(self._stream)):
            self._frames += 1
            self._work += frame.width * frame.height
            if self._frames > self._limits.max_frames or self._work > self._limits.max_work:
                raise TooLarge(
                    f"takes more than {self._limits.max_frames} frames, or {self._limits.max_work} pixels, of decoding "
                    "to look at five clips of it; save it smaller, shorter, or with more key frames, or raise "
                    "VECMOD_MAX_VIDEO_FRAMES"
                )
            if frame.pts is not None:
                self._now = frame.pts
                yield frame

    def _can_skip_to(self, clip: Clip) -> bool:
        """Whether there is a key frame that is nearer to the clip than where the walk is."""
        entries = self._stream.index_entries
        found = entries.search_timestamp(self._before(clip), backward=True)
        return found >= 0 and entries[found].timestamp > self._now

    def _skipped_to(self, clip: Clip) -> Iterator[VideoFrame]:
        try:
            self._container.seek(self._before(clip), stream=self._stream, backward=True)
        except DAMAGE as error:
            fault = damaged(error)
        else:
            return self._decoded()
        raise fault

    def _before(self, clip: Clip) -> int:
        return clip.start - ceil(_SEEK_SECONDS / (self._stream.time_base or 1))

    def _begun(self, waiting: deque[Clip]) -> list[Clip]:
        begun = []
        while waiting and waiting[0].start <= self._now:
            if waiting[0].stop <= self._now:
                raise self._nothing_in(waiting[0])
            begun.append(waiting.popleft())
        return begun

    def _nothing_in(self, clip: Clip) -> Undecodable:
        tick, first = self._stream.time_base or 1, self._stream.start_time or 0
        start, stop = (float((at - first) * tick) for at in (clip.start, clip.stop))
        return Undecodable(
            f"has no picture between {start:.1f} s and {stop:.1f} s, where its length says that there is one; "
            "send it again, whole, or save it with one picture a second or more"
        )


def _shot(frame: VideoFrame, clips: list[Clip], end: int) -> Iterator[Shot]:
    if clips:
        rgb = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        yield Shot(rgb, tuple(Place(clip.number, end) for clip in clips))
