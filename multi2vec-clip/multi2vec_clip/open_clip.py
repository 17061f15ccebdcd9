"""CLIP as open_clip stores it (checkpoints of LAION, DataComp, DFN and others), from a folder laid out as on the hub.

Cherti et al. 2022, arXiv:2212.07143. Vectors are those of ``encode_text`` and ``encode_image``, scaled to length 1 as
the official container scales them. The networks are those of ``clip.py``: configuration and weights are put into
the words of transformers' CLIP.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multi2vec_clip.clip import LEGACY_END, image_tower, text_tower
from multi2vec_clip.model_files import CLIP_MEAN, CLIP_STD, read_json, recipe_of
from vecmod.serving.engine.network import Gelu, Weights
from vecmod.serving.model.clean_text import MOST_CLEANED, cleaned
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.transformer import split_projections
from vecmod.serving.model.transforms import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import OPEN_CLIP_CONFIG, OPEN_CLIP_NAMES, WeightsNotFound, find_tensors

# open_clip's CLIPVisionCfg and CLIPTextCfg: defaults. A number may be any other; a word says the only kind read here.
_VISION = {"image_size": 224, "patch_size": 16, "layers": 12, "width": 768, "head_width": 64, "pool_type": "tok"}
_TEXT = {"context_length": 77, "heads": 8, "layers": 12, "pool_type": "argmax", "proj_type": "linear"}
# Settings that change nothing: they are for training, show in the weights, or belong to parts that are refused.
_HARMLESS = set(
    "vision_cfg text_cfg custom_text init_logit_scale init_logit_bias nonscalar_logit_scale "
    "mlp_ratio patch_dropout pos_embed_type attn_pooler_queries attn_pooler_heads "
    "timm_model_pretrained timm_pool timm_proj timm_proj_bias timm_drop timm_drop_path "
    "width vocab_size pad_id eos_id hf_tokenizer_name hf_model_pretrained hf_proj_type hf_pooler_type".split()
)
_EMPTY: tuple[object, ...] = (None, "", {}, [])
_PREPROCESSING = {"mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bicubic", "resize_mode": "shortest"}
# As open_clip does when it embeds: what is random in training is bicubic then.
_FILTERS = {"bicubic": Filter.BICUBIC, "random": Filter.BICUBIC, "bilinear": Filter.BILINEAR}

# open_clip's names of a layer's parts, and those of clip.py.
_LAYER = {
    "ln_1": "layer_norm1",
    "attn.out_proj": "self_attn.out_proj",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def open_clip(folder: Path) -> Recipe:
    """A plain CLIP model of open_clip: ``open_clip_config.json``, its tokenizer's files and weights.

    Raises:
        WeightsNotFound, UnreadableWeights: if one of them is missing or says what is not known here.
    """
    path = folder / OPEN_CLIP_CONFIG
    said = read_json(path)
    config = clip_config(said.get("model_cfg") or {})
    text, vision = config["text_config"], config["vision_config"]
    pictures = replace(picture_steps(said.get("preprocess_cfg") or {}, vision["image_size"], path), cut_to_nearest=True)
    file = find_tensors(folder, *OPEN_CLIP_NAMES)
    context, dim = text["max_position_embeddings"], config["projection_dim"]
    texts = TextSteps(cleaned(read_tokenizer(folder, context)), context, pad_id=0, most_cleaned=MOST_CLEANED)
    towers = {
        "text": text_tower(texts, text, file.tensors(partial(_text_weights, text)), dim),
        "image": image_tower(pictures, vision, file.tensors(partial(_vision_weights, vision)), dim),
    }
    return recipe_of("open_clip", folder, [file], towers, normalized=True)


def clip_config(model: Mapping[str, Any]) -> dict[str, Any]:
    """An open_clip ``model_cfg`` in the words of transformers' CLIPConfig.

    Raises:
        WeightsNotFound: naming the settings that ask for other networks than a plain ViT and a plain text transformer.
    """
    vision = {**_VISION, **(model.get("vision_cfg") or {})}
    text = {**_TEXT, **(model.get("text_cfg") or {})}
    refused = [
        *_refused("", model, {"embed_dim": 512, "quick_gelu": False}),
        *_refused("vision_cfg.", vision, _VISION),
        *_refused("text_cfg.", text, _TEXT),
    ]
    if refused or "embed_dim" not in model:
        raise WeightsNotFound(
            f"model_cfg asks for {', '.join(refused) or 'no embed_dim'}, which is not read here: "
            "of OpenCLIP only plain vision transformers with plain text transformers are"
        )
    shared = {"layer_norm_eps": 1e-5, "hidden_act": Gelu.QUICK if model.get("quick_gelu") else Gelu.EXACT}
    return {
        "projection_dim": model["embed_dim"],
        "text_config": {
            **shared,
            "num_hidden_layers": text["layers"],
            "num_attention_heads": text["heads"],
            "max_position_embeddings": text["context_length"],
            # The text's vector is that of its largest id.
            "eos_token_id": LEGACY_END,
        },
        "vision_config": {
            **shared,
            "num_hidden_layers": vision["layers"],
            "num_attention_heads": vision["width"] // vision["head_width"],
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
        },
    }


def _refused(part: str, given: Mapping[str, Any], known: Mapping[str, object]) -> list[str]:
    return [f"{part}{name}={value}" for name, value in given.items() if _is_other(name, value, known)]


def _is_other(name: str, value: object, known: Mapping[str, object]) -> bool:
    """Whether a setting asks for another network; one that is new to us does, unless it is off."""
    if name not in known:
        return not (name in _HARMLESS or value is False or value in _EMPTY)
    default = known[name]
    return not isinstance(value, int) if isinstance(default, int) else value != default


def picture_steps(given: Mapping[str, Any], side: int, path: Path) -> ImageSteps:
    """How pictures are prepared, as ``preprocess_cfg`` says; their size is the network's, whatever is said there.

    Raises:
        WeightsNotFound: naming ``path``, if it asks for what is not known here.
    """
    config = {**_PREPROCESSING, **{name: value for name, value in given.items() if value is not None}}
    mode, interpolation = config["resize_mode"], config["interpolation"]
    if mode not in ("shortest", "squash") or interpolation not in _FILTERS:
        raise WeightsNotFound(
            f"{path}: resize_mode {mode} and interpolation {interpolation} ask for a preparation that is not known "
            f"here: shortest or squash, and {', '.join(_FILTERS)}"
        )
    return ImageSteps(
        size=side,
        filter=_FILTERS[interpolation],
        center_crop=None,
        divisor=255,
        mean=Channels(*config["mean"]),
        std=Channels(*config["std"]),
        short_side=side if mode == "shortest" else None,
    )


def _text_weights(config: Mapping[str, Any], weights: Weights) -> Weights:
    """The text tower's tensors under the names of transformers."""
    # CustomTextCLIP keeps them in a part of their own.
    prefix = "text." if "text.token_embedding.weight" in weights else ""
    positions = _positions(weights, f"{prefix}positional_embedding", config["max_position_embeddings"])
    return {
        "text_model.embeddings.token_embedding.weight": weights[f"{prefix}token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": positions,
        **_encoder(weights, prefix, "text_model", config["num_hidden_layers"]),
        **_moved(weights, f"{prefix}ln_final", "text_model.final_layer_norm"),
        "text_projection.weight": _transposed(weights[f"{prefix}text_projection"]),
    }


def _vision_weights(config: Mapping[str, Any], weights: Weights) -> Weights:
    """The vision tower's tensors under the names of transformers."""
    places = (config["image_size"] // config["patch_size"]) ** 2 + 1
    to = "vision_model"
    return {
        f"{to}.embeddings.patch_embedding.weight": weights["visual.conv1.weight"],
        f"{to}.embeddings.class_embedding": weights["visual.class_embedding"],
        f"{to}.embeddings.position_embedding.weight": _positions(weights, "visual.positional_embedding", places),
        **_moved(weights, "visual.ln_pre", f"{to}.pre_layrnorm"),
        **_encoder(weights, "visual.", to, config["num_hidden_layers"]),
        **_moved(weights, "visual.ln_post", f"{to}.post_layernorm"),
        "visual_projection.weight": _transposed(weights["visual.proj"]),
    }


def _encoder(weights: Weights, prefix: str, to: str, layers: int) -> Weights:
    found: dict[str, NDArray[np.float32]] = {}
    for number in range(layers):
        theirs, ours = f"{prefix}transformer.resblocks.{number}", f"{to}.encoder.layers.{number}"
        for part, name in _LAYER.items():
            found.update(_moved(weights, f"{theirs}.{part}", f"{ours}.{name}"))
        projections = split_projections(weights, f"{theirs}.attn")
        found.update(
            {name.replace(f"{theirs}.attn", f"{ours}.self_attn"): array for name, array in projections.items()}
        )
    return found


def _moved(weights: Weights, theirs: str, ours: str) -> Weights:
    return {f"{ours}.{kind}": weights[f"{theirs}.{kind}"] for kind in ("weight", "bias")}


def _positions(weights: Weights, name: str, count: int) -> NDArray[np.float32]:
    positions = weights[name]
    if len(positions) != count:
        # open_clip stretches them then; those who publish a model have done it already.
        raise UnreadableWeights(f"{name} has {len(positions)} positions, but {OPEN_CLIP_CONFIG} asks for {count}")
    return positions


def _transposed(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix.T)
