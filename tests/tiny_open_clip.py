"""A small CLIP model as open_clip publishes it, beside the same model as transformers keeps it."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import CLIPModel

import tiny_clip

NAMES = {"self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2"}
NAMES |= {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
CONFIG: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "patch_size": 16, "layers": 3, "width": 32, "head_width": 16, "mlp_ratio": 2.0},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "layers": 3, "width": 32, "heads": 4, "mlp_ratio": 2.0},
}


def write(folder: Path, *, quick: bool, text_prefix: str = "", preprocessing: dict[str, Any] | None = None) -> Path:
    """The folder for open_clip; in ``reference`` under it is that for transformers.

    A model whose text part has a prefix of its own is written as a torch checkpoint, any other as safetensors.
    """
    reference = tiny_clip.write(folder / "reference", end=49407, activation="quick_gelu" if quick else "gelu")
    model = CLIPModel.from_pretrained(reference)
    write_config(folder, {**CONFIG, "quick_gelu": quick, "custom_text": bool(text_prefix)}, preprocessing or {})
    for path in reference.glob("tokenizer*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    state = {**_vision(model), **{text_prefix + name: tensor for name, tensor in _text(model).items()}}
    state["logit_scale"] = torch.tensor(4.6)
    state = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    if text_prefix:
        torch.save(state, folder / "open_clip_pytorch_model.bin")
    else:
        save_file(state, folder / "open_clip_model.safetensors")
    return folder


def write_config(folder: Path, model: dict[str, Any], preprocessing: dict[str, Any]) -> None:
    config = {"model_cfg": model, "preprocess_cfg": preprocessing}
    (folder / "open_clip_config.json").write_text(json.dumps(config))


def _vision(model: Any) -> dict[str, torch.Tensor]:
    tower = model.vision_model
    named = {
        "conv1.weight": tower.embeddings.patch_embedding.weight,
        "class_embedding": tower.embeddings.class_embedding,
        "positional_embedding": tower.embeddings.position_embedding.weight,
        "proj": model.visual_projection.weight.T,
        **_norm("ln_pre", tower.pre_layrnorm),
        **_norm("ln_post", tower.post_layernorm),
        **_blocks(tower.encoder),
    }
    return {f"visual.{name}": tensor for name, tensor in named.items()}


def _text(model: Any) -> dict[str, torch.Tensor]:
    tower = model.text_model
    return {
        "token_embedding.weight": tower.embeddings.token_embedding.weight,
        "positional_embedding": tower.embeddings.position_embedding.weight,
        "text_projection": model.text_projection.weight.T,
        **_norm("ln_final", tower.final_layer_norm),
        **_blocks(tower.encoder),
    }


def _norm(name: str, layer: Any) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}


def _blocks(encoder: Any) -> dict[str, torch.Tensor]:
    found = {}
    for number, layer in enumerate(encoder.layers):
        block = f"transformer.resblocks.{number}"
        for kind in ("weight", "bias"):
            projections = (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)
            found[f"{block}.attn.in_proj_{kind}"] = torch.cat([getattr(one, kind) for one in projections])
            for theirs, ours in NAMES.items():
                found[f"{block}.{ours}.{kind}"] = getattr(layer.get_submodule(theirs), kind)
    return found
