"""ImageBind's published state dict: names and shapes; and its tensors as the networks take them."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from multi2vec_bind.imagebind_config import CONTEXT, VOCABULARY, Patches, Shape, Trunk
from vecmod.serving.engine.network import Weights
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.transformer import split_projections
from vecmod.serving.model.weights import TensorSource, WeightsFile

KINDS = ("preprocessors", "trunks", "heads", "postprocessors")
# Names that we give to what is stored in another form.
POSITIONS, SCALE = "positions", "scale"
_LOGARITHM = "1.log_logit_scale"
# What the authors let no scale exceed.
_MOST = 100.0
_EXPECTED = "the configuration says: is the model's own config.json beside its weights?"


def tensors(file: WeightsFile, trunk: Trunk, stem: Patches | None, dim: int) -> TensorSource:
    """The tensors of one modality; those of the others are not read."""
    prefixes = tuple(trunk.part(kind, "") for kind in KINDS)
    return file.tensors(partial(prepare, trunk, stem, dim), prefixes)


def published(trunk: Trunk, stem: Patches | None, dim: int) -> dict[str, Shape]:
    """Names and shapes of a modality's tensors as the authors publish them; without ``stem``, those of text."""
    width = trunk.dim
    preprocessor = _patch_shapes(width, stem) if stem else _text_shapes(width)
    projection = head_names(trunk)[1]
    shapes = {trunk.part("preprocessors", name): shape for name, shape in preprocessor.items()}
    if trunk.modality == "vision":
        shapes |= _norm(trunk.part("trunks", "pre_transformer_layer.0"), width)
    for number in range(trunk.blocks):
        block = trunk.part("trunks", f"blocks.{number}")
        shapes |= {f"{block}.{name}": shape for name, shape in _block_shapes(width, extra=has_extra(trunk)).items()}
    shapes |= {**_norm(head_names(trunk)[0], width), f"{projection}.weight": (dim, width)}
    if has_scale(trunk):
        shapes[trunk.part("postprocessors", _LOGARITHM)] = ()
    return shapes


def has_extra(trunk: Trunk) -> bool:
    """Whether its tokens attend to a learned key and value, too."""
    return trunk.modality not in ("vision", "text")


def has_scale(trunk: Trunk) -> bool:
    """Whether its vectors have another length than 1."""
    return trunk.modality != "vision"


def head_names(trunk: Trunk) -> tuple[str, str]:
    """Names of normalisation and projection at the end: their places in the authors' lists of layers."""
    places = {"text": ("proj.0", "proj.1"), "imu": ("0", "3")}.get(trunk.modality, ("0", "2"))
    return trunk.part("heads", places[0]), trunk.part("heads", places[1])


def _patch_shapes(width: int, stem: Patches) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {
        "cls_token": (1, 1, width),
        stem.positions: (1, stem.count(), width),
        f"{stem.projection}.weight": (width, *stem.stored),
    }
    return shapes if stem.norm is None else {**shapes, **_norm(stem.norm, width)}


def _text_shapes(width: int) -> dict[str, Shape]:
    return {
        "pos_embed": (1, CONTEXT, width),
        "mask": (CONTEXT, CONTEXT),
        "token_embedding.weight": (VOCABULARY, width),
    }


def _block_shapes(width: int, *, extra: bool) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "mlp.fc1.weight": (4 * width, width),
        "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width),
        "mlp.fc2.bias": (width,),
        **_norm("norm_1", width),
        **_norm("norm_2", width),
    }
    return {**shapes, "attn.bias_k": (1, 1, width), "attn.bias_v": (1, 1, width)} if extra else shapes


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def prepare(trunk: Trunk, stem: Patches | None, dim: int, weights: Weights) -> Weights:
    """Published tensors of a modality in the form that its network takes.

    Raises:
        UnreadableWeights: if one is missing, too many or of another shape than the configuration says. So strict are
            the authors, too: with a layer more or less the vectors would be others.
    """
    shapes = published(trunk, stem, dim)
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise UnreadableWeights(f"{name} has the shape {weights[name].shape}, not {shape} as {_EXPECTED}")
    if unknown := sorted(set(weights) - set(shapes)):
        raise UnreadableWeights(f"there are {len(unknown)} tensors more, such as {unknown[0]}, than {_EXPECTED}")
    changed: dict[str, NDArray[np.float32]] = {}
    for number in range(trunk.blocks):
        changed |= split_projections(weights, trunk.part("trunks", f"blocks.{number}.attn"))
    positions = trunk.part("preprocessors", stem.positions if stem else "pos_embed")
    changed[trunk.part("preprocessors", f"{POSITIONS}.weight")] = weights[positions][0]
    if stem:
        projection = trunk.part("preprocessors", f"{stem.projection}.weight")
        changed[projection] = weights[projection].reshape(trunk.dim, *stem.kernel)
    if has_scale(trunk):
        scale = np.exp(weights[trunk.part("postprocessors", _LOGARITHM)])
        changed[trunk.part("postprocessors", SCALE)] = np.asarray(np.minimum(scale, _MOST), np.float32)
    return {**weights, **changed}
