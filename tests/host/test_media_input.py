"""What callers hand over as a picture."""

import base64
import os
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from PIL import Image

from pictures import encoded, gradient
from vecmod.host.host_errors import InvalidQuery
from vecmod.host.media_input import to_wire

DATA = encoded(gradient(10, 10))
TEXT = base64.b64encode(DATA).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(DATA)
    return path


def test_every_form_is_the_same_picture(file: Path) -> None:
    assert to_wire(file) == TEXT
    assert to_wire(str(file)) == TEXT
    assert to_wire(os.fspath(file)) == TEXT
    assert to_wire(DATA) == to_wire(bytearray(DATA)) == to_wire(memoryview(DATA)) == TEXT
    assert to_wire(BytesIO(DATA)) == TEXT
    with file.open("rb") as opened:
        assert to_wire(opened) == TEXT
    assert to_wire(TEXT) == TEXT


@pytest.mark.parametrize(
    "form", ["https://example.com/a.jpg", f"data:image/png;base64,{TEXT}", base64.encodebytes(DATA).decode()]
)
def test_urls_and_other_base64_are_passed_on(form: str) -> None:
    assert to_wire(form) == form


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "YCbCr", "I;16"])
def test_pil_images_keep_their_pixels(mode: str) -> None:
    image = gradient(10, 8).convert("I").convert("I;16") if mode == "I;16" else gradient(10, 8).convert(mode)
    with Image.open(BytesIO(base64.b64decode(to_wire(image)))) as read:
        assert read.mode == mode
        assert read.tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("medium", "message"),
    [
        ("", "is empty"),
        (b"", "is empty: zero bytes"),
        ("no/such/file.jpg", "'no/such/file.jpg' is neither an existing file nor base64"),
        (Path("no/such/file.jpg"), "cannot be read: No such file"),
        ("x!" * 100, "neither an existing file nor base64"),
        (5, "a int is no medium"),
        (StringIO("text"), "a StringIO is no medium"),
    ],
)
def test_what_is_no_picture(medium: object, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        to_wire(medium)  # type: ignore[arg-type] # wrong on purpose
