"""The transformer encoder, once for all families; they differ in names, order of normalisation and activation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecmod.serving.engine.network import Gelu, Ops, Tensor, Weights


@dataclass(frozen=True)
class LayerNames:
    """What a family calls the parts of a layer.

    Where ``extra_key`` and ``extra_value`` are named, every token attends to that learned pair, too: what torch's
    MultiheadAttention calls ``add_bias_kv``. There is no mask then.
    """

    query: str
    key: str
    value: str
    out: str
    attention_norm: str
    up: str
    down: str
    mlp_norm: str
    extra_key: str = ""
    extra_value: str = ""


@dataclass(frozen=True)
class Encoder:
    """A stack of layers, named ``{prefix}.0``, ``{prefix}.1``, ...

    Attributes:
        prefix: of the layers' names.
        names: of the parts of a layer.
        layers: how many.
        heads: of attention.
        eps: of the normalisations.
        activation: of the multilayer perceptrons.
        norm_first: normalise before attention and perceptron (as in GPT and CLIP), or after (as in BERT).
    """

    prefix: str
    names: LayerNames
    layers: int
    heads: int
    eps: float
    activation: Gelu
    norm_first: bool


def encode(
    ops: Ops[Tensor], x: Tensor, encoder: Encoder, mask: Tensor | None = None, *, causal: bool = False
) -> Tensor:
    """Tokens through all layers; ``mask`` and ``causal`` say which tokens attend to which."""
    for number in range(encoder.layers):
        layer = _Layer(encoder, f"{encoder.prefix}.{number}")
        attention_norm, mlp_norm = layer.name(encoder.names.attention_norm), layer.name(encoder.names.mlp_norm)
        if encoder.norm_first:
            normed = ops.layer_norm(x, attention_norm, encoder.eps)
            x = ops.add(x, layer.attend(ops, normed, mask, causal=causal))
            x = ops.add(x, layer.bend(ops, ops.layer_norm(x, mlp_norm, encoder.eps)))
        else:
            x = ops.layer_norm(ops.add(x, layer.attend(ops, x, mask, causal=causal)), attention_norm, encoder.eps)
            x = ops.layer_norm(ops.add(x, layer.bend(ops, x)), mlp_norm, encoder.eps)
    return x


@dataclass(frozen=True)
class _Layer:
    encoder: Encoder
    prefix: str

    def name(self, part: str) -> str:
        return f"{self.prefix}.{part}"

    def attend(self, ops: Ops[Tensor], x: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor:
        names = self.encoder.names
        query, key, value = (ops.linear(x, self.name(part)) for part in (names.query, names.key, names.value))
        if names.extra_key:
            key, value = ops.prepend(key, self.name(names.extra_key)), ops.prepend(value, self.name(names.extra_value))
        mixed = ops.attention(query, key, value, self.encoder.heads, mask, causal=causal)
        return ops.linear(mixed, self.name(names.out))

    def bend(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        names = self.encoder.names
        inner = ops.gelu(ops.linear(x, self.name(names.up)), self.encoder.activation)
        return ops.linear(inner, self.name(names.down))


def split_projections(weights: Weights, attention: str) -> dict[str, NDArray[np.float32]]:
    """The three projections that torch's MultiheadAttention keeps in one tensor, under the names of transformers.

    Raises:
        UnreadableWeights: if the file lacks them.
    """
    names = [f"{attention}.{part}_proj" for part in ("q", "k", "v")]
    matrices = np.split(weights[f"{attention}.in_proj_weight"], 3)
    biases = np.split(weights[f"{attention}.in_proj_bias"], 3)
    return {
        **{f"{name}.weight": matrix for name, matrix in zip(names, matrices, strict=True)},
        **{f"{name}.bias": bias for name, bias in zip(names, biases, strict=True)},
    }
