"""SigLIP models small enough for tests, in the authors' own file format, tokenizers included."""

import io
import json
from pathlib import Path

import sentencepiece
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel, SiglipTokenizer

from spread import spread

# The longest of the texts that are asked for must not fit.
CONTEXT = 48
DIM = 24
_VOCABULARY = 400
_CORPUS = [
    "a photo of two dogs playing in the garden",
    "a cat sits on a mat, and it's 3 o'clock",
    "一只猫坐在垫子上",
    "word by word the photographer wrote what she saw",
    "A Photo of Two Cafés in the OLD town! What a day?",
] * 4
_GEMMA_MARKS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]


def write(folder: Path, kind: str) -> Path:
    """A random model; ``kind`` is what its files call the tokenizer: SigLIP's, Gemma's or SigLIP 2's."""
    torch.manual_seed(5)
    first = kind == "SiglipTokenizer"
    part = {"intermediate_size": 40, "num_hidden_layers": 3}
    width = {"hidden_size": DIM} if first else {"hidden_size": 32, "projection_size": DIM}
    text = {**part, **width, "num_attention_heads": 4, "vocab_size": _VOCABULARY, "max_position_embeddings": CONTEXT}
    # The patches of the second leave a margin, as in the models of 384 pixels with patches of 14.
    vision = {**part, "hidden_size": DIM, "num_attention_heads": 2, "image_size": 64 if first else 70, "patch_size": 16}
    marks = {"bos_token_id": 0, "eos_token_id": 1}
    model = SiglipModel(SiglipConfig(text_config={**text, **marks}, vision_config=vision))
    spread(model)
    model.save_pretrained(folder)
    side = {"height": vision["image_size"], "width": vision["image_size"]}
    SiglipImageProcessorPil(size=side, resample=3 if first else 2).save_pretrained(folder)
    if first:
        _write_spiece(folder)
    else:
        _write_gemma(folder, kind)
    return folder


def _write_spiece(folder: Path) -> None:
    """The vocabulary's layout is that of T5, which SigLIP took over."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_CORPUS),
        model_writer=trained,
        vocab_size=150,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        remove_extra_whitespaces=False,
        num_threads=1,
        minloglevel=2,
    )
    (folder / "trained.model").write_bytes(trained.getvalue())
    tokenizer = SiglipTokenizer(
        str(folder / "trained.model"), model_input_names=["input_ids"], model_max_length=CONTEXT
    )
    tokenizer.save_pretrained(folder)
    (folder / "trained.model").unlink()


def _write_gemma(folder: Path, kind: str) -> None:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))  # noqa: S106 -- no password
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    letters = [f"<0x{byte:02X}>" for byte in range(256)]
    marks = [*_GEMMA_MARKS, *letters]
    trainer = trainers.BpeTrainer(vocab_size=_VOCABULARY, special_tokens=marks, show_progress=False)
    tokenizer.train_from_iterator(_CORPUS, trainer)
    # As in Gemma's file, bytes are in the vocabulary but are no marks that a text could contain.
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] in _GEMMA_MARKS]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A:0 <eos>:0", special_tokens=[("<eos>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        **{f"{mark.strip('<>')}_token": mark for mark in _GEMMA_MARKS},
        "add_bos_token": False,
        "add_eos_token": True,
        "do_lower_case": True,
        "model_input_names": ["input_ids"],
        "padding_side": "right",
        "tokenizer_class": kind,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
