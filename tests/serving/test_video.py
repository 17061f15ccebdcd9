"""Films to the frames that ImageBind's container takes of them; hostile and damaged ones are refused at little cost."""

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from math import ceil
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from bind_golden import arrays, facts, raw
from films import film, header_first
from sounds import encoded_sound, tone
from vecmod.contract.errors import RequestFault, TooLarge, Undecodable
from vecmod.serving.media.limits import VideoLimits
from vecmod.serving.media.video import open_film
from vecmod.serving.medium import Place, Shot
from vecmod.serving.model.film import cut_frame, prepare_film, scaled_size

FACTS = facts("video")
GOLDEN = arrays("video")
LIMITS = VideoLimits()
MP4 = film(100, 10)


@pytest.fixture(autouse=True)
def _no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


def frames(data: bytes, limits: VideoLimits = LIMITS) -> dict[Place, str]:
    """SHA-256 of the pixels at each place."""
    shots = open_film(data, limits).shots()
    return {place: hashlib.sha256(shot.rgb.tobytes()).hexdigest() for shot in shots for place in shot.places}


@pytest.mark.parametrize("name", FACTS)
def test_the_frames_are_those_of_the_official_container(name: str) -> None:
    clips = enumerate(FACTS[name]["clips"])
    expected = {Place(number, end): clip["rgb_sha256"][end] for number, clip in clips for end in (0, 1)}
    assert frames(raw("video", name)) == expected


@pytest.mark.parametrize("name", FACTS)
def test_network_input(name: str) -> None:
    prepared = prepare_film(open_film(raw("video", name), LIMITS).shots())
    assert prepared.shape == (15, 3, 2, 224, 224)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared[..., ::8, ::8], GOLDEN[f"{name}|grid8"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(prepared.mean((-1, -2), dtype=float), GOLDEN[f"{name}|mean"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(prepared.std((-1, -2), dtype=float), GOLDEN[f"{name}|std"], rtol=0, atol=1e-6)
    if (whole := GOLDEN.get(f"{name}|crop7")) is not None:
        np.testing.assert_allclose(prepared[7], whole, rtol=0, atol=1e-6)
    assert list(scaled_size(FACTS[name]["height"], FACTS[name]["width"])) == FACTS[name]["scaled_hw"]


def all_decoded(data: bytes) -> dict[Place, str]:
    """The same frames, found by decoding every one and looking through all of them."""
    with av.open(BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        tick, first = stream.time_base, stream.start_time or 0
        length = stream.duration
        shown = {
            frame.pts: hashlib.sha256(frame.to_ndarray(format="rgb24").tobytes()).hexdigest()
            for frame in container.decode(stream)
            if frame.pts is not None
        }
    assert tick is not None
    length = max(shown) if length is None else length
    found: dict[Place, str] = {}
    for number in range(5):
        start = max((length - first) * tick - 2, Fraction(0)) * number / 5
        inside = [at for at in sorted(shown) if ceil(start / tick) <= at - first < ceil((start + 2) / tick)]
        found |= {Place(number, 0): shown[inside[0]], Place(number, 1): shown[inside[-1]]}
    return found


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("mp4", "libx264"),
        ("matroska", "libx264"),
        ("webm", "libvpx-vp9"),
        ("gif", "gif"),
        ("avi", "mpeg4"),
        ("mov", "mjpeg"),
    ],
)
@pytest.mark.parametrize(
    ("count", "rate", "key"), [(1, 10, 12), (10, 10, 12), (35, 10, 12), (300, 5, 7), (300, 5, 999)]
)
def test_skipping_finds_what_decoding_all_would(container: str, codec: str, count: int, rate: int, key: int) -> None:
    data = film(count, rate, container, codec, key=key)
    assert frames(data) == all_decoded(data)


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("webm", "libvpx-vp9", {"live": "1"}),  # as browsers record: neither length nor index
        ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
    ],
)
def test_files_that_were_written_while_they_were_recorded(container: str, codec: str, options: dict[str, str]) -> None:
    data = film(300, 5, container, codec, key=10, options=options)
    assert frames(data) == all_decoded(data)


def test_lengths_that_are_unknown_are_no_lengths() -> None:
    """As programs write that write to a pipe."""
    webm, avi = film(30, 10, "webm", "libvpx-vp9"), film(30, 10, "avi", "mpeg4")
    start = webm.index(bytes.fromhex("18538067")) + 4
    assert frames(webm[:start] + b"\1" + b"\xff" * 7 + webm[start + 8 :]) == frames(webm)
    assert len(frames(avi[:4] + b"\xff" * 4 + avi[8:])) == len(frames(avi[:4] + bytes(4) + avi[8:])) == 10


def test_tables_first() -> None:
    assert frames(header_first(MP4)) == frames(MP4)


def test_hours_are_skipped() -> None:
    """Half an hour with a frame a second: of 1800 frames few are decoded."""
    data = film(1800, 1, codec="mpeg4", key=10)
    assert frames(data, VideoLimits(max_frames=100)) == all_decoded(data)


def test_a_film_that_says_three_hours_and_has_two_seconds() -> None:
    data = film(20, 10, codec="mpeg4", late=108_000)
    with pytest.raises(TooLarge, match=r"is longer than 7200 s; .*VECMOD_MAX_VIDEO_SECONDS"):
        frames(data)
    with pytest.raises(Undecodable, match=r"has no picture between 2160\.\d s and 2162\.\d s"):
        frames(data, VideoLimits(max_seconds=20_000))


def test_thousands_of_frames_in_a_gif() -> None:
    data = film(2000, 10, "gif", "gif", size=(16, 16))
    with pytest.raises(TooLarge, match=r"takes more than 1000 frames, or .* of decoding"):
        frames(data, VideoLimits(max_frames=1000))
    with pytest.raises(TooLarge, match=r"takes more than .* or 100000 pixels"):
        frames(data, VideoLimits(max_work=100_000))
    assert len(frames(data)) == 10


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a film"),
        (b"hello " * 1000, "is not a film, or its beginning is damaged; formats read here: mov,matroska,avi,gif"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "is not a film"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "is not a film"),
        (raw("images", "landscape_320x240.jpg"), "is not a film"),
        (encoded_sound(tone(1), 16000, "ipod", "aac"), "has no pictures in it; send a file with a video track"),
        (film(10, 10, "avi", "ffv1"), "is encoded as ffv1; save it as MP4"),
        (MP4[: len(MP4) // 2], "is not a film, or its beginning is damaged"),
        (header_first(MP4)[: len(MP4) // 2], "is damaged|has no picture"),
        (film(100, 10, "avi", "mpeg4")[:6000], r"is cut off: \d+ bytes are missing"),
        ((webm := film(30, 10, "webm", "libvpx-vp9"))[: len(webm) // 2], r"is cut off: \d+ bytes are missing"),
        (webm[:-1], "is cut off: 1 bytes are missing; send the file again, whole"),
    ],
)
def test_faults_are_named(data: bytes, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        frames(data)


def test_damage_anywhere_is_a_fault_or_a_film() -> None:
    random = np.random.default_rng(0)
    for whole in (MP4, film(50, 10, "webm", "libvpx-vp9"), film(50, 10, "gif", "gif"), film(50, 10, "avi", "mpeg4")):
        for _ in range(40):
            data = bytearray(whole)
            for at in random.integers(0, len(data), 8):
                data[at] = random.integers(256)
            try:
                assert len(frames(bytes(data))) == 10
            except RequestFault:
                continue


def test_frames_beyond_the_limit_are_never_decoded() -> None:
    data = film(1, 10, codec="mpeg4", size=(3400, 2800))
    before = psutil.Process().memory_info().rss
    with pytest.raises(TooLarge, match="has frames of more than 9437184 pixels"):
        frames(data)
    assert psutil.Process().memory_info().rss - before < 50_000_000
    hidden = data.replace((3400).to_bytes(2, "big") + (2800).to_bytes(2, "big"), (64).to_bytes(2, "big") * 2)
    assert hidden != data
    with pytest.raises(RequestFault):
        frames(hidden)
    assert psutil.Process().memory_info().rss - before < 50_000_000


def test_large_ones_are_told_from_the_header() -> None:
    assert not open_film(MP4, LIMITS).large
    assert not open_film(film(1, 10, codec="mpeg4", size=(1920, 1080)), LIMITS).large
    assert open_film(film(1, 10, codec="mpeg4", size=(2048, 1152)), LIMITS).large


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (224, 224), (16, 4000), (4000, 16), (225, 224)])
def test_frames_of_any_shape(height: int, width: int) -> None:
    """Only what is cut out is computed: a strip of a frame would be 56000 pixels long."""
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert cut_frame(rgb).shape == (3, 3, 224, 224)
    turned = cut_frame(rgb.transpose(1, 0, 2)).transpose(0, 1, 3, 2)
    np.testing.assert_allclose(cut_frame(rgb), turned, rtol=0, atol=2e-6)


def test_three_cuts_along_the_longer_side() -> None:
    ramp = np.repeat(np.arange(229, dtype=np.uint8)[:, None, None], 224, axis=1).repeat(3, axis=2)
    red = cut_frame(ramp)[:, 0, :, 0] * 0.26862954 + 0.48145466
    np.testing.assert_allclose(red[:, 0] * 255, [0, 3, 5], atol=1e-3)


def test_every_place_is_filled() -> None:
    shots = [Shot(np.full((9, 9, 3), 255, np.uint8), (Place(clip, 0), Place(clip, 1))) for clip in range(5)]
    assert (prepare_film(shots) > 1).all()
