"""A Chinese-CLIP model small enough for tests, in the authors' own file format, tokenizer included."""

from pathlib import Path

import torch
from transformers import ChineseCLIPConfig, ChineseCLIPImageProcessorPil, ChineseCLIPModel

from spread import spread

# BERT's Chinese vocabulary in small: marks, characters, Latin letters alone and within words, some words.
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
WORDS = [
    *MARKS,
    *"一只坐在子上的狗照片。!,.'0123456789",
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    *"cat photo of two word play ##ing ##s caf".split(),
]


def write(folder: Path) -> Path:
    """A random model; a character of the probes (猫, a cat) is missing from its vocabulary."""
    torch.manual_seed(5)
    part = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3}
    text = {**part, "num_attention_heads": 4, "vocab_size": len(WORDS), "max_position_embeddings": 128}
    vision = {**part, "num_attention_heads": 2, "image_size": 64, "patch_size": 16}
    model = ChineseCLIPModel(ChineseCLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    spread(model)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
    ChineseCLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False).save_pretrained(folder)
    return folder
