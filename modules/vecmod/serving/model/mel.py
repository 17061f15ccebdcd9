"""Sounds to the input of ImageBind's network: three clips, each as a picture of mel bands over time.

Filter bank: Kaldi's (feature-window.cc, mel-computations.cc; Povey et al. 2011), with a Hann window, after S. Young et
al., The HTK Book, section 5.4. Clips, their means and their padding are as ImageBind's authors have them; vectors made
otherwise differ.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np

from vecmod.contract.errors import Undecodable
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.medium import Kind, Medium, Sound
from vecmod.serving.model.resampling import Resampler
from vecmod.serving.model.steps import Prepared, Steps

RATE = 16_000
CLIPS = 3
BANDS = 128
COLUMNS = 204
_CLIP_SECONDS = 2
_FRAME, _HOP, _FFT = 400, 160, 512  # samples: 25 ms, 10 ms, and the next power of two
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 8000.0
_PREEMPHASIS = np.float32(0.97)
_FLOOR = np.finfo(np.float32).eps
_MEAN, _STD = np.float32(-4.268), np.float32(9.138)


@dataclass(frozen=True)
class SoundSteps(Steps):
    """Three clips of two seconds, each as a picture of mel bands over time; see :func:`prepare_sound`."""

    kind = Kind.SOUND
    clips = CLIPS

    def prepare(self, medium: Medium) -> Prepared:
        """Pictures float32 ``[3, 1, 128, 204]``."""
        return Prepared(prepare_sound(cast("Sound", medium)))

    def blank(self) -> Inputs:
        """As loud as the average."""
        return np.zeros((1, 1, BANDS, COLUMNS), np.float32)

    def describe(self) -> str:
        """One line for ``/meta``."""
        return f"{CLIPS} clips of {_CLIP_SECONDS} s at {RATE} Hz, {BANDS} mel bands, (x - {_MEAN:g}) / {_STD:g}"


def prepare_sound(sound: Sound) -> FloatArray:
    """Network input float32 ``[3, 1, 128, 204]``: clips, channel, mel bands, time.

    Raises:
        Undecodable: if the sound is shorter than one frame of 25 ms.
    """
    resampled = Resampler(sound.samples, sound.rate, RATE)
    if resampled.length < _FRAME:
        milliseconds = 1000 * resampled.length / RATE
        raise Undecodable(f"is {milliseconds:.1f} ms long; send a sound of 25 ms or more")
    return np.stack([_picture(clip) for clip in _clips(resampled)])[:, None]


def clip_bounds(length: int) -> list[tuple[int, int]]:
    """First sample and the one after the last of each clip, of ``length`` samples at 16 kHz.

    As pytorchvideo's sampler: the last clip begins at two thirds of what would be possible.
    """
    spare = Fraction(max(length / RATE - _CLIP_SECONDS, 0))
    starts = [spare * number / CLIPS for number in range(CLIPS)]
    return [(int(start * RATE), min(int((start + _CLIP_SECONDS) * RATE), length)) for start in starts]


def _clips(sound: Resampler) -> list[FloatArray]:
    """The first channel of each clip, less the mean of all channels.

    The authors take each mean away in the sound itself, so a clip that overlaps earlier ones begins with samples that
    have lost their means already.
    """
    clips: list[FloatArray] = []
    taken: list[tuple[int, np.float32]] = []
    for start, stop in clip_bounds(sound.length):
        clip = sound.part(start, stop)
        for until, mean in taken:
            clip[:, : max(until - start, 0)] -= mean
        mean = clip.mean(dtype=np.float32)
        clips.append(clip[0] - mean)
        taken.append((stop, mean))
    return clips


def _picture(clip: FloatArray) -> FloatArray:
    """Normalised log powers float32 ``[128, 204]`` of samples ``[n]``; padding is zero before the normalisation."""
    bands = log_mel(clip)[:, :COLUMNS]
    picture = np.zeros((BANDS, COLUMNS), np.float32)
    picture[:, : bands.shape[1]] = bands
    return (picture - _MEAN) / _STD


def log_mel(samples: FloatArray) -> FloatArray:
    """Natural logarithms of mel powers, float32 ``[128, frames]``, of samples ``[n]`` at 16 kHz; whole frames only."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True, dtype=np.float32)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = np.fft.rfft((frames - _PREEMPHASIS * before) * _HANN, n=_FFT)
    powers = (np.abs(spectrum) ** 2)[:, : _FFT // 2]  # the last bin, 8000 Hz, is in no band
    bands: FloatArray = np.log(np.maximum(powers @ mel_bank().T, _FLOOR)).T
    return bands


def mel_bank() -> FloatArray:
    """Weights float32 ``[128, 256]`` of the bins of a Fourier transform in each band: triangles, linear in mel."""
    return _BANK


def _mel(hertz: FloatArray) -> FloatArray:
    """Mels of hertz; the logarithm is rounded once, as not every float32 logarithm is."""
    logarithm = np.log((np.float32(1) + hertz / np.float32(700)).astype(np.float64)).astype(np.float32)
    scale: FloatArray = np.float32(1127) * logarithm
    return scale


def _triangles() -> FloatArray:
    """In float32, each corner by itself, as torchaudio does: the slopes' rounding is heard in silent bands."""
    lowest, highest = (1127.0 * math.log(1.0 + hertz / 700.0) for hertz in (_LOWEST_HZ, _HIGHEST_HZ))
    step = np.float32((highest - lowest) / (BANDS + 1))
    corners = np.float32(lowest) + np.arange(BANDS + 2, dtype=np.float32) * step
    left, centre, right = (corners[first : first + BANDS, None] for first in range(3))
    at = _mel(np.arange(_FFT // 2, dtype=np.float32) * np.float32(RATE / _FFT))
    triangles: FloatArray = np.maximum(np.minimum((at - left) / (centre - left), (right - at) / (right - centre)), 0)
    return triangles


# Its angles are rounded to float32 first, as torch's are.
_ANGLES = (np.arange(_FRAME, dtype=np.float32) * np.float32(2 * math.pi / (_FRAME - 1))).astype(np.float64)
_HANN = np.float32(0.5) - np.float32(0.5) * np.cos(_ANGLES).astype(np.float32)
_BANK = _triangles()
