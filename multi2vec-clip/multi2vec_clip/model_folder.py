"""What a model folder of the hub's layout says: its kind, its parts, how its pictures are prepared."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vecmod.serving.model.recipe import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import WeightsNotFound, WeightsPlace

# Pillow's numbers for its filters, which preprocessor_config.json uses.
_FILTERS = {2: Filter.BILINEAR, 3: Filter.BICUBIC}
# transformers' CLIPImageProcessor: what a file that does not say it means.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


def model_folder(place: WeightsPlace, family: str, model_type: str) -> Path:
    """The mounted folder, if it holds a model of the kind.

    Raises:
        WeightsNotFound: if there is none, or it holds another kind.
    """
    if place.path is None or not place.path.is_dir():
        raise WeightsNotFound(f"MODEL_NAME={family} reads a model folder; mount one and name it in VECMOD_MODEL_PATH")
    found = read_json(place.path / "config.json").get("model_type")
    if found != model_type:
        raise WeightsNotFound(f"{place.path} holds a model of type {found}, which MODEL_NAME={family} does not read")
    return place.path


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the folder.

    Raises:
        WeightsNotFound: if it is missing or no JSON object.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WeightsNotFound(f"{path} is missing: copy the whole model folder") from error
    except ValueError as error:
        raise WeightsNotFound(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsNotFound(f"{path} is not a JSON object")
    return content


def part_of(config: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """One part of a config, with its defaults."""
    return {**defaults, **(config.get(name) or {})}


def image_steps(path: Path) -> ImageSteps:
    """Shorter side to a length, centred square, mean and deviation, as a ``preprocessor_config.json`` says.

    Raises:
        WeightsNotFound: if the file is missing, or asks for something else.
    """
    config = read_json(path)
    size, crop = config.get("size", 224), config.get("crop_size", 224)
    short = size if isinstance(size, int) else size.get("shortest_edge")
    side = crop if isinstance(crop, int) else crop.get("height")
    resample = config.get("resample", 3)
    if not short or not side or short < side or resample not in _FILTERS:
        raise WeightsNotFound(f"{path}: size {size}, crop_size {crop} and resample {resample} are not of this family")
    return ImageSteps(
        size=side,
        filter=_FILTERS[resample],
        center_crop=None,
        divisor=255.0,
        mean=Channels(*config.get("image_mean", _MEAN)),
        std=Channels(*config.get("image_std", _STD)),
        short_side=short,
    )
