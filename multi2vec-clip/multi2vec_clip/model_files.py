"""What the files of a model folder say: its configuration, and how its pictures are prepared."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vecmod.serving.model.recipe import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import WeightsNotFound

# Pillow's numbers for its filters, which preprocessor_config.json uses.
_FILTERS = {2: Filter.BILINEAR, 3: Filter.BICUBIC}
# OpenAI's CLIP: what a file that does not say it means.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_PICTURES = {"size": 224, "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the folder.

    Raises:
        WeightsNotFound: if it is missing or no JSON object.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise WeightsNotFound(f"{path} is not a JSON object")
    return content


def read_json_list(path: Path) -> list[dict[str, Any]]:
    """A JSON list of objects of the folder.

    Raises:
        WeightsNotFound: if it is missing or no such list.
    """
    content = _load(path)
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise WeightsNotFound(f"{path} is not a JSON list of objects")
    return content


def _load(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WeightsNotFound(f"{path} is missing: copy the whole model folder") from error
    except ValueError as error:
        raise WeightsNotFound(f"{path} is not JSON: {error}") from error


def part_of(config: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """One part of a config, with its defaults."""
    return {**defaults, **(config.get(name) or {})}


def image_steps(path: Path, defaults: Mapping[str, Any] = CLIP_PICTURES) -> ImageSteps:
    """How pictures are prepared, as a ``preprocessor_config.json`` says, or ``defaults`` where it does not.

    Either the shorter side is scaled to a length and a centred square cut out, or the whole picture is squashed.

    Raises:
        WeightsNotFound: if the file is missing, or asks for something else.
    """
    config = {**defaults, **read_json(path)}
    short, side = _sides(config)
    resample = config["resample"]
    if not side or (short and short < side) or resample not in _FILTERS or not config.get("do_resize", True):
        raise WeightsNotFound(
            f"{path}: size {config.get('size')}, crop_size {config.get('crop_size')} and resample {resample} ask for "
            "a preparation that is not known here: shorter side and centre cut, or the whole picture squashed"
        )
    return ImageSteps(
        size=side,
        filter=_FILTERS[resample],
        center_crop=None,
        divisor=round(1 / config.get("rescale_factor", 1 / 255), 6),
        mean=Channels(*config["image_mean"]),
        std=Channels(*config["image_std"]),
        short_side=short,
    )


def _sides(config: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The length of the shorter side, None to squash; and the side of the square, None if it is none."""
    size, crop = config["size"], config.get("crop_size", 224)
    if isinstance(size, dict) and "height" in size:
        square = size["height"] == size.get("width") and not config.get("do_center_crop", False)
        return None, size["height"] if square else None
    short = size.get("shortest_edge") if isinstance(size, dict) else size
    side = crop.get("height") if isinstance(crop, dict) else crop
    square = not isinstance(crop, dict) or crop.get("width") == side
    return short, side if short and square and config.get("do_center_crop", True) else None
