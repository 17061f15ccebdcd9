"""Folders of graphs that others exported to ONNX, in the two layouts that are common.

``onnx/text_model.onnx`` and ``onnx/vision_model.onnx`` beside the description that transformers reads (also without the
folder ``onnx``); and ``textual/model.onnx`` and ``visual/model.onnx`` beside one of open_clip's kind, as photo servers
publish them. One of the two may be missing: then the other is served alone.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from multi2vec_clip.clip import TEXT_DEFAULTS
from multi2vec_clip.model_files import image_steps, open_clip_steps, part_of, read_json
from vecmod.serving.engine.network import ExportedGraph
from vecmod.serving.model.recipe import ImageSteps, Recipe, TextSteps, Tower
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.weights import WeightsFile, WeightsNotFound

# What exporters call inputs and outputs.
_IDS = ("input_ids", "text", "input")
_PIXELS = ("pixel_values", "image", "input")
_TEXT_VECTORS = ("text_embeds", "embedding", "text_features", "sentence_embedding", "output")
_IMAGE_VECTORS = ("image_embeds", "embedding", "image_features", "output")


class _Layout(NamedTuple):
    """Where the graphs of a layout are, and which of its files describes the model."""

    text: str
    image: str


_LAYOUTS = (
    _Layout("onnx/text_model.onnx", "onnx/vision_model.onnx"),
    _Layout("text_model.onnx", "vision_model.onnx"),
    _Layout("textual/model.onnx", "visual/model.onnx"),
)


def has_graphs(folder: Path) -> bool:
    """Whether the folder has one of the layouts."""
    return _layout(folder) is not None


def onnx_folder(folder: Path) -> Recipe:
    """The graphs of a folder; vectors are scaled to length 1, which changes nothing if the graphs do it themselves.

    Raises:
        WeightsNotFound, UnreadableWeights: if a file is missing or says what is not known here.
    """
    layout = _layout(folder)
    if layout is None:
        raise WeightsNotFound(f"{folder} has none of {', '.join(name for pair in _LAYOUTS for name in pair)}")
    config = read_json(folder / "config.json")
    description = _from_open_clip(folder, config) if "vision_cfg" in config else _from_transformers(folder, config)
    towers = _towers(folder, layout, description)
    files = [tower.network.path for tower in towers.values() if isinstance(tower.network, ExportedGraph)]
    return Recipe(
        name=f"onnx: {folder.name}",
        revision=", ".join(WeightsFile.at(path).revision() for path in files),
        licence="see the model's card",
        towers=towers,
        normalized=True,
        best_batch=8,
    )


class _Description(NamedTuple):
    dim: int
    context: int
    tokenizer: Path
    image: Callable[[], ImageSteps]


def _layout(folder: Path) -> _Layout | None:
    return next((one for one in _LAYOUTS if any((folder / name).is_file() for name in one)), None)


def _towers(folder: Path, layout: _Layout, said: _Description) -> dict[str, Tower]:
    towers: dict[str, Tower] = {}
    if (folder / layout.text).is_file():
        steps = TextSteps(read_tokenizer(said.tokenizer, said.context), said.context, pad_id=0)
        graph = ExportedGraph(folder / layout.text, ("length",), said.dim, _IDS, _TEXT_VECTORS)
        towers["text"] = Tower(steps, graph)
    if (folder / layout.image).is_file():
        image = said.image()
        graph = ExportedGraph(folder / layout.image, (3, image.size, image.size), said.dim, _PIXELS, _IMAGE_VECTORS)
        towers["image"] = Tower(image, graph)
    return towers


def _from_transformers(folder: Path, config: dict[str, Any]) -> _Description:
    if config.get("model_type") != "clip":
        raise WeightsNotFound(f"{folder} holds graphs of type {config.get('model_type')}; read here: clip")
    context = part_of(config, "text_config", TEXT_DEFAULTS)["max_position_embeddings"]
    image = partial(image_steps, folder / "preprocessor_config.json")
    return _Description(config.get("projection_dim", 512), context, folder, image)


def _from_open_clip(folder: Path, config: dict[str, Any]) -> _Description:
    text, vision = part_of(config, "text_cfg", {}), part_of(config, "vision_cfg", {})
    if clean := (text.get("tokenizer_kwargs") or {}).get("clean"):
        raise WeightsNotFound(f"{folder}: texts must be cleaned by {clean}, which is not known here")
    prepared = folder / "visual/preprocess_cfg.json"
    image = partial(open_clip_steps, prepared, vision.get("image_size", 224))
    return _Description(config["embed_dim"], text.get("context_length", 77), folder / "textual", image)
