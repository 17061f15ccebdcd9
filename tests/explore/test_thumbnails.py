"""Thumbnails of good files and of hostile ones, made by the real process."""

import os
import struct
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from films import film, frame_picture
from pictures import SAMPLES, encoded, gradient, photo, png_of_size
from vecmod.explore import first_frame, thumbnails
from vecmod.explore.media_types import kind_of, media_type_of
from vecmod.explore.thumbnails import Thumbnails
from vecmod.host import folder
from vecmod.serving.media import av_file, video
from vecmod.serving.media.limits import MediaLimits


@pytest.fixture(scope="module")
def maker() -> Iterator[Thumbnails]:
    made = Thumbnails(processes=1)
    yield made
    made.close()


def shown(maker: Thumbnails, file: Path, size: int = 64) -> Image.Image | None:
    made = maker.get(file, size)
    return Image.open(BytesIO(made.jpeg)) if made else None


def write(tmp_path: Path, name: str, data: bytes) -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def test_films_are_opened_as_services_open_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wings never meet, so both have these options."""
    given: list[dict[str, str]] = []
    really = av.open

    def noted(*arguments: Any, **options: Any) -> Any:
        given.append(options["options"])
        return really(*arguments, **options)

    monkeypatch.setattr(av, "open", noted)
    data = (SAMPLES / "films/cat.mp4").read_bytes()
    with av_file.opened(data, "a film", video._FORMATS, MediaLimits().films.max_pixels):
        pass
    assert given == [first_frame._OPTIONS]
    assert set(video._DECODERS.split()) == first_frame._DECODERS


def test_every_kind_of_file_that_folders_give_has_a_type() -> None:
    suffixes = {suffix for some in folder._SUFFIXES.values() for suffix in some}
    assert {suffix for suffix in suffixes if not media_type_of(Path(f"x{suffix}"))} == set()
    assert {kind_of(Path(name)) for name in ("x.svg", "x.html", "x.pdf", "x.csv", "x")} == {"other"}
    assert [media_type_of(Path(name)) for name in ("x.svg", "x.html", "x.pdf", "x.js", "x")] == [""] * 5


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_pictures_of_every_form(form: str, maker: Thumbnails, tmp_path: Path) -> None:
    found = shown(maker, write(tmp_path, f"picture.{form.lower()}", encoded(gradient(200, 100), form)))
    assert found is not None
    assert (found.format, found.mode, found.size) == ("JPEG", "RGB", (64, 32))
    expected = np.asarray(gradient(200, 100).resize((64, 32)), float)
    assert np.abs(np.asarray(found, float) - expected).mean() < 12


def test_pictures_are_never_made_larger(maker: Thumbnails, tmp_path: Path) -> None:
    found = shown(maker, write(tmp_path, "small.png", encoded(gradient(10, 20))), 2048)
    assert found is not None
    assert found.size == (10, 20)


def test_phones_pictures_stand_upright(maker: Thumbnails, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    found = shown(maker, write(tmp_path, "phone.jpg", encoded(gradient(200, 100), "JPEG", exif=exif)))
    assert found is not None
    assert found.size == (32, 64)


def test_transparency_is_paper_and_deep_pictures_are_spread(maker: Thumbnails, tmp_path: Path) -> None:
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    palette = Image.new("P", (20, 20), 0)
    palette.putpalette([200, 0, 0])
    for name, data in (
        ("clear.png", encoded(clear)),
        ("clear.webp", encoded(clear, "WEBP", lossless=True)),
        ("clear.gif", encoded(palette, "GIF", transparency=0)),
    ):
        found = shown(maker, write(tmp_path, name, data))
        assert found is not None
        assert np.asarray(found).min() > 245, name
    ramp = np.linspace(1000, 3000, 400).reshape(20, 20).astype(np.uint16)
    found = shown(maker, write(tmp_path, "depth.png", encoded(Image.fromarray(ramp))))
    assert found is not None
    assert (np.asarray(found).min(), np.asarray(found).max()) == (pytest.approx(0, abs=9), pytest.approx(255, abs=9))
    cmyk = shown(maker, write(tmp_path, "print.jpg", encoded(gradient(40, 40).convert("CMYK"), "JPEG")))
    assert cmyk is not None
    assert cmyk.mode == "RGB"


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")])
def test_films_show_their_first_picture(container: str, codec: str, maker: Thumbnails, tmp_path: Path) -> None:
    found = shown(maker, write(tmp_path, f"film.{container}", film(6, 6, container, codec, size=(128, 96))))
    assert found is not None
    assert found.size == (64, 48)


def test_phones_films_stand_upright(maker: Thumbnails, tmp_path: Path) -> None:
    lying = bytearray(film(3, 3, size=(128, 64)))
    # ISO/IEC 14496-12, 8.3.2: the matrix of a track, here a quarter turn clockwise.
    matrix = lying.index(b"tkhd") + 4 + 40
    lying[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    found = shown(maker, write(tmp_path, "phone.mp4", bytes(lying)))
    assert found is not None
    turned = Image.fromarray(np.rot90(frame_picture(0, 128, 64), -1)).resize((32, 64))
    assert found.size == turned.size
    assert np.abs(np.asarray(found, float) - np.asarray(turned, float)).mean() < 20


def test_broken_files_have_none_and_stop_nobody(maker: Thumbnails, tmp_path: Path) -> None:
    good = write(tmp_path, "good.jpg", photo("cat"))
    broken = {
        "words.jpg": b"these are words",
        "empty.png": b"",
        "half.jpg": photo("cat")[:2000],
        "film.mp4": b"\0\0\0\x18ftypmp42" + bytes(100),
        "sound.mp4": film(2, 2)[:300],
        "list.mkv": b"#EXTM3U\n/etc/passwd\n",
        "concat.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        "page.jpg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for name, data in broken.items():
        assert shown(maker, write(tmp_path, name, data)) is None, name
        assert shown(maker, good) is not None
    assert maker.get(tmp_path / "nowhere.jpg", 64) is None


def test_what_is_beyond_the_limits_is_not_decoded(maker: Thumbnails, tmp_path: Path) -> None:
    began = time.monotonic()
    assert shown(maker, write(tmp_path, "bomb.png", png_of_size(50_000, 50_000))) is None
    assert time.monotonic() - began < 10


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_made(tmp_path: Path) -> None:
    maker = Thumbnails(processes=1, seconds=1)
    good = write(tmp_path, "good.jpg", photo("cat"))
    os.mkfifo(tmp_path / "endless.jpg")  # whoever opens it waits
    began = time.monotonic()
    assert shown(maker, tmp_path / "endless.jpg") is None
    assert 0.9 < time.monotonic() - began < 5
    assert shown(maker, good) is not None
    # Nobody waits for it again.
    began = time.monotonic()
    assert shown(maker, tmp_path / "endless.jpg") is None
    assert time.monotonic() - began < 0.5
    maker.close()


def test_a_process_that_is_lost_is_started_again_and_none_is_left(tmp_path: Path) -> None:
    maker = Thumbnails(processes=2)
    good = write(tmp_path, "good.jpg", photo("cat"))
    assert shown(maker, good) is not None
    (child,) = [one._process for one in maker._all if one._process]
    child.kill()
    child.wait()
    assert all(shown(maker, good, size) is not None for size in (32, 33, 34, 35))
    started = [psutil.Process(one._process.pid) for one in maker._all if one._process]
    maker.close()
    assert [one for one in started if one.is_running()] == []
    assert shown(maker, good, 36) is None


def test_a_library_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "PIL.py", b"raise SystemExit")
    write(tmp_path, "numpy.py", b"raise SystemExit")
    monkeypatch.chdir(tmp_path)
    maker = Thumbnails(processes=1)
    assert shown(maker, write(tmp_path, "good.jpg", photo("cat"))) is not None
    maker.close()


def test_made_again_only_when_the_file_has_changed(maker: Thumbnails, tmp_path: Path) -> None:
    file = write(tmp_path, "photo.jpg", photo("cat"))
    first = maker.get(file, 64)
    assert maker.get(file, 64) == first
    file.write_bytes(photo("coffee"))
    second = maker.get(file, 64)
    assert first is not None
    assert second is not None
    assert second.version != first.version
    assert second.jpeg != first.jpeg


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "_KEPT_BYTES", 20_000)
    maker = Thumbnails(processes=1)
    for file in sorted((SAMPLES / "photos").iterdir()):
        assert maker.get(file, 128) is not None
    kept = sum(len(one) + thumbnails._ENTRY_BYTES for one in maker._kept.values())
    assert 0 < kept == maker._bytes <= 20_000
    maker.close()
