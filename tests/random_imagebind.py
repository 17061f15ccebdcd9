"""ImageBind of any size with random weights, in the form that its authors publish."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from multi2vec_bind.imagebind_config import HUGE, Config
from multi2vec_bind.imagebind_weights import published

# What ViT-B is in each modality; those that are smaller in the large model too stay as they are.
BASE = Config(
    out_embed_dim=512,
    kernel_size=(2, 16, 16),
    vision_embed_dim=768,
    vision_num_blocks=12,
    vision_num_heads=12,
    text_embed_dim=512,
    text_num_heads=8,
)


def write(config: Config, folder: Path, modalities: Iterable[str] = ()) -> Path:
    """A folder with weights and configuration; of some of the authors' modalities alone, if they are named."""
    folder.mkdir(parents=True)
    wanted = set(modalities) or set(config.trunks())
    rng = np.random.default_rng(5)
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, trunk in config.trunks().items():
        if name in wanted:
            shapes = published(trunk, config.patches().get(name), config.out_embed_dim)
            tensors |= {key: _tensor(rng, key, shape) for key, shape in shapes.items()}
    save_file(tensors, folder / "imagebind.safetensors")
    if config != HUGE:
        (folder / "config.json").write_text(config.model_dump_json(), "utf-8")
    return folder


def _tensor(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if name.endswith(("norm_1.weight", "norm_2.weight", "norm_layer.weight", "layer.0.weight")):
        return np.ones(shape, np.float32)
    return np.asarray(rng.standard_normal(shape, np.float32) * np.float32(0.02), np.float32)
