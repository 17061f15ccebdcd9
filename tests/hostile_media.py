"""Media that are broken, cut off, something else, or made to cost; and what a service says of each."""

import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

import container_bombs as bombs
from bind_golden import raw
from films import film, header_first
from pictures import b64, encoded, gradient, png_of_size
from sounds import encoded_sound, tone, wav

SAVE = r"; (send|save) "


class Bad(NamedTuple):
    """A value on the wire, the status that it should be answered with, and a pattern for what is said of it."""

    name: str
    value: str
    status: int
    words: str


def _kept(make: Callable[[], Iterator[Bad]]) -> Callable[[], tuple[Bad, ...]]:
    """Made once: some take seconds."""
    return cache(lambda: tuple(make()))


def _bad(name: str, data: bytes, status: int, words: str) -> Bad:
    return Bad(name, b64(data), status, words)


@_kept
def no_media() -> Iterator[Bad]:
    """Of no kind at all."""
    yield Bad("nothing", "", 422, "is empty; send the file's bytes as base64")
    yield Bad("garbage", "%%%!", 422, "is not base64 .*; send the file's bytes as base64")
    yield Bad("letters", "hello there, this is text", 422, "is not base64 .*; send the file's bytes as base64")
    yield Bad("half", b64(raw("images", "rgb_200x203.png"))[:-3] + "!", 422, "is not base64")
    yield Bad("other letters", "日本語" * 1000, 422, "is not base64 .*not ASCII.*; send")
    yield Bad("empty data URI", "data:video/mp4;base64,", 422, "is empty; send")
    yield Bad("plain data URI", "data:text/plain,hello", 422, "is a data URI without base64 data; send")
    yield Bad("endless data URI", "data:" + "x" * 100_000, 422, "is a data URI without base64 data; send")
    yield Bad(
        "URL",
        "http://127.0.0.1:9/a.mp4",
        422,
        "is a URL, and this service fetches none; .* add .* to VECMOD_ALLOW_URLS",
    )
    yield Bad(
        "secure URL",
        "https://example.com/a.wav",
        422,
        "is a URL, and this service fetches none; .* add .* to VECMOD_ALLOW_URLS",
    )
    yield Bad("file", "file:///etc/passwd", 422, "is a URL, but only http|is not base64")
    yield Bad("path", "/etc/passwd", 422, r"is not|too few lines|is empty")
    yield _bad("text", b"Hello, this is a text. " * 500, 422, r"is not a|line 1|too few lines")
    yield _bad("zeros", bytes(10_000), 422, r"is not a|line 1|too few lines")
    yield _bad("noise", np.random.default_rng(0).bytes(10_000), 422, r"is not a|line [12]|too few lines")
    yield _bad("playlist", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", 422, r"is not a|line 2")
    yield _bad("list of files", b"ffconcat version 1.0\nfile /etc/hostname\n", 422, r"is not a|line 2")
    yield _bad("web page", b"<!DOCTYPE html><html><body>Not found</body></html>", 422, r"is not a|too few lines")


@_kept
def bad_films() -> Iterator[Bad]:
    mp4 = film(30, 10)
    first = header_first(mp4)
    damaged = (
        r"is damaged: .*; send|has no picture between .*; send|is not a film, or its beginning is damaged; formats"
    )
    damaged += "|is cut off: .* bytes are missing; send|has no pictures in it; send"
    for share in (0.001, 0.05, 0.5, 0.9):
        yield _bad(f"{share} of an MP4", mp4[: int(share * len(mp4))], 422, damaged)
    for share in (0.01, 0.3, 0.6):
        yield _bad(f"{share} of an MP4 made for the web", first[: int(share * len(first))], 422, damaged)
    yield _bad("an MP4 without its tables", mp4[: mp4.index(b"moov") - 4], 422, damaged)
    yield _bad("an MP4's tables alone", mp4[mp4.index(b"moov") - 4 :], 422, damaged)
    yield _bad("half a golden one", (film_ := raw("video", "vfr_240x180_9s.mp4"))[: len(film_) // 2], 422, damaged)
    yield _bad("half a WebM", (webm := film(30, 10, "webm", "libvpx-vp9"))[: len(webm) // 2], 422, damaged)
    yield _bad("half an AVI", (avi := film(30, 10, "avi", "mpeg4"))[: len(avi) // 2], 422, damaged)
    for name in ("landscape_320x240.jpg", "rgb_200x203.png"):
        yield _bad(name, raw("images", name), 422, "is not a film.*; formats read here")
    yield _bad("a sound", raw("audio", "tone_16k_mono_1s.wav"), 422, "is not a film.*; formats read here")
    yield _bad("an M4A", bombs.M4A, 422, "has no pictures in it; send a file with a video track")
    yield _bad("a table", raw("imu", "imu_1500.csv"), 422, "is not a film.*; formats read here")
    yield _bad("a rare codec", film(10, 10, "avi", "ffv1"), 422, "is encoded as ffv1; save it as MP4")
    yield _bad("three hours declared", film(20, 10, codec="mpeg4", late=108_000), 413, "is longer than 7200 s; send a ")
    yield _bad(
        "three hours", film(1100, 1, codec="mpeg4", size=(16, 16), step=10), 413, "is longer than 7200 s; send a "
    )
    yield from _frames_too_large()
    yield from _gifs()


def _frames_too_large() -> Iterator[Bad]:
    too_large = (
        "has frames of more than 9437184 pixels, or of no size; save it smaller, or raise VECMOD_MAX_VIDEO_PIXELS"
    )
    yield _bad("a GIF of 16384x16384", gif_of(16384, 16384, 1), 413, too_large)
    yield _bad("a GIF of 65535x65535", gif_of(65535, 65535, 1), 413, too_large)
    yield _bad("a film of 3400x2800", film(1, 10, codec="mpeg4", size=(3400, 2800)), 413, too_large)
    avi = film(2, 10, "avi", "mjpeg")
    start = avi.index(b"\xff\xc0") + 5
    large = avi[:start] + struct.pack(">HH", 16384, 16384) + avi[start + 4 :]
    yield _bad("an AVI whose pictures are 16384x16384", large, 422, "is damaged|is not a film|has no picture")


def _gifs() -> Iterator[Bad]:
    decoding = "takes more than 6000 frames, or 8000000000 pixels, of decoding .* or raise VECMOD_MAX_VIDEO_FRAMES"
    yield _bad("a GIF of 20000 frames", gif_of(16, 16, 20_000), 413, decoding)
    yield _bad("a GIF of frames that last", gif_of(16, 16, 100, 65535), 413, "is longer than 7200 s")


def gif_of(width: int, height: int, frames: int, hundredths: int = 1) -> bytes:
    """Frames of one pixel each on a canvas of any size, each shown for so many hundredths of a second."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"!\xf9\4" + struct.pack("<BHBB", 0, hundredths, 0, 0)
    picture = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2D\1\0"
    return head + (control + picture) * frames + b";"


def film_lasting(milliseconds: float) -> bytes:
    """A Matroska film of three seconds that says something else."""
    data = film(30, 10, "matroska", "libx264")
    start = data.index(b"\x44\x89\x88") + 3
    return data[:start] + struct.pack(">d", milliseconds) + data[start + 8 :]


@_kept
def bad_sounds() -> Iterator[Bad]:
    damaged = (
        r"is damaged: .*; send|is cut off: .*; send|is not a sound, or its beginning is damaged; formats|has no samp"
    )
    flac = encoded_sound(tone(3), 16000, "flac", "flac")
    mp3 = encoded_sound(tone(3, 48000), 48000, "mp3", "libmp3lame")
    for name, data in (("a WAV", wav(tone(3).tobytes())), ("a FLAC", flac), ("an MP3", mp3), ("an M4A", bombs.M4A)):
        for share in (0.001, 0.3, 0.8):
            yield _bad(f"{share} of {name}", data[: int(share * len(data))], 422, damaged)
    yield _bad("a WAV without samples", wav(b""), 422, "has no samples in it; send a sound that is not empty")
    yield _bad("a FLAC without samples", bombs.FLAC[:42], 422, damaged)
    yield _bad("24 ms", wav(tone(0.024).tobytes()), 422, r"is 24\.0 ms long; send a sound of 25 ms or more")
    yield _bad("one sample", wav(b"\0\1"), 422, r"is 0\.1 ms long; send a sound of 25 ms or more")
    ten = b"RF64\xff\xff\xff\xffWAVE" + struct.pack("<4sIQQQI", b"ds64", 28, 10**10, 10**10, 10**9, 0)
    yield _bad("10 GB declared", ten + wav(tone(1).tobytes(), size=2**32 - 1)[12:], 422, "is cut off: .*; send")
    yield _bad("2 GB declared", wav(tone(1).tobytes(), size=0x7FFF0000), 422, "is cut off: .* bytes are missing; send")
    yield _bad(
        "65 channels", wav(tone(0.1, channels=65).tobytes(), channels=65), 422, "has 65 channels; save it with 64"
    )
    yield _bad("4000 channels", wav(bytes(80_000), channels=4000), 422, r"is damaged.*; send")
    yield _bad("a rate of 4 GHz", wav(tone(1).tobytes(), rate=4_000_000_000), 422, "is not a sound")
    yield _bad("one sample a second", wav(tone(1).tobytes(), rate=1), 422, "has 1 samples a second; save it")
    not_a_number = np.array([0.5, np.nan] * 8000, "<f4").tobytes()
    yield _bad("no numbers", wav(not_a_number, bits=32, kind=3), 422, "not finite numbers; save")
    yield _bad("a picture", encoded(gradient(20, 10)), 422, "is not a sound.*; formats read here")
    yield _bad("a silent film", film(10, 10), 422, "has no sound in it; send a file with an audio track")
    yield _bad("a table", raw("imu", "imu_1500.csv"), 422, "is not a sound.*; formats read here")
    yield from _long_sounds()
    yield from _bombs_of_sound()


def _long_sounds() -> Iterator[Bad]:
    """Hours of silence, which takes next to no space."""
    too_long = "is longer than 100 s; send a shorter piece, or raise VECMOD_MAX_AUDIO_SECONDS"
    flac = bytearray(encoded_sound(np.zeros((2 * 3600 * 4000, 1), np.int16), 4000, "flac", "flac"))
    yield _bad("hours of FLAC", bytes(flac), 413, too_long)
    flac[22:26] = bytes(4)  # how many samples it has, but for the highest bits
    yield _bad("hours of FLAC, not declared", bytes(flac), 413, too_long)
    short = np.zeros((20 * 8000, 1), np.int16)
    frames = encoded_sound(short, 8000, "mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    yield _bad("hours of MP3", frames * 600, 413, too_long)
    frames = encoded_sound(np.zeros((20 * 48000, 1), np.int16), 48000, "adts", "aac")
    yield _bad("hours of AAC", frames * 600, 413, too_long)
    yield _bad("hours of M4A", endless_m4a(), 413, too_long)
    yield _bad("a Matroska of days", bombs.matroska_lasting(1e10), 413, too_long)


def endless_m4a(packets: int = 100_000) -> bytes:
    """Every packet is the first one."""
    data = bytearray(encoded_sound(np.zeros((48000, 1), np.int16), 48000, "ipod", "aac"))
    size = struct.unpack_from(">I", data, data.index(b"stsz") + 16)[0]
    struct.pack_into(">II", data, data.index(b"stsz") + 8, size, packets)
    struct.pack_into(">I", data, data.index(b"stsc") + 16, 1)
    struct.pack_into(">I", data, data.index(b"stts") + 12, packets)
    start = data.index(b"stco") - 4
    old, chunk = struct.unpack_from(">I", data, start)[0], data[start + 16 : start + 20]
    data[start : start + old] = bombs.box(b"stco", struct.pack(">II", 0, packets), bytes(chunk) * packets)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        parent = data.index(name) - 4
        struct.pack_into(">I", data, parent, struct.unpack_from(">I", data, parent)[0] + 4 * packets + 16 - old)
    return bytes(data).replace(b"edts", b"free")


def _bombs_of_sound() -> Iterator[Bad]:
    tags = "has more than 10000 tags.*; save it again without them"
    yield _bad("tags of FLAC", bombs.flac_tags(300_000), 422, tags)
    yield _bad("tags of Ogg", bombs.ogg_tags(100_000), 422, tags)
    yield _bad("tags of Matroska", bombs.matroska_tags(50_000), 422, tags)
    yield _bad("chapters", bombs.matroska_chapters(50_000), 422, tags)
    yield _bad("tags of WAV", bombs.wav_tags(50_000), 422, tags)
    yield _bad(
        "an index of Matroska", bombs.matroska_cues(150_000), 422, "has more than 100000 entries in its index; save"
    )
    yield _bad("tables", bombs.with_samples(500_000_000), 422, "declares more than 2000000 samples in its tables; save")
    yield _bad("hidden tables", bombs.hidden_samples(50_000_000), 422, damaged_or_empty := "is damaged|has no samples")
    yield _bad("packed tables", bombs.packed_samples(50_000_000), 422, damaged_or_empty)
    yield _bad("played again and again", bombs.played_again(1000), 422, damaged_or_empty)


@_kept
def bad_tables() -> Iterator[Bad]:
    head, row = b"a,b,c,d,e,f\n", b"0.1,-0.2,9.81,0,0,1e-3\n"
    finite = "which is not a finite number; send numbers such as"
    for cell in (b"x", b"nan", b"inf", b"-inf", b"1e999", b"1_000", b"0x10", b"", b"1 2", "٣".encode()):
        table = head + row * 3 + row.replace(b"9.81", cell) + row
        yield _bad(f"{cell!r} in a cell", table, 422, f"line 5 has .*, {finite}")
    columns = "columns; send 6 numbers separated by commas in each line"
    yield _bad("seven columns", head + row + row.replace(b"\n", b",1\n"), 422, f"line 3 has 7 {columns}")
    yield _bad("five columns", head + row + b"1,2,3,4,5\n", 422, f"line 3 has 5 {columns}")
    yield _bad("semicolons", (head + row * 3).replace(b",", b";"), 422, f"line 2 has 1 {columns}")
    yield _bad("a million columns", head + b"1," * 1_000_000, 422, "line 2 has 2000000 bytes; send CSV with 6 numbers")
    lines = r"has too few lines of numbers \({}\) below its first line, .*; send at least 2"
    yield _bad("one row", head + row, 422, lines.format(1))
    yield _bad("names alone", head, 422, lines.format(0))
    yield _bad("empty lines", b"\n" * 1000, 422, lines.format(0))
    rows = "has more than 200000 lines; send a shorter piece, or raise VECMOD_MAX_IMU_ROWS"
    yield _bad("many rows", head + b"1,2,3,4,5,6\n" * 200_002, 413, rows)
    yield _bad("many empty rows", head + b"\r" * 10_000_000, 413, rows)
    yield _bad("a film", film(10, 10), 422, r"line \d+ has")
    yield _bad("a sound", raw("audio", "tone_16k_mono_1s.wav"), 422, r"line \d+ has")
    yield _bad("two bytes for each letter", (head + row * 3).decode().encode("utf-16"), 422, r"line 2 has")


@_kept
def bad_pictures() -> Iterator[Bad]:
    png, jpeg = raw("images", "rgb_200x203.png"), raw("images", "landscape_320x240.jpg")
    damaged = "is damaged: .*; send the file again, whole|is not a picture; formats read here"
    for name, data in (("a PNG", png), ("a JPEG", jpeg)):
        for share in (0.001, 0.1, 0.6):
            yield _bad(f"{share} of {name}", data[: int(share * len(data))], 422, damaged)
    yield _bad("a film", film(10, 10), 422, "is not a picture; formats read here")
    yield _bad("a WebM", film(10, 10, "webm", "libvpx-vp9"), 422, "is not a picture; formats read here")
    yield _bad("a sound", raw("audio", "tone_16k_mono_1s.wav"), 422, "is not a picture; formats read here")
    yield _bad("an MP3", bombs.MP3, 422, "is not a picture; formats read here")
    yield _bad("a table", raw("imu", "imu_1500.csv"), 422, "is not a picture; formats read here")
    yield _bad(
        "a PNG of 20000x20000", png_of_size(20_000, 20_000), 413, "has more than 178956970 pixels; send a smaller"
    )
    yield _bad("a GIF of 65535x65535", gif_of(65535, 65535, 1), 413, "has more than 178956970 pixels; send a smaller")
    yield _bad(
        "a PNG of 1x30000", png_of_size(1, 30_000), 422, "is 1x30000 pixels, more than 200 times as long as wide"
    )
