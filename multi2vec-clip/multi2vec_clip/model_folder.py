"""A folder with a model to a recipe, whatever kind of model it is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from multi2vec_clip.chinese_clip import chinese_clip
from multi2vec_clip.clip import clip
from multi2vec_clip.model_files import read_json
from multi2vec_clip.onnx_folder import has_graphs, onnx_folder
from multi2vec_clip.open_clip import open_clip
from multi2vec_clip.sbert import sentence_transformer
from multi2vec_clip.siglip import siglip
from vecmod.serving.model.converted import with_graphs
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import OPEN_CLIP_CONFIG, OPEN_CLIP_NAMES, WeightsNotFound, tensor_names

# By what config.json calls `model_type`; the others are known by files of their own.
_KINDS: dict[str, Callable[[Path], Recipe]] = {"clip": clip, "chinese_clip": chinese_clip, "siglip": siglip}
KINDS = ", ".join([*_KINDS, "open_clip", "sentence-transformers", "graphs exported to ONNX"])


def read_folder(folder: Path) -> Recipe:
    """The model of a folder, laid out as on the hub.

    Raises:
        WeightsNotFound, UnreadableWeights: if it is of no kind that is known here, or something is missing.
    """
    if not folder.is_dir():
        raise WeightsNotFound(f"{folder} is no folder; is the volume mounted?")
    try:
        recipe = _reader(folder)(folder)
    except KeyError as error:
        raise UnreadableWeights(f"{folder}: its files do not say {error}; copy the whole model folder") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UnreadableWeights(f"{folder}: its files say what is not known here: {error}") from error
    return replace(with_graphs(recipe, folder), sources=(folder,))


def _reader(folder: Path) -> Callable[[Path], Recipe]:
    if (folder / "modules.json").is_file():
        return sentence_transformer
    if has_graphs(folder):
        return onnx_folder
    if _is_open_clip(folder):
        return open_clip
    found = read_json(folder / "config.json").get("model_type")
    if found not in _KINDS:
        raise WeightsNotFound(f"{folder} holds a model of type {found}; read here: {KINDS}")
    return _KINDS[found]


def _is_open_clip(folder: Path) -> bool:
    """Whether open_clip's files are there: many repositories hold them beside those of transformers or timm."""
    alone = not (folder / "config.json").is_file()
    return (folder / OPEN_CLIP_CONFIG).is_file() and (alone or not tensor_names(folder).isdisjoint(OPEN_CLIP_NAMES))


def pair(image: Recipe, text: Recipe) -> Recipe:
    """Pictures by one model, texts by another that was trained to meet it.

    Raises:
        WeightsNotFound: if one lacks its tower, or their vectors differ in length.
    """
    if "image" not in image.towers or "text" not in text.towers:
        raise WeightsNotFound(f"{image.name} must embed pictures and {text.name} texts")
    towers = {"text": text.towers["text"], "image": image.towers["image"]}
    dims = [tower.network.dim for tower in towers.values()]
    if dims[0] != dims[1]:
        raise WeightsNotFound(f"{text.name} gives {dims[0]} numbers, {image.name} {dims[1]}: they are no pair")
    return replace(
        image,
        name=f"{image.name} + {text.name}",
        revision=f"{image.revision}; {text.revision}",
        towers=towers,
        normalized=image.normalized and text.normalized,
        sources=(*image.sources, *text.sources),
    )
