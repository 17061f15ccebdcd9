"""What models are held against their references with: texts and pictures of every kind, and how vectors compare."""

from io import BytesIO
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image

from pictures import photo
from vecmod.serving.engine.engine import Inputs

TEXTS = [
    "",
    "cat",
    "a photo of two dogs, playing!",
    "word " * 60,
    "word " * 200,
    "😀🚀",
    "一只猫坐在垫子上",
    "It's\n 3 CAFÉs",
]
PHOTO = Image.open(BytesIO(photo("cat"))).convert("RGB")
PICTURES = {
    "square": PHOTO.resize((64, 64)),
    "wide": PHOTO.resize((301, 97)),
    "tall": PHOTO.resize((97, 301)),
    "tiny": PHOTO.resize((3, 2)),
    "large": PHOTO.resize((640, 479)),
    "palette": PHOTO.resize((90, 70)).convert("P"),
    "rgba": PHOTO.resize((90, 70)).convert("RGBA"),
    "grey": PHOTO.resize((90, 70)).convert("L"),
}

# Pillow 13 shrinks tall pictures in another order than older ones and we do, which moves some pixels by a level.
MOVED = ("tall", "large")


def given_to_both(name: str, ours: Inputs, theirs: torch.Tensor, most: float = 0.016) -> torch.Tensor:
    """What the reference's network is given: what its own processor made, which ours must be equal to.

    To networks as small and random as the tests' a level matters (``most`` is that and a bit), so where Pillow moves
    pixels both are given ours.
    """
    np.testing.assert_allclose(ours[None], theirs.numpy(), atol=most if name in MOVED else 1e-5)
    return torch.from_numpy(ours[None]) if name in MOVED else theirs


def cosine(ours: Any, theirs: torch.Tensor) -> Any:
    reference = torch.nn.functional.normalize(theirs, dim=-1).numpy()
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    return (ours * reference).sum(axis=1)


def features(output: Any) -> torch.Tensor:
    """Newer versions of transformers wrap the projected vector."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def cosines(ours: ArrayLike, theirs: ArrayLike) -> np.ndarray:
    """Of the rows of one and the other, which need not have length 1."""
    a, b = (np.asarray(rows, np.float64) for rows in (ours, theirs))
    found: np.ndarray = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return found
