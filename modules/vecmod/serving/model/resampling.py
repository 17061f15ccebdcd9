"""Sounds to another rate, as torchaudio does it: a sinc under a Hann window, its kernel in float32.

Formula: J. O. Smith, "Digital Audio Resampling" (band-limited interpolation); width and roll-off are torchaudio's.
The kernel is computed in float32 because the models' authors had it so: in silent bands its rounding is all there is.
"""

from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from vecmod.serving.engine.engine import FloatArray

_ZERO_CROSSINGS = 6
_ROLL_OFF = 0.99
# Samples of all channels that are computed together: they are copied, as many times as a kernel is long.
_BLOCK = 32_768


class Resampler:
    """One sound at another rate, of which any part can be computed; what lies beyond its ends is silence.

    Args:
        samples: float32 ``[channels, n]``.
        rate: samples in a second.
        target: the same, wanted.
    """

    def __init__(self, samples: FloatArray, rate: int, target: int) -> None:
        divisor = gcd(rate, target)
        self._old, self._new = rate // divisor, target // divisor
        self._samples = samples
        self.length = ceil(self._new * samples.shape[1] / self._old)
        self._starts, self._kernels = _kernels(self._old, self._new)

    def part(self, start: int, stop: int) -> FloatArray:
        """Samples float32 ``[channels, stop - start]`` of the new rate; a copy."""
        if self._old == self._new:
            return self._samples[:, start:stop].copy()
        made = np.empty((len(self._samples), stop - start), np.float32)
        heard, before = self._heard(start, stop)
        windows = np.lib.stride_tricks.sliding_window_view(heard, self._kernels.shape[1], axis=1)
        kernels = self._kernels
        # Every sample of one phase has the same kernel, and hears what stands one period after the one before.
        for first in range(start, min(start + self._new, stop)):
            count = len(range(first, stop, self._new))
            begin = self._begin(first) - before
            step = max(_BLOCK // count, 1)
            for low in range(0, len(made), step):
                alike = windows[low : low + step, begin :: self._old][:, :count]
                made[low : low + step, first - start :: self._new] = alike @ kernels[first % self._new]
        return made

    def _heard(self, start: int, stop: int) -> tuple[FloatArray, int]:
        """The samples of the old rate that a part hears, with silence around them, and the place of the first."""
        first, last = self._begin(start), self._begin(max(stop - 1, start)) + self._kernels.shape[1]
        there = self._samples[:, max(first, 0) : last]
        beyond = max(last - self._samples.shape[1], 0)
        return np.pad(there, ((0, 0), (max(-first, 0), beyond))), first

    def _begin(self, at: int) -> int:
        """The first sample of the old rate that the one at ``at`` of the new rate hears."""
        period, phase = divmod(at, self._new)
        return period * self._old + int(self._starts[phase])


def _kernels(old: int, new: int) -> tuple[NDArray[np.int64], FloatArray]:
    """For each of ``new`` phases the first sample it hears, int64 ``[new]``, and weights float32 ``[new, taps]``."""
    band = _ROLL_OFF * min(old, new)
    width = ceil(_ZERO_CROSSINGS * old / band)
    phase = np.arange(new)
    starts = phase * old // new - width
    taps = starts[:, None] + np.arange(2 * width + 2)
    at = taps.astype(np.float32) / np.float32(old) - (phase.astype(np.float32) / np.float32(new))[:, None]
    at = np.clip(at * np.float32(band), -_ZERO_CROSSINGS, _ZERO_CROSSINGS)
    window = np.cos(at * np.float32(np.pi) / np.float32(_ZERO_CROSSINGS) / np.float32(2)) ** 2
    angle = at * np.float32(np.pi)
    with np.errstate(invalid="ignore"):
        sinc = np.where(angle == 0, np.float32(1), np.sin(angle) / angle)
    return starts, (sinc * (window * np.float32(band / old))).astype(np.float32)
