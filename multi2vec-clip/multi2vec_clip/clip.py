"""CLIP as transformers stores it (OpenAI's models, MetaCLIP and what was trained from them), from a model folder.

Radford et al. 2021, arXiv:2103.00020. Vectors are those of ``CLIPModel.get_text_features`` and
``get_image_features``, scaled to length 1 as the official container scales them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multi2vec_clip.model_files import check_size, image_steps, part_of, read_json, recipe_of
from vecmod.serving.engine.network import Gelu, Ops, Tensor
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.transformer import Encoder, LayerNames, encode
from vecmod.serving.model.transforms import ImageSteps
from vecmod.serving.model.weights import WEIGHTS_NAMES, TensorSource, find_tensors

LAYER_NAMES = LayerNames(
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    out="self_attn.out_proj",
    attention_norm="layer_norm1",
    up="mlp.fc1",
    down="mlp.fc2",
    mlp_norm="layer_norm2",
)
# transformers' CLIPTextConfig and CLIPVisionConfig: what a config.json that does not say it means.
TEXT_DEFAULTS = {
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "layer_norm_eps": 1e-5,
    "hidden_act": "quick_gelu",
    "max_position_embeddings": 77,
    "eos_token_id": 49407,
    "pad_token_id": 1,
}
VISION_DEFAULTS = {
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "layer_norm_eps": 1e-5,
    "hidden_act": "quick_gelu",
    "image_size": 224,
    "patch_size": 32,
}
# Configs of the first models carry this id, which is none of the end of a text; transformers then takes the largest.
LEGACY_END = 2


def clip(folder: Path) -> Recipe:
    """A CLIP model: ``config.json``, its tokenizer's files, ``preprocessor_config.json`` and weights.

    Raises:
        WeightsNotFound, UnreadableWeights: if one of them is missing or says what is not known here.
    """
    config = read_json(folder / "config.json")
    file = find_tensors(folder, *WEIGHTS_NAMES)
    dim = config.get("projection_dim", 512)
    text = part_of(config, "text_config", TEXT_DEFAULTS)
    # The end itself fills up: attention looks back only, so what follows the end changes nothing.
    end = text["eos_token_id"]
    context = text["max_position_embeddings"]
    texts = TextSteps(read_tokenizer(folder, context), context, pad_id=end if end != LEGACY_END else 0)
    vision = part_of(config, "vision_config", VISION_DEFAULTS)
    pictures = image_steps(folder)
    check_size(folder, pictures, vision)
    towers = {
        "text": text_tower(texts, text, file.tensors(), dim),
        "image": image_tower(pictures, vision, file.tensors(), dim),
    }
    return recipe_of("clip", folder, [file], towers, normalized=True)


def text_tower(steps: TextSteps, config: Mapping[str, Any], weights: TensorSource, dim: int) -> Tower:
    """CLIP's text encoder, as CLIPTextConfig describes it."""
    end = config["eos_token_id"]
    network = _Text(encoder_of("text_model", config), None if end == LEGACY_END else end)
    name = f"clip-text-{shape_of(network.encoder)}-{network.end}"
    return Tower(steps, weights.text_network(name, network, dim))


def image_tower(steps: ImageSteps, config: Mapping[str, Any], weights: TensorSource, dim: int) -> Tower:
    """CLIP's vision transformer, as CLIPVisionConfig describes it."""
    network = _Vision(encoder_of("vision_model", config), config["patch_size"])
    name = f"clip-image-{shape_of(network.encoder)}-{network.patch}"
    return Tower(steps, weights.image_network(name, network, steps.size, dim))


def encoder_of(prefix: str, config: Mapping[str, Any]) -> Encoder:
    """The layers of a tower, as transformers names and configures those of CLIP and its kin."""
    return Encoder(
        prefix=f"{prefix}.encoder.layers",
        names=LAYER_NAMES,
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        eps=config["layer_norm_eps"],
        activation=Gelu(config["hidden_act"]),
        norm_first=True,
    )


def shape_of(encoder: Encoder) -> str:
    """What of the config shapes the network beside the weights, for the name of its graph."""
    return f"{encoder.layers}x{encoder.heads}-{encoder.activation}-{encoder.eps:g}"


@dataclass(frozen=True)
class _Text:
    encoder: Encoder
    end: int | None

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        tokens = ops.add_rows(
            ops.embed(x, "text_model.embeddings.token_embedding"), "text_model.embeddings.position_embedding"
        )
        tokens = encode(ops, tokens, self.encoder, causal=True)
        tokens = ops.layer_norm(tokens, "text_model.final_layer_norm", self.encoder.eps)
        return ops.linear(ops.token_at(tokens, x, self.end), "text_projection", bias=False)


@dataclass(frozen=True)
class _Vision:
    encoder: Encoder
    patch: int

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        tokens = ops.patches(ops.conv(x, "vision_model.embeddings.patch_embedding", self.patch))
        tokens = ops.prepend(tokens, "vision_model.embeddings.class_embedding")
        tokens = ops.add_rows(tokens, "vision_model.embeddings.position_embedding")
        tokens = ops.layer_norm(tokens, "vision_model.pre_layrnorm", self.encoder.eps)
        tokens = encode(ops, tokens, self.encoder)
        pooled = ops.layer_norm(ops.first_token(tokens), "vision_model.post_layernorm", self.encoder.eps)
        return ops.linear(pooled, "visual_projection", bias=False)
