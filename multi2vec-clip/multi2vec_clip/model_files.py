"""What the files of a model folder say: its configuration, and how its pictures are prepared."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.transforms import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import WeightsFile, WeightsNotFound

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


def read_optional_json(path: Path) -> dict[str, Any]:
    """A JSON object of the folder, empty if there is no such file.

    Raises:
        WeightsNotFound: if it is no JSON object.
    """
    return read_json(path) if path.is_file() else {}


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


def spelling(token: str | Mapping[str, Any]) -> str:
    """What a token is spelled, which some files say among other things about it."""
    return token if isinstance(token, str) else str(token["content"])


def recipe_of(
    kind: str, folder: Path, files: Sequence[WeightsFile], towers: Mapping[str, Tower], *, normalized: bool
) -> Recipe:
    """The recipe of what was read from the files of a folder."""
    return Recipe(
        name=f"{kind}: {folder.name}",
        revision=", ".join(file.revision() for file in files),
        licence="see the model's card",
        towers=towers,
        normalized=normalized,
        best_batch=8,
    )


def part_of(config: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """One part of a config, with its defaults; what the oldest files say beside it counts most, as in transformers."""
    return {**defaults, **(config.get(name) or {}), **(config.get(f"{name}_dict") or {})}


def image_steps(folder: Path, defaults: Mapping[str, Any] = CLIP_PICTURES) -> ImageSteps:
    """How pictures are prepared, as ``preprocessor_config.json`` says, or ``defaults`` where it does not.

    Either the shorter side is scaled to a length and a centred square cut out, or the whole picture is squashed. Newer
    versions of transformers write the same into a part of ``processor_config.json``.

    Raises:
        WeightsNotFound: if the file is missing, or asks for something else.
    """
    path = folder / "preprocessor_config.json"
    newer = folder / "processor_config.json"
    said = read_json(newer).get("image_processor") if newer.is_file() and not path.is_file() else read_json(path)
    config = {**defaults, **(said or {})}
    short, side = _sides(config)
    resample = config["resample"]
    left_out = [name for name in ("do_resize", "do_rescale", "do_normalize") if not config.get(name, True)]
    if not side or (short and short < side) or resample not in _FILTERS or left_out:
        raise WeightsNotFound(
            f"{path}: size {config.get('size')}, crop_size {config.get('crop_size')}, resample {resample} and without "
            f"{', '.join(left_out) or 'nothing'} ask for a preparation that is not known here: shorter side and centre "
            "cut, or the whole picture squashed"
        )
    return ImageSteps(
        size=side,
        filter=_FILTERS[resample],
        center_crop=None,
        divisor=round(1 / config.get("rescale_factor", 1 / 255), 6),
        mean=_channels(config["image_mean"]),
        std=_channels(config["image_std"]),
        short_side=short,
    )


def check_size(folder: Path, steps: ImageSteps, vision: Mapping[str, Any]) -> None:
    """Raise WeightsNotFound if pictures are not prepared in the size that the network reads.

    Else the first positions of another grid would be added, and the vectors be wrong without a word.
    """
    if vision["image_size"] != steps.size:
        raise WeightsNotFound(
            f"{folder}: preprocessor_config.json makes pictures of {steps.size} pixels, "
            f"but config.json says that the model reads {vision['image_size']}"
        )


def _channels(values: float | list[float]) -> Channels:
    return Channels(*values) if isinstance(values, list | tuple) else Channels(values, values, values)


def _sides(config: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The length of the shorter side, None to squash; and the side of the square, None if it is none."""
    size, crop = config["size"], config.get("crop_size", 224)
    height, width = (crop.get("height"), crop.get("width")) if isinstance(crop, dict) else (crop, crop)
    if isinstance(size, list | tuple):
        size = {"height": size[0], "width": size[-1]}
    if isinstance(size, dict) and "height" in size:
        # A cut of the same size changes nothing.
        cut = config.get("do_center_crop", False) and (height, width) != (size["height"], size["height"])
        return None, size["height"] if size["height"] == size.get("width") and not cut else None
    short = size.get("shortest_edge") if isinstance(size, dict) else size
    return short, height if short and height == width and config.get("do_center_crop", True) else None
