"""Containers that would cost FFmpeg gigabytes or hours before a sample is decoded do not."""

import os
import re
import time
from collections.abc import Callable

import pytest

import container_bombs as bombs
from growth import peak_below
from vecmod.contract.errors import RequestFault, TooLarge, Undecodable
from vecmod.serving.media import audio, av_file
from vecmod.serving.media.audio import open_sound
from vecmod.serving.media.clutter import behind_id3, clutter
from vecmod.serving.media.limits import AudioLimits
from vecmod.serving.medium import Sound

LIMITS = AudioLimits()
av_file.limit_blocks(4096 * 2304)


def decode(data: bytes, limits: AudioLimits = LIMITS) -> Sound:
    return open_sound(data, limits).decode()


@pytest.mark.parametrize(
    ("bomb", "few", "many", "message"),
    [
        (bombs.flac_tags, 5000, 300_000, "more than 10000 tags"),
        (bombs.ogg_tags, 5000, 100_000, "more than 10000 tags"),
        (lambda count: bombs.matroska(private=bombs.flac_tags(count)), 5000, 300_000, "more than 10000 tags"),
        (bombs.matroska_tags, 5000, 50_000, "more than 10000 tags or chapters"),
        (bombs.matroska_chapters, 5000, 50_000, "more than 10000 tags or chapters"),
        (bombs.wav_tags, 5000, 100_000, "more than 10000 tags or chapters"),
        (bombs.matroska_cues, 20_000, 150_000, "more than 100000 entries in its index"),
        (
            lambda count: bombs.matroska_cues(count, b"\xf7\x01" + bytes(6) + b"\x02\0\1"),
            20_000,
            150_000,
            "more than 100000 entries in its index",
        ),
        (lambda count: bombs.id3() * count + bombs.MP3, 90, 100_000, "begins with more than 100 lists of tags"),
        (bombs.with_samples, 1_900_000, 500_000_000, "declares more than 2000000 samples"),
        (lambda count: b"\0\0\0\x08moov" * count, 1_900_000, 3_000_000, "declares more than 2000000 samples"),
    ],
)
def test_what_costs_more_than_it_should_is_refused_at_once(
    bomb: Callable[[int], bytes], few: int, many: int, message: str
) -> None:
    assert clutter(cut(bomb(few))) == ""
    data = bomb(many)
    start = time.thread_time()
    with pytest.raises(Undecodable, match=message), peak_below(50):
        decode(data)
    assert time.thread_time() - start < 5


def cut(data: bytes) -> bytes:
    return data[behind_id3(data) :]


@pytest.mark.parametrize(
    "data",
    [
        bombs.flac_tags(5000),
        bombs.matroska_tags(5000),
        bombs.matroska_chapters(5000),
        bombs.matroska_cues(5000),
        bombs.wav_tags(5000),
        bombs.wav_information(5000),
        bombs.mp4_tags(5000),
        bombs.mp3_tags(300_000),
        bombs.id3() + bombs.FLAC,
        bombs.id3()[:5] + b"\x10" + bombs.id3()[6:] + b"3DI" + bytes(7) + bombs.MP3,
    ],
    ids=range(10),
)
def test_many_tags_are_no_fault(data: bytes) -> None:
    assert decode(data).samples.shape[1] >= 16000


def test_noise_is_no_clutter() -> None:
    """In many megabytes everything stands somewhere."""
    noise = os.urandom(60_000_000)
    for start in (b"", bombs.matroska()[:4], bombs.FLAC[:42], b"OggS", b"\0\0\0\1mdat"):
        assert clutter(start + noise) == ""


@pytest.mark.parametrize("data", [bombs.hidden_samples(50_000_000), bombs.packed_samples(50_000_000)])
def test_tables_that_only_ffmpeg_finds_take_no_memory(data: bytes) -> None:
    assert len(data) < 20_000
    with pytest.raises(Undecodable), peak_below(100):
        decode(data)


def test_a_sound_that_is_played_again_and_again_takes_little_memory() -> None:
    with pytest.raises(Undecodable), peak_below(250):
        decode(bombs.played_again(1000))


@pytest.mark.parametrize("data", [bombs.mp4_tags(100_000), bombs.wav_information(100_000)])
def test_headers_have_so_much_time(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av_file, "_OPENING_SECONDS", 0.2)
    start = time.thread_time()
    with pytest.raises(TooLarge, match=r"takes more than 0\.2 s of a processor's time to read; save it again"):
        decode(data)
    assert time.thread_time() - start < 2


def test_the_whole_has_so_much_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bombs.matroska_crumbs(500_000)
    monkeypatch.setattr(av_file, "_SECONDS", 0.2)
    start = time.thread_time()
    with pytest.raises(TooLarge, match=r"takes more than 0\.2 s of a processor's time"):
        decode(data)
    assert time.thread_time() - start < 2
    monkeypatch.undo()
    decode(bombs.matroska())


def test_crumbs_of_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two samples in each frame: they take no more memory than they would in larger ones, and there may be so many."""
    data = bombs.matroska_crumbs(200_000)
    with peak_below(40):
        assert decode(data).samples.shape == (1, 400_000)
    monkeypatch.setattr(audio, "_FRAMES_A_SECOND", 100)
    with pytest.raises(
        TooLarge, match="has more than 60000 frames; save it again, with 10 ms of sound or more in each"
    ):
        decode(data)


@pytest.mark.parametrize("milliseconds", [1e300, -1e300, float("nan"), float("inf"), -5.0, 0.0, 1e-300, 1e18, 1e10])
def test_a_length_that_cannot_be(milliseconds: float) -> None:
    data = bombs.matroska_lasting(milliseconds)
    try:
        said = str(decode(data).samples.shape)
    except RequestFault as fault:
        said = fault.message
    assert re.fullmatch(r"\(1, 16000\)|is longer than 600 s;.*|is cut off: it says .*", said)


def test_boxes_within_boxes() -> None:
    """FFmpeg looks ten deep; a million are no reason to fail otherwise."""
    with pytest.raises(Undecodable, match="is not a sound"):
        decode(b"\0\0\0\0moov" * 1_000_000)
