"""Small pictures of every kind, made on the fly."""

import base64
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SAMPLES = Path(__file__).parent.parent / "modules/vecmod/samples"
GOLDEN = Path(__file__).parent / "fixtures/resnet50"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def gradient(width: int, height: int, seed: int = 0) -> Image.Image:
    """An RGB picture that differs everywhere and from seed to seed."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (3 + seed) + y), (y * 2 + seed * 40), (x + y * (1 + seed))]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def photo(name: str) -> bytes:
    return (SAMPLES / "photos" / f"{name}.jpg").read_bytes()


def png_of_size(width: int, height: int) -> bytes:
    """A valid PNG whose pixels are all zero: small on the wire, large in memory."""
    row = b"\0" * (1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x01\x00\x00\x00\x00"
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
