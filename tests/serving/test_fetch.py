"""Base64 as people send it."""

import base64

import pytest

from vecmod.contract.errors import Undecodable
from vecmod.serving.media.fetch import read_base64

DATA = bytes(range(256)) + b"\xfb\xff"  # its base64 has + and /, and needs padding
TEXT = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(DATA).decode(),
        base64.urlsafe_b64encode(DATA).decode().rstrip("="),
        base64.encodebytes(DATA).decode(),
        TEXT.replace("A", "A\r\n", 3),
        f"  {TEXT}\n",
        f"data:image/png;base64,{TEXT}",
        f"data:;base64,{TEXT}",
        f"data:image/svg+xml;charset=utf-8;base64,{TEXT}",
    ],
)
def test_every_form_gives_the_same_bytes(text: str) -> None:
    assert read_base64(text) == DATA


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("====", "is empty"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png,abc", "data URI without base64"),
        ("data:nonsense", "data URI without base64"),
        ("not base64!", "is not base64"),
        ("é" * 8, "is not base64"),
        (TEXT[:-3] + "=AA", "is not base64"),
        ("A", "is not base64"),
        ("http://example.com/cat.jpg", "is not base64"),
    ],
)
def test_faults_are_named(text: str, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        read_base64(text)


@pytest.mark.parametrize("spare", range(-9, 10))
def test_long_ones_are_read_in_pieces(spare: int) -> None:
    data = (DATA * 5000)[: 3 * 256 * 1024 + spare]
    text = base64.b64encode(data).decode()
    wrapped = base64.encodebytes(data).decode()
    for form in (text, text.rstrip("="), text.replace("/", "_"), wrapped, wrapped.rstrip("=\n"), f"{text}\r\n"):
        assert read_base64(form) == data


@pytest.mark.parametrize("at", [0, 4, 1024 * 1024 - 4, 1024 * 1024, 1024 * 1024 + 4])
def test_padding_is_at_the_end_alone(at: int) -> None:
    for padding in ("AA==", "AAA=", "====", "A", "!AAA"):
        with pytest.raises(Undecodable, match="is not base64"):
            read_base64("A" * at + padding + "AAAA")
