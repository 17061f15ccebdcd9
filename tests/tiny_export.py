"""Tiny models exported to ONNX by torch's own exporter, in the two layouts that are published."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel


class _Texts(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
        return self.model.get_text_features(input_ids=ids.long(), attention_mask=mask).pooler_output


class _Pictures(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> Any:
        return self.model.get_image_features(pixel_values=pixels).pooler_output


def write_transformers_layout(clip: Path, folder: Path) -> Path:
    """``onnx/text_model.onnx`` and ``onnx/vision_model.onnx``: any number of items, of any length, with a mask."""
    model = AutoModel.from_pretrained(clip, attn_implementation="eager")
    _copy_descriptions(clip, folder)
    ids = torch.ones(2, 9, dtype=torch.long)
    free = {0: "batch", 1: "length"}
    _export(
        _Texts(model),
        (ids, torch.ones_like(ids)),
        folder / "onnx/text_model.onnx",
        ["input_ids", "attention_mask"],
        "text_embeds",
        {"input_ids": free, "attention_mask": free},
    )
    pixels = torch.zeros(2, 3, 64, 64)
    axes = {"pixel_values": {0: "batch"}}
    _export(_Pictures(model), (pixels,), folder / "onnx/vision_model.onnx", ["pixel_values"], "image_embeds", axes)
    return folder


def write_siglip(siglip: Path, folder: Path, context: int) -> Path:
    """The same of a SigLIP: no mask, always the full length, vectors under another name."""
    model = AutoModel.from_pretrained(siglip, attn_implementation="eager")
    _copy_descriptions(siglip, folder)
    ids, pixels = torch.ones(2, context, dtype=torch.long), torch.zeros(2, 3, 64, 64)
    free = {"input_ids": {0: "batch"}, "pixel_values": {0: "batch"}}
    _export(_Texts(model), (ids,), folder / "onnx/text_model.onnx", ["input_ids"], "pooler_output", free)
    _export(_Pictures(model), (pixels,), folder / "onnx/vision_model.onnx", ["pixel_values"], "pooler_output", free)
    return folder


def _copy_descriptions(source: Path, folder: Path) -> None:
    (folder / "onnx").mkdir(parents=True)
    for file in source.iterdir():
        if file.suffix in (".json", ".txt", ".model"):
            shutil.copy(file, folder / file.name)


def write_photo_server_layout(clip: Path, folder: Path) -> Path:
    """``textual`` and ``visual``: one item at a time, of the full length, ids in 32 bits, described as by open_clip."""
    model = AutoModel.from_pretrained(clip, attn_implementation="eager")
    for part in ("textual", "visual"):
        (folder / part).mkdir(parents=True)
    shutil.copy(clip / "tokenizer.json", folder / "textual/tokenizer.json")
    config = {"embed_dim": 24, "vision_cfg": {"image_size": 64}, "text_cfg": {"context_length": 77}}
    (folder / "config.json").write_text(json.dumps(config))
    preprocess = {
        "size": [64, 64],
        "mode": "RGB",
        "interpolation": "bicubic",
        "resize_mode": "shortest",
        "fill_color": 0,
    }
    (folder / "visual/preprocess_cfg.json").write_text(json.dumps(preprocess))
    ids = torch.ones(1, 77, dtype=torch.int32)
    _export(_Texts(model), (ids,), folder / "textual/model.onnx", ["text"], "embedding", {})
    _export(_Pictures(model), (torch.zeros(1, 3, 64, 64),), folder / "visual/model.onnx", ["image"], "embedding", {})
    return folder


def _export(
    part: torch.nn.Module, example: tuple[Any, ...], path: Path, inputs: list[str], output: str, free: dict[str, Any]
) -> None:
    with warnings.catch_warnings():
        # The exporter's own, of its age and of what it traces; what it writes is checked by the tests.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            part.eval(),
            example,
            path,
            input_names=inputs,
            output_names=[output],
            dynamic_axes={name: axes for name, axes in free.items() if name in inputs},
            dynamo=False,
            opset_version=17,
        )
