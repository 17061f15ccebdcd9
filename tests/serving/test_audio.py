"""Sounds of every kind to samples; hostile and damaged ones are refused, in little memory."""

import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from container_bombs import box, with_samples
from sounds import encoded_sound, tone, wav
from vecmod.contract.errors import RequestFault, TooLarge, Undecodable
from vecmod.serving.media.audio import open_sound
from vecmod.serving.media.boxes import declared_samples
from vecmod.serving.media.limits import AudioLimits
from vecmod.serving.medium import Sound

LIMITS = AudioLimits()
PCM = tone(1).tobytes()


def decode(data: bytes, limits: AudioLimits = LIMITS) -> Sound:
    return open_sound(data, limits).decode()


@pytest.fixture(autouse=True)
def _no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("container", "codec"),
    [("wav", "pcm_s16le"), ("wav", "pcm_s24le"), ("flac", "flac"), ("aiff", "pcm_s16be"), ("ipod", "alac")],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_formats(container: str, codec: str, channels: int) -> None:
    samples = tone(1.5, 22050, channels)
    read = decode(encoded_sound(samples, 22050, container, codec))
    assert read.rate == 22050
    np.testing.assert_array_equal(read.samples, samples.T / np.float32(2**15))


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "libmp3lame"), ("ipod", "aac"), ("adts", "aac"), ("ogg", "libopus"), ("webm", "libopus")],
)
def test_lossy_formats(container: str, codec: str) -> None:
    samples = tone(1.5, 48000)
    read = decode(encoded_sound(samples, 48000, container, codec))
    assert read.rate == 48000
    assert abs(read.samples.shape[1] - len(samples)) < 3000
    # The same tone, whatever was put before it.
    spectrum = np.abs(np.fft.rfft(read.samples[0, 24000:48000]))
    assert spectrum.argmax() == 110


@pytest.mark.parametrize(
    ("values", "bits", "kind", "expected"),
    [
        (np.array([0, 64, 128, 255], np.uint8), 8, 1, [-1, -0.5, 0, 127 / 128]),
        (np.array([-(2**31), 2**30, 2**8], "<i4"), 32, 1, [-1, 0.5, 2.0**-23]),
        (np.array([0.25, 2**-25, 3.0, -7.0], "<f4"), 32, 3, [0.25, 2.0**-24, 1, -1]),
        (np.array([0.25, 2**-26, 3.0, -7.0], "<f8"), 64, 3, [0.25, 0, 1, -1]),
    ],
)
def test_kinds_of_numbers(values: np.ndarray, bits: int, kind: int, expected: list[float]) -> None:
    data = wav(values.tobytes() * 500, bits=bits, kind=kind)
    np.testing.assert_array_equal(decode(data).samples[0], np.tile(np.array(expected, np.float32), 500))


def test_eight_channels() -> None:
    samples = tone(0.5, channels=8)
    np.testing.assert_array_equal(decode(wav(samples.tobytes(), channels=8)).samples, samples.T / np.float32(2**15))


@pytest.mark.parametrize("size", [0x7FFFF000, 2**32 - 1])
def test_lengths_that_programs_write_who_do_not_know(size: int) -> None:
    """Also: a header that declares gigabytes costs none."""
    tracemalloc.start()
    before = psutil.Process().memory_info().rss
    assert decode(wav(PCM, size=size)).samples.shape == (1, 16000)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert psutil.Process().memory_info().rss - before < 50_000_000


FLAC = encoded_sound(tone(3), 16000, "flac", "flac")
M4A = encoded_sound(tone(3), 48000, "ipod", "aac")
MP3 = encoded_sound(tone(3, 48000), 48000, "mp3", "libmp3lame")
WEBM = encoded_sound(tone(3, 48000), 48000, "webm", "libopus")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a sound"),
        (b"RIFF hello, this is text", "is not a sound, or its beginning is damaged; formats read here: wav,flac"),
        (b"hello " * 1000, "is not a sound"),
        (bytes(5000), "is not a sound"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "is not a sound"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "is not a sound"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n", "is not a sound"),
        (wav(b""), "has no samples in it"),
        (wav(PCM)[:10000], "is cut off: 22044 bytes are missing"),
        (FLAC[: len(FLAC) // 2], "is damaged|is cut off"),
        (M4A[: len(M4A) // 2], "is not a sound, or its beginning is damaged"),
        (MP3[: len(MP3) // 2], "is cut off: it says that it is 3.0 s long, and holds 1.5 s"),
        (WEBM[: len(WEBM) // 2], r"is cut off: \d+ bytes are missing"),
        (M4A[:900] + bytes(range(200)) + M4A[1100:], "is damaged"),
        (wav(PCM, rate=1), "has 1 samples a second; save it with 1000 to 384000"),
        (wav(PCM, rate=4_000_000_000), "is not a sound, or its beginning is damaged"),
        (wav(PCM, rate=0), "is not a sound, or its beginning is damaged"),
        (wav(PCM, channels=300), "has 300 channels; save it with 64 at most"),
        (wav(PCM, channels=4000), "is damaged"),
        (wav(np.array([0.5, np.nan], "<f4").tobytes(), bits=32, kind=3), "has samples that are not finite"),
        (with_samples(50_000_000), "declares more than 2000000 samples in its tables"),
    ],
)
def test_faults_are_named(data: bytes, message: str) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(Undecodable, match=message):
        decode(data)
    assert psutil.Process().memory_info().rss - before < 50_000_000


def test_damage_anywhere_is_a_fault_or_a_sound() -> None:
    """Nothing but our own faults comes out, whatever is done to a file."""
    random = np.random.default_rng(0)
    for whole in (FLAC, M4A, MP3, WEBM, wav(PCM)):
        for _ in range(60):
            data = bytearray(whole)
            for at in random.integers(0, len(data), 8):
                data[at] = random.integers(256)
            try:
                read = decode(bytes(data[: random.integers(1, len(data) + 1)]))
            except RequestFault:
                continue
            assert np.isfinite(read.samples).all()


def test_too_long() -> None:
    with pytest.raises(TooLarge, match="is longer than 2 s; send a shorter piece"):
        decode(wav(tone(2.1).tobytes()), AudioLimits(max_seconds=2))
    assert decode(wav(tone(2).tobytes()), AudioLimits(max_seconds=2)).samples.shape == (1, 32000)
    with pytest.raises(TooLarge, match="has more than 10000 samples in all channels"):
        decode(wav(PCM), AudioLimits(max_values=10000))


def test_an_hour_in_little_space_costs_little() -> None:
    """Silence in FLAC, which says how long it is, or does not, or says less."""
    hour = encoded_sound(np.zeros((3600 * 8000, 1), np.int16), 8000, "flac", "flac")
    assert len(hour) < 1_000_000
    said = slice(21, 26)
    assert int.from_bytes(hour[said], "big") & (1 << 36) - 1 == 3600 * 8000
    before = psutil.Process().memory_info().rss
    for samples in (3600 * 8000, 0, 8000):
        number = int.from_bytes(hour[said], "big") - 3600 * 8000 + samples
        with pytest.raises(TooLarge, match="is longer than 600 s"):
            open_sound(hour[: said.start] + number.to_bytes(5, "big") + hour[said.stop :], LIMITS)
    assert psutil.Process().memory_info().rss - before < 100_000_000


@pytest.mark.parametrize(("container", "codec"), [("flac", "flac"), ("mp3", "libmp3lame")])
def test_the_beginning_of_a_long_one_is_not_taken_for_a_short_one(container: str, codec: str) -> None:
    long = encoded_sound(tone(30, 48000), 48000, container, codec)
    with pytest.raises(RequestFault, match=r"is longer than 10 s|is cut off: .* long, and holds"):
        decode(long[: len(long) // 5], AudioLimits(max_seconds=10))


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [("adts", "aac", {}), ("mp3", "libmp3lame", {"write_xing": "0"}), ("webm", "libopus", {"live": "1"})],
)
def test_lengths_that_are_only_guessed_do_not_count(container: str, codec: str, options: dict[str, str]) -> None:
    """FFmpeg takes all of a file for as quiet as its beginning."""
    noise = np.random.default_rng(0).integers(-20000, 20000, (48000 * 10, 1)).astype(np.int16)
    samples = np.concatenate([np.zeros_like(noise), noise])
    read = decode(encoded_sound(samples, 48000, container, codec, **options))
    assert abs(read.samples.shape[1] - len(samples)) < 5000


@pytest.mark.parametrize("size", [32000, 32001, 10 * 2**30, 2**64 - 1])
def test_lengths_beyond_four_gigabytes(size: int) -> None:
    """They are in a chunk of their own."""
    whole = wav(PCM, size=2**32 - 1)
    chunk = struct.pack("<4sIQQQI", b"ds64", 28, 72, size, 16000, 0)
    data = b"RF64" + whole[4:12] + chunk + whole[12:]
    if size == len(PCM):
        assert decode(data).samples.shape == (1, 16000)
        return
    with pytest.raises(Undecodable, match=f"is cut off: {size - len(PCM)} bytes are missing"):
        decode(data)


def test_large_ones_are_told_before_they_are_kept() -> None:
    data = wav(bytes(4 * 48000 * 260), rate=48000, channels=2)
    assert open_sound(data, LIMITS).large
    assert open_sound(data, LIMITS).decode().samples.shape == (2, 48000 * 260)
    assert not open_sound(wav(PCM), LIMITS).large


def test_samples_declared_by_boxes() -> None:
    table = box(b"stsz", struct.pack(">III", 0, 1, 70))
    run = box(b"trun", struct.pack(">II", 0, 9))
    half = box(b"stz2", struct.pack(">III", 0, 4, 500))
    film = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table, half)))))
    long = struct.pack(">I4sQ", 1, b"moof", 16 + len(box(b"traf", run))) + box(b"traf", run)
    assert sum(declared_samples(box(b"ftyp", b"isom") + film + long + struct.pack(">I4s", 0, b"mdat"))) == 579
    assert sum(declared_samples(film[:-20])) == 70
    for data in (b"", b"\0" * 100, b"\0\0\0\1moov", b"\0\0\0\x09stsz\0", wav(PCM)):
        assert sum(declared_samples(data)) == 0
    assert sum(declared_samples(M4A)) > 40
