"""ResNet50 weights made from a recipe instead of 100 MB of data, so that golden vectors can be checked anywhere.

Every tensor depends on its name alone: NumPy's PCG64 stream, seeded with the first eight bytes of the name's
SHA-256. Raw words are used because only they are promised to stay the same between NumPy versions.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

RULES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "fc.weight": lambda u: (2 * u - 1) / np.sqrt(2048),
    "running_var": lambda u: 0.5 + u,
    "running_mean": lambda u: (2 * u - 1) * 0.05,
    ".bias": lambda u: (2 * u - 1) * 0.05 - 0.1,
    "bn3.weight": lambda u: 0.4 + 0.4 * u,
}
# Stage, blocks, input channels, width.
STAGES = ((1, 3, 64, 64), (2, 4, 256, 128), (3, 6, 512, 256), (4, 3, 1024, 512))


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of torchvision's state dict, without the counters that inference does not use."""
    yield "conv1.weight", (64, 3, 7, 7)
    yield from _norm("bn1", 64)
    for stage, blocks, inputs, width in STAGES:
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            channels = inputs if block == 0 else width * 4
            yield f"{name}.conv1.weight", (width, channels, 1, 1)
            yield from _norm(f"{name}.bn1", width)
            yield f"{name}.conv2.weight", (width, width, 3, 3)
            yield from _norm(f"{name}.bn2", width)
            yield f"{name}.conv3.weight", (width * 4, width, 1, 1)
            yield from _norm(f"{name}.bn3", width * 4)
            if block == 0:
                yield f"{name}.downsample.0.weight", (width * 4, channels, 1, 1)
                yield from _norm(f"{name}.downsample.1", width * 4)
    yield "fc.weight", (1000, 2048)
    yield "fc.bias", (1000,)


def _norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)


def tensor(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One tensor of the recipe."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    words = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    u = ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)
    return _scaled(name, u).astype(np.float32)


def _scaled(name: str, u: NDArray[np.float64]) -> NDArray[np.float64]:
    if u.ndim == 4:
        return _mirrored((2 * u - 1) * np.sqrt(6 / np.prod(u.shape[1:])))
    return next((scale(u) for ending, scale in RULES.items() if name.endswith(ending)), 0.8 + 0.4 * u)


def _mirrored(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Negated halves cancel the common positive mean of rectified inputs, which would make all vectors alike."""
    half, odd = divmod(weight.shape[1], 2)
    if not odd:
        weight[:, half:] = -weight[:, :half]
    return weight


def weights() -> dict[str, NDArray[np.float32]]:
    """The whole state dict."""
    return {name: tensor(name, shape) for name, shape in shapes()}


def write(path: Path) -> Path:
    """The state dict as safetensors, 98 MiB; made in a few seconds."""
    save_file(weights(), path)
    return path
