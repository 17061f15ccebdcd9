"""ImageBind (Girdhar et al. 2023, arXiv:2305.05665): six encoders that meet in one space.

Vectors are those of the authors' ``ImageBindModel``: of length 1 for pictures and video, of another length for each of
the other modalities, and shorter than that where several clips are averaged (``clips.py``).
"""

from dataclasses import dataclass
from pathlib import Path

from multi2vec_bind.imagebind_config import CONTEXT, VOCABULARY, Config, Patches, Trunk
from multi2vec_bind.imagebind_weights import POSITIONS, SCALE, has_extra, has_scale, head_names, tensors
from vecmod.serving.engine.network import Gelu, Network, Ops, Tensor, TrainedNetwork
from vecmod.serving.model.clean_text import MOST_CLEANED, cleaned
from vecmod.serving.model.text_batch import TextSteps, Tokens
from vecmod.serving.model.tokenizer import TextTokenizer, read_tokenizer
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.transformer import Encoder, LayerNames, encode
from vecmod.serving.model.weights import WeightsFile

_EPS = 1e-6
# The authors leave torch's default where patches are normalised.
_STEM_EPS = 1e-5
_NAMES = {
    "query": "attn.q_proj",
    "key": "attn.k_proj",
    "value": "attn.v_proj",
    "out": "attn.out_proj",
    "attention_norm": "norm_1",
    "up": "mlp.fc1",
    "down": "mlp.fc2",
    "mlp_norm": "norm_2",
}
_PLAIN_NAMES = LayerNames(**_NAMES)
_EXTRA_NAMES = LayerNames(**_NAMES, extra_key="attn.bias_k", extra_value="attn.bias_v")


def networks(file: WeightsFile, config: Config) -> dict[str, TrainedNetwork]:
    """The encoders by the authors' names of modalities; none of the weights is read yet.

    Inputs are ``text`` int64 ``[n, length]``, and float32 ``audio`` ``[n, 1, 128, 204]``, ``depth`` and ``thermal``
    ``[n, 1, 224, 224]``, ``imu`` ``[n, 6, 1, 2000]``, ``vision`` ``[n, 6, 224, 224]``: red of both frames, then green,
    then blue; of a picture both frames are the same.
    """
    stems = config.patches()
    found = {}
    for modality, trunk in config.trunks().items():
        stem = stems.get(modality)
        source = tensors(file, trunk, stem, config.out_embed_dim)
        network: Network = _Patched(trunk, stem) if stem else _Text(trunk)
        found[modality] = TrainedNetwork(
            f"imagebind-{modality}-{trunk.blocks}x{trunk.heads}",
            network,
            stem.input_shape if stem else ("length",),
            config.out_embed_dim,
            source.digest,
            source.load,
            input_type="float32" if stem else "int64",
        )
    return found


@dataclass(frozen=True)
class _Patched:
    trunk: Trunk
    stem: Patches

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        trunk, stem = self.trunk, self.stem
        tokens = ops.patches(ops.conv(x, trunk.part("preprocessors", stem.projection), stem.stride))
        if stem.norm is not None:
            tokens = ops.layer_norm(tokens, trunk.part("preprocessors", stem.norm), _STEM_EPS)
        tokens = ops.prepend(tokens, trunk.part("preprocessors", "cls_token"))
        tokens = ops.add_rows(tokens, trunk.part("preprocessors", POSITIONS))
        if trunk.modality == "vision":
            tokens = ops.layer_norm(tokens, trunk.part("trunks", "pre_transformer_layer.0"), _EPS)
        return _head(ops, ops.first_token(encode(ops, tokens, _encoder(trunk))), trunk)


@dataclass(frozen=True)
class _Text:
    trunk: Trunk

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        tokens = ops.embed(x, self.trunk.part("preprocessors", "token_embedding"))
        tokens = ops.add_rows(tokens, self.trunk.part("preprocessors", POSITIONS))
        # Attention looks back only, so what fills up behind the end changes nothing.
        tokens = encode(ops, tokens, _encoder(self.trunk), causal=True)
        # The end of a text has the largest of ids.
        return _head(ops, ops.token_at(tokens, x, None), self.trunk)


def _encoder(trunk: Trunk) -> Encoder:
    names = _EXTRA_NAMES if has_extra(trunk) else _PLAIN_NAMES
    return Encoder(trunk.part("trunks", "blocks"), names, trunk.blocks, trunk.heads, _EPS, Gelu.EXACT, norm_first=True)


def _head(ops: Ops[Tensor], token: Tensor, trunk: Trunk) -> Tensor:
    norm, projection = head_names(trunk)
    vector = ops.unit(ops.linear(ops.layer_norm(token, norm, _EPS), projection, bias=False))
    return ops.multiply(vector, trunk.part("postprocessors", SCALE)) if has_scale(trunk) else vector


def text_steps(folder: Path, *, lose_end: bool = False) -> TextSteps:
    """How texts are prepared: with CLIP's tokenizer.

    It is read from ``bpe_simple_vocab_16e6.txt.gz``, which the authors have beside their code, or from the files of any
    CLIP model that are named in :func:`read_tokenizer`.

    Args:
        folder: where the tokenizer is.
        lose_end: cut long texts as the authors did at first, and Weaviate's container still does: without their end,
            so that all of them get the same vector. It is for those who compare with such vectors.

    Raises:
        UnreadableWeights: if there is no tokenizer, or it cannot be read, or is another.
    """
    tokenizer = read_tokenizer(folder, CONTEXT + 1 if lose_end else CONTEXT)
    if (end := tokenizer.id_of("<|endoftext|>")) != VOCABULARY - 1:
        raise UnreadableWeights(f"{folder}: its texts end with the id {end}, those of ImageBind with {VOCABULARY - 1}")
    tokenize = cleaned(_WithoutEnd(tokenizer) if lose_end else tokenizer)
    return TextSteps(tokenize, CONTEXT, pad_id=0, most_cleaned=MOST_CLEANED)


@dataclass(frozen=True)
class _WithoutEnd:
    """Cuts what a tokenizer with room for one id more gives."""

    tokenizer: TextTokenizer

    def __call__(self, text: str) -> Tokens:
        ids, dropped = self.tokenizer(text)
        return Tokens(ids[:CONTEXT], dropped + max(0, len(ids) - CONTEXT))
