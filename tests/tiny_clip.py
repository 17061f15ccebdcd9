"""A CLIP model small enough for tests, in the authors' own file format, tokenizer included."""

import gzip
from importlib.metadata import files
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from spread import spread

_MERGES = 49152 - 256 - 2


def vocabulary() -> tuple[dict[str, int], Any]:
    """OpenAI's byte-pair vocabulary, from the file that the open-clip-torch package carries."""
    path = next(file for file in files("open-clip-torch") or [] if file.name.startswith("bpe_simple_vocab"))
    lines = gzip.decompress(Path(str(path.locate())).read_bytes()).decode().split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    letters = _letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(words)}, merges


def _letters() -> list[str]:
    """One visible letter for each byte, in the order of GPT-2's table."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in visible] + [chr(256 + number) for number in range(256 - len(visible))]


def write(folder: Path, *, end: int, activation: str) -> Path:
    """A random model; ``end`` is the id that its config gives for the end of a text."""
    torch.manual_seed(3)
    part = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "hidden_act": activation}
    text = {**part, "num_attention_heads": 4, "vocab_size": 49408, "max_position_embeddings": 77, "eos_token_id": end}
    vision = {**part, "num_attention_heads": 2, "image_size": 64, "patch_size": 16}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    return write_as(config, folder, side=64)


def write_as(config: CLIPConfig, folder: Path, *, side: int, matrices: float = 0.4) -> Path:
    """A random model of any size, with its tokenizer and its image processor."""
    model = CLIPModel(config)
    spread(model, matrices)
    model.save_pretrained(folder)
    words, merges = vocabulary()
    CLIPTokenizer(vocab=words, merges=merges, model_max_length=77).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side}).save_pretrained(
        folder
    )
    return folder
