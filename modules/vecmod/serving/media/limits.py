"""What media may be; beyond it they are refused before they cost."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may be.

    Attributes:
        max_pixels: width times height.
        max_aspect: longer side divided by shorter side.
    """

    # Pillow's own hard limit, which the official containers have: what they take, we take.
    max_pixels: int = 178_956_970
    max_aspect: int = 200


@dataclass(frozen=True)
class AudioLimits:
    """What a sound may be.

    Attributes:
        max_seconds: length; a model hears the first two thirds of it at most.
        max_values: samples of all channels together; each takes 4 bytes.
    """

    max_seconds: int = 600
    max_values: int = 64 * 1024 * 1024

    @classmethod
    def lasting(cls, seconds: int) -> "AudioLimits":
        """Sounds of at most so many seconds, which may be in stereo at 48 kHz."""
        return cls(seconds, max(cls.max_values, seconds * 2 * 48_000))


@dataclass(frozen=True)
class VideoLimits:
    """What a film may be, and may cost.

    Attributes:
        max_seconds: length, as the film tells it.
        max_pixels: of one frame.
        max_frames: that are decoded to come to the ten: clips, and what stands between each and its key frame.
        max_work: pixels of all those together.
    """

    max_seconds: int = 7200
    max_pixels: int = 4096 * 2304
    max_frames: int = 6000
    max_work: int = 8_000_000_000


@dataclass(frozen=True)
class ImuLimits:
    """What a table of motion sensors may be.

    Attributes:
        max_rows: lines of numbers; the model looks at 2000, which are 10 seconds at 200 Hz.
    """

    max_rows: int = 200_000


@dataclass(frozen=True)
class MediaLimits:
    """The limits of all media."""

    images: ImageLimits = field(default_factory=ImageLimits)
    sounds: AudioLimits = field(default_factory=AudioLimits)
    films: VideoLimits = field(default_factory=VideoLimits)
    motion: ImuLimits = field(default_factory=ImuLimits)
