"""BERT text encoders (Devlin et al. 2018, arXiv:1810.04805), from their own ``config.json`` and state dict.

DistilBERT (Sanh et al. 2019, arXiv:1910.01108) is the same with fewer layers, other names and no types of tokens.
"""

from dataclasses import dataclass
from typing import Any

from vecmod.serving.engine.network import Gelu, Network, Ops, Tensor, Weights
from vecmod.serving.model.transformer import Encoder, LayerNames, encode

_NAMES = LayerNames(
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    out="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    up="intermediate.dense",
    down="output.dense",
    mlp_norm="output.LayerNorm",
)
_DISTILBERT_NAMES = LayerNames(
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    out="attention.out_lin",
    attention_norm="sa_layer_norm",
    up="ffn.lin1",
    down="ffn.lin2",
    mlp_norm="output_layer_norm",
)


@dataclass(frozen=True)
class Bert:
    """One encoder; ``prefix`` is what its tensors' names begin with, empty or ending in a dot."""

    prefix: str
    encoder: Encoder
    pad_id: int

    @classmethod
    def from_config(cls, config: dict[str, Any], prefix: str = "") -> "Bert":
        """An encoder as transformers' BertConfig describes it."""
        encoder = Encoder(
            prefix=f"{prefix}encoder.layer",
            names=_NAMES,
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            eps=config.get("layer_norm_eps", 1e-12),
            activation=Gelu(config.get("hidden_act", "gelu")),
            norm_first=False,
        )
        return cls(prefix, encoder, config.get("pad_token_id", 0))

    @classmethod
    def from_distilbert_config(cls, config: dict[str, Any], prefix: str = "") -> "Bert":
        """An encoder as transformers' DistilBertConfig describes it."""
        encoder = Encoder(
            prefix=f"{prefix}transformer.layer",
            names=_DISTILBERT_NAMES,
            layers=config.get("n_layers", 6),
            heads=config.get("n_heads", 12),
            eps=1e-12,  # not in its config; modeling_distilbert.py
            activation=Gelu(config.get("activation", "gelu")),
            norm_first=False,
        )
        return cls(prefix, encoder, config.get("pad_token_id", 0))

    def tokens(self, ops: Ops[Tensor], ids: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens after the last layer, and the mask of those that count."""
        mask = ops.counting(ids, self.pad_id)
        x = ops.embed(ids, f"{self.prefix}embeddings.word_embeddings")
        x = ops.add_rows(x, f"{self.prefix}embeddings.position_embeddings")
        x = ops.layer_norm(x, f"{self.prefix}embeddings.LayerNorm", self.encoder.eps)
        return encode(ops, x, self.encoder, mask), mask

    def fold_types(self, weights: Weights) -> Weights:
        """Every token is of type 0, if there are types: its row is added to the words once and for all."""
        words = f"{self.prefix}embeddings.word_embeddings.weight"
        key = f"{self.prefix}embeddings.token_type_embeddings.weight"
        if key not in weights:
            return weights
        types = weights[key]
        return {**weights, words: weights[words] + types[0]}


def mean_pooled(bert: Bert) -> Network:
    """The mean of all tokens that count, as sentence-transformers pools."""

    def network(ops: Ops[Tensor], x: Tensor) -> Tensor:
        return ops.mean_token(*bert.tokens(ops, x))

    return network
