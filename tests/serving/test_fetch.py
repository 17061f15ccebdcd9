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
