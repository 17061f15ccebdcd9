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
# Samples of all channels that are computed together: they take as many times a kernel's length of memory.
_BLOCK = 8192


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
        step = max(_BLOCK // len(self._samples), 1)
        blocks = [self._block(first, min(first + step, stop)) for first in range(start, stop, step)]
        return np.concatenate([np.empty((len(self._samples), 0), np.float32), *blocks], axis=1)

    def _block(self, start: int, stop: int) -> FloatArray:
        period, phase = np.divmod(np.arange(start, stop), self._new)
        taps = (period * self._old + self._starts[phase])[:, None] + np.arange(self._kernels.shape[1])
        first, last = int(taps.min()), int(taps.max()) + 1
        count = self._samples.shape[1]
        heard = self._samples[:, max(first, 0) : last]
        padded = np.pad(heard, ((0, 0), (max(-first, 0), max(last - count, 0))))
        block: FloatArray = np.einsum("ctk,tk->ct", padded[:, taps - first], self._kernels[phase])
        return block


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
