"""Folders of graphs that others exported to ONNX, in the two layouts that are common.

``onnx/text_model.onnx`` and ``onnx/vision_model.onnx`` beside the description that transformers reads (also without the
folder ``onnx``); and ``textual/model.onnx`` and ``visual/model.onnx`` beside one of open_clip's kind, as photo servers
publish them. One of the two may be missing: then the other is served alone.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from multi2vec_clip import siglip
from multi2vec_clip.clip import TEXT_DEFAULTS
from multi2vec_clip.model_files import image_steps, part_of, read_json, read_optional_json, recipe_of, spelling
from multi2vec_clip.open_clip import picture_steps
from vecmod.serving.engine.network import ExportedGraph
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.transforms import ImageSteps
from vecmod.serving.model.weights import WeightsFile, WeightsNotFound, tensor_names

# What exporters call inputs and outputs.
_IDS = ("input_ids", "text", "input")
_PIXELS = ("pixel_values", "image", "input")
_TEXT_VECTORS = ("text_embeds", "embedding", "text_features", "sentence_embedding", "output")
_IMAGE_VECTORS = ("image_embeds", "embedding", "image_features", "output")
# SigLIP has no projection behind it; CLIP has, so the same name would be another vector.
_POOLED = ("pooler_output",)


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
    """Whether the folder has one of the layouts, and no weights, which are preferred."""
    return _layout(folder) is not None and not tensor_names(folder)


def onnx_folder(folder: Path) -> Recipe:
    """The graphs of a folder; vectors are scaled to length 1 if those of the same model are that are not exported.

    Raises:
        WeightsNotFound, UnreadableWeights: if a file is missing or says what is not known here.
    """
    layout = _layout(folder)
    if layout is None:
        raise WeightsNotFound(f"{folder} has none of {', '.join(name for pair in _LAYOUTS for name in pair)}")
    said = _describe(folder, read_json(folder / "config.json"))
    towers: dict[str, Tower] = {}
    if (path := folder / layout.text).is_file():
        texts = said.texts()
        graph = ExportedGraph(path, ("length",), said.dim, _IDS, said.pooled + _TEXT_VECTORS, texts.pad_id)
        towers["text"] = Tower(texts, graph)
    if (path := folder / layout.image).is_file():
        images = said.images()
        shape = (3, images.size, images.size)
        towers["image"] = Tower(images, ExportedGraph(path, shape, said.dim, _PIXELS, said.pooled + _IMAGE_VECTORS))
    files = [WeightsFile.at(folder / name) for name in layout if (folder / name).is_file()]
    return recipe_of("onnx", folder, files, towers, normalized=said.normalized)


class _Description(NamedTuple):
    """What the files say; of texts and pictures only when there is a graph for them."""

    dim: int
    normalized: bool
    texts: Callable[[], TextSteps]
    images: Callable[[], ImageSteps]
    pooled: tuple[str, ...] = ()


def _layout(folder: Path) -> _Layout | None:
    return next((one for one in _LAYOUTS if any((folder / name).is_file() for name in one)), None)


def _describe(folder: Path, config: dict[str, Any]) -> _Description:
    if "vision_cfg" in config:
        return _open_clip(folder, config)
    kind = config.get("model_type")
    if kind == "clip":
        context = part_of(config, "text_config", TEXT_DEFAULTS)["max_position_embeddings"]
        texts = partial(_clip_texts, folder, context)
        return _Description(config.get("projection_dim", 512), True, texts, partial(image_steps, folder))
    if kind == "siglip":
        text = part_of(config, "text_config", siglip.TEXT_DEFAULTS)
        texts = partial(siglip.text_steps, folder, text["max_position_embeddings"])
        images = partial(image_steps, folder, siglip.PICTURES)
        return _Description(text.get("projection_size") or text["hidden_size"], False, texts, images, _POOLED)
    raise WeightsNotFound(f"{folder} holds graphs of type {kind}; read here: clip, siglip")


def _open_clip(folder: Path, config: dict[str, Any]) -> _Description:
    text, vision = part_of(config, "text_cfg", {}), part_of(config, "vision_cfg", {})
    if clean := (text.get("tokenizer_kwargs") or {}).get("clean"):
        raise WeightsNotFound(f"{folder}: texts must be cleaned by {clean}, which is not known here")
    path = folder / "visual/preprocess_cfg.json"

    def images() -> ImageSteps:
        return picture_steps(read_json(path), vision.get("image_size", 224), path)

    texts = partial(_padded_texts, folder / "textual", text.get("context_length", 77))
    return _Description(config["embed_dim"], True, texts, images)


def _clip_texts(folder: Path, context: int) -> TextSteps:
    # Not the end of a text, which CLIP's files name: where there is a mask, it must tell the two apart.
    return TextSteps(read_tokenizer(folder, context), context, pad_id=0)


def _padded_texts(folder: Path, context: int) -> TextSteps:
    """Filled up with what the tokenizer's files name: these graphs have no mask, and some look for it themselves."""
    tokenizer = read_tokenizer(folder, context)
    pad = read_optional_json(folder / "tokenizer_config.json").get("pad_token")
    return TextSteps(tokenizer, context, tokenizer.id_of(spelling(pad)) if pad else 0)
