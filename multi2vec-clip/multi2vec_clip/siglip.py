"""SigLIP and the SigLIP 2 of fixed resolution, as transformers stores them, from a model folder.

Zhai et al. 2023, arXiv:2303.15343; Tschannen et al. 2025, arXiv:2502.14786. Vectors are those of
``SiglipModel.get_text_features`` and ``get_image_features``, not scaled, as the official container leaves them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multi2vec_clip.clip import encoder_of, shape_of
from multi2vec_clip.model_files import (
    check_size,
    image_steps,
    part_of,
    read_json,
    read_optional_json,
    recipe_of,
    spelling,
)
from vecmod.serving.engine.network import Ops, Tensor, Weights
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.spiece import Marks, read_spiece
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.transformer import Encoder, encode, split_projections
from vecmod.serving.model.transforms import ImageSteps
from vecmod.serving.model.weights import WEIGHTS_NAMES, TensorSource, WeightsNotFound, find_tensors

# transformers' SiglipTextConfig, SiglipVisionConfig and image processor: what a file that does not say it means.
_PART_DEFAULTS = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "layer_norm_eps": 1e-6,
    "hidden_act": "gelu_pytorch_tanh",
}
TEXT_DEFAULTS = {**_PART_DEFAULTS, "max_position_embeddings": 64}
VISION_DEFAULTS = {**_PART_DEFAULTS, "image_size": 224, "patch_size": 16, "vision_use_head": True}
PICTURES = {
    "size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": (0.5, 0.5, 0.5),
    "image_std": (0.5, 0.5, 0.5),
}
_HEAD = "vision_model.head"


def siglip(folder: Path) -> Recipe:
    """A SigLIP model: ``config.json``, its tokenizer's files, ``preprocessor_config.json`` and weights.

    Raises:
        WeightsNotFound, UnreadableWeights: if one of them is missing or says what is not known here.
    """
    config = read_json(folder / "config.json")
    file = find_tensors(folder, *WEIGHTS_NAMES)
    text = part_of(config, "text_config", TEXT_DEFAULTS)
    vision = part_of(config, "vision_config", VISION_DEFAULTS)
    images = image_steps(folder, PICTURES)
    _check(folder, vision, images)
    towers = {
        "text": _text_tower(text_steps(folder, text["max_position_embeddings"]), text, file.tensors()),
        "image": _image_tower(images, vision, file.tensors(_split_head)),
    }
    return recipe_of("siglip", folder, [file], towers, normalized=False)


def _check(folder: Path, vision: Mapping[str, Any], images: ImageSteps) -> None:
    if not vision["vision_use_head"]:
        raise WeightsNotFound(f"{folder} has no pooling head (vision_use_head is false), so no vectors of pictures")
    check_size(folder, images, vision)


def text_steps(folder: Path, context: int) -> TextSteps:
    """Texts as transformers' AutoTokenizer prepares them, always filled up: the last token is the text's vector.

    SigLIP has a ``spiece.model``; a ``tokenizer.json`` beside it was made by others, and is left alone. SigLIP 2 has
    Gemma's ``tokenizer.json``. Only where it is said to be a Siglip2Tokenizer's are texts made small: SigLIP 2 was
    trained on small letters (google-research/big_vision#187, huggingface/transformers#43101), but transformers keeps
    capitals where the files name Gemma's tokenizer, whatever ``do_lower_case`` says. What fills up is the tokenizer's
    mark, not the config's ``pad_token_id``, whose default is another token.
    """
    said = read_optional_json(folder / "tokenizer_config.json")
    kind = str(said.get("tokenizer_class") or "").removesuffix("Fast")
    vocabulary = folder / "spiece.model"
    if kind == "SiglipTokenizer" or (not kind and vocabulary.is_file()):
        usual = Marks()
        marks = Marks(
            spelling(said.get("eos_token", usual.end)),
            spelling(said.get("unk_token", usual.unknown)),
            spelling(said.get("pad_token", usual.pad)),
        )
        spiece = read_spiece(vocabulary, context, marks, lower_case=said.get("do_lower_case", True))
        return TextSteps(spiece, context, spiece.id_of(marks.pad), full=True)
    tokenizer = read_tokenizer(folder, context, lower_case=kind == "Siglip2Tokenizer")
    return TextSteps(tokenizer, context, tokenizer.id_of(spelling(said.get("pad_token", "<pad>"))), full=True)


def _split_head(weights: Weights) -> Weights:
    return {**weights, **split_projections(weights, f"{_HEAD}.attention")}


def _text_tower(steps: TextSteps, config: Mapping[str, Any], weights: TensorSource) -> Tower:
    network = _Text(encoder_of("text_model", config))
    dim = config.get("projection_size") or config["hidden_size"]
    name = f"siglip-text-{shape_of(network.encoder)}"
    return Tower(steps, weights.text_network(name, network, dim))


def _image_tower(steps: ImageSteps, config: Mapping[str, Any], weights: TensorSource) -> Tower:
    network = _Vision(encoder_of("vision_model", config), config["patch_size"])
    name = f"siglip-image-{shape_of(network.encoder)}-{network.patch}"
    return Tower(steps, weights.image_network(name, network, steps.size, config["hidden_size"]))


@dataclass(frozen=True)
class _Text:
    encoder: Encoder

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        tokens = ops.embed(x, "text_model.embeddings.token_embedding")
        tokens = ops.add_rows(tokens, "text_model.embeddings.position_embedding")
        # Every token attends to every other, to those that fill up as well: so it was trained.
        last = ops.last_token(encode(ops, tokens, self.encoder))
        return ops.linear(ops.layer_norm(last, "text_model.final_layer_norm", self.encoder.eps), "text_model.head")


@dataclass(frozen=True)
class _Vision:
    encoder: Encoder
    patch: int

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        tokens = ops.patches(ops.conv(x, "vision_model.embeddings.patch_embedding", self.patch, bias=True))
        tokens = ops.add_rows(tokens, "vision_model.embeddings.position_embedding")
        tokens = encode(ops, tokens, self.encoder)
        return self._pool(ops, ops.layer_norm(tokens, "vision_model.post_layernorm", self.encoder.eps))

    def _pool(self, ops: Ops[Tensor], tokens: Tensor) -> Tensor:
        """One learned token asks all others (Lee et al. 2018, arXiv:1810.00825)."""
        probe = ops.learned_token(tokens, f"{_HEAD}.probe")
        query = ops.linear(probe, f"{_HEAD}.attention.q_proj")
        key, value = (ops.linear(tokens, f"{_HEAD}.attention.{part}_proj") for part in ("k", "v"))
        pooled = ops.first_token(ops.attention(query, key, value, self.encoder.heads))
        pooled = ops.linear(pooled, f"{_HEAD}.attention.out_proj")
        inner = ops.linear(ops.layer_norm(pooled, f"{_HEAD}.layernorm", self.encoder.eps), f"{_HEAD}.mlp.fc1")
        return ops.add(pooled, ops.linear(ops.gelu(inner, self.encoder.activation), f"{_HEAD}.mlp.fc2"))
