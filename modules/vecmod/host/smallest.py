"""The smallest medium of each modality that services embed, to learn from one how long their vectors are."""

import base64
import struct
from collections.abc import Mapping

from vecmod.contract.modality import AUDIO, DEPTH, IMAGE, IMU, TEXT, THERMAL, VIDEO, Modality
from vecmod.contract.vectors_api import EXAMPLE_IMAGE

# One white pixel.
_GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def _wav() -> bytes:
    """A rising tone of 50 ms, 8-bit mono: two of the windows of 25 ms that a spectrum is made of."""
    samples = bytes(128 + number * number // 40 % 64 for number in range(400))
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8) + struct.pack("<4sI", b"data", len(samples))
    return struct.pack("<4sI4s", b"RIFF", 4 + len(head) + len(samples), b"WAVE") + head + samples


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


# In the order of how many services embed them.
SMALLEST: Mapping[Modality, str] = {
    TEXT: "dimension",
    IMAGE: EXAMPLE_IMAGE,
    THERMAL: EXAMPLE_IMAGE,
    DEPTH: EXAMPLE_IMAGE,
    IMU: _base64(b"ax,ay,az,gx,gy,gz\n" + b"0,0,9.81,0,0,0\n" * 2),
    AUDIO: _base64(_wav()),
    VIDEO: _GIF,
}
