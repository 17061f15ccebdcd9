"""Sounds to mel pictures: as ImageBind's own code computed them.

Its Fourier transform is in float32, so what stands in bands near silence is rounding: there the numbers differ by what
the transform's order of additions makes. In a vector that is 3e-6 of its largest number, measured on a small network.
"""

import numpy as np
import pytest

from bind_golden import arrays, facts, raw
from growth import peak_below
from vecmod.contract.errors import Undecodable
from vecmod.serving.media.audio import open_sound
from vecmod.serving.media.limits import AudioLimits
from vecmod.serving.medium import Sound
from vecmod.serving.model.mel import clip_bounds, log_mel, mel_bank, prepare_sound
from vecmod.serving.model.resampling import Resampler

GOLDEN = arrays("audio")
FACTS = facts("audio_trace")
TRACE = arrays("audio_trace")


def sound(name: str) -> Sound:
    return open_sound(raw("audio", name), AudioLimits()).decode()


@pytest.mark.parametrize("name", GOLDEN)
def test_whole_way(name: str) -> None:
    expected = GOLDEN[name]
    prepared = prepare_sound(sound(name))
    assert prepared.dtype == np.float32
    difference = np.abs(prepared - expected)
    assert difference[expected > 0].max(initial=0) <= 1e-5
    assert difference.mean() <= 1e-5
    assert difference.max() <= 2e-3


@pytest.mark.parametrize("name", GOLDEN)
def test_samples_are_decoded_exactly_and_resampled(name: str) -> None:
    read, said = sound(name), FACTS[name]
    assert read.samples.shape == (said["channels"], said["file_samples"])
    resampled = Resampler(read.samples, read.rate, 16000)
    assert resampled.length == said["samples_16k"]
    wave = resampled.part(0, resampled.length)[0]
    tolerance = 0 if read.rate == 16000 else 3e-7
    assert np.abs(wave[:4096] - TRACE[f"{name}|wave16k_ch0_head"]).max() <= tolerance
    assert np.abs(wave[-256:] - TRACE[f"{name}|wave16k_ch0_tail"]).max() <= tolerance
    part = resampled.part(5000, 15001)[0]
    assert np.abs(part - wave[5000:15001]).max() <= tolerance


@pytest.mark.parametrize("name", GOLDEN)
def test_clips(name: str) -> None:
    said = [(clip["start_sample"], clip["end_sample"]) for clip in FACTS[name]["clips"]]
    assert clip_bounds(FACTS[name]["samples_16k"]) == said


def test_mel_bank_is_exact() -> None:
    np.testing.assert_array_equal(mel_bank(), TRACE["mel_filterbank_128x256"])


def test_only_the_first_channel_is_heard_but_for_the_mean() -> None:
    left, right = np.random.default_rng(0).normal(0, 0.1, (2, 32000)).astype(np.float32)
    both = prepare_sound(Sound(np.stack([left, right]), 16000))
    np.testing.assert_allclose(both, prepare_sound(Sound(left[None], 16000)), atol=2e-3)


@pytest.mark.parametrize(("samples", "milliseconds"), [(1, 0.1), (399, 24.9)])
def test_less_than_a_frame(samples: int, milliseconds: float) -> None:
    with pytest.raises(Undecodable, match=f"is {milliseconds} ms long; send a sound of 25 ms"):
        prepare_sound(Sound(np.zeros((1, samples), np.float32), 16000))
    assert prepare_sound(Sound(np.zeros((1, 400), np.float32), 16000)).shape == (3, 1, 128, 204)


@pytest.mark.parametrize("rate", [1000, 8000, 11025, 15999, 16001, 44056, 48000, 96000, 383_999])
def test_any_rate(rate: int) -> None:
    """A pure tone stays one, at its pitch and its loudness; also where rates have no common divisor."""
    at = np.arange(3 * rate) / rate
    resampled = Resampler(np.sin(2 * np.pi * 200 * at).astype(np.float32)[None], rate, 16000)
    assert abs(resampled.length - 48000) <= 1
    heard = resampled.part(16000, 32000)[0]
    expected = np.sin(2 * np.pi * 200 * np.arange(16000, 32000) / 16000)
    assert np.abs(heard - expected).max() < (0.05 if rate == 1000 else 0.003)
    assert log_mel(heard).mean(axis=1).argmax() == (mel_bank() @ (np.arange(256) == 6)).argmax()


def test_many_channels_take_no_more_memory_than_two() -> None:
    sound = Sound(np.full((64, 400_000), 0.01, np.float32), 384_000)
    with peak_below(150):
        assert prepare_sound(sound).shape == (3, 1, 128, 204)
