"""The pair of the official image in small: a CLIP and a text encoder that meets its vectors, as published."""

import json
import shutil
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizer, DistilBertConfig, DistilBertModel

import tiny_clip
from spread import spread

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    *"一只猫坐在!,.'",
]
CONTEXT = 48


def write_text(folder: Path, *, kind: str, pooling: str, dim: int) -> Path:
    """A text encoder, written by the library itself, then with the files of the releases that published the models."""
    torch.manual_seed(5)
    encoder = folder.with_name("encoder")
    BertTokenizer(vocab={word: number for number, word in enumerate(WORDS)}).save_pretrained(encoder)
    _encoder(kind, encoder)
    modules = [Transformer(str(encoder)), Pooling(32, pooling_mode=pooling)]
    if dim:
        modules.append(Dense(32, dim, bias=False, activation_function=torch.nn.Identity()))
    SentenceTransformer(modules=modules).save(str(folder))
    _as_published(folder, pooling)
    return folder


def _encoder(kind: str, folder: Path) -> None:
    if kind == "bert":
        shape = BertConfig(
            vocab_size=len(WORDS),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
        )
        bert = BertModel(shape)
        spread(bert)
        bert.save_pretrained(folder)
        return
    config = DistilBertConfig(
        vocab_size=len(WORDS), dim=32, hidden_dim=64, n_layers=2, n_heads=4, max_position_embeddings=64
    )
    distilbert = DistilBertModel(config)
    spread(distilbert)
    distilbert.save_pretrained(folder)


def _as_published(folder: Path, pooling: str) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    for module in modules:
        module["type"] = f"sentence_transformers.models.{module['type'].rpartition('.')[2]}"
    (folder / "modules.json").write_text(json.dumps(modules))
    modes = {f"pooling_mode_{name}": name.startswith(pooling) for name in ("cls_token", "mean_tokens", "max_tokens")}
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 32, **modes}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": CONTEXT, "do_lower_case": False}))


def write_image(folder: Path) -> Path:
    """``clip-ViT-B-32`` in small: CLIP in a folder of its own, without ``tokenizer.json``."""
    clip = tiny_clip.write(folder / "0_CLIPModel", end=2, activation="quick_gelu")
    words, pairs = tiny_clip.vocabulary()
    (clip / "vocab.json").write_text(json.dumps(words))
    (clip / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in pairs))
    (clip / "tokenizer.json").unlink()
    module = {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}
    (folder / "modules.json").write_text(json.dumps([module]))
    return folder


def write_pair(folder: Path) -> Path:
    """Both, under the names that the official image gives their folders."""
    write_image(folder / "clip")
    write_text(folder / "text", kind="distilbert", pooling="mean", dim=24)
    shutil.rmtree(folder / "encoder")
    return folder
