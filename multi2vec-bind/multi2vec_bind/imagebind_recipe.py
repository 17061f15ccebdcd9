"""ImageBind as a recipe: where its weights come from, and what each modality is prepared with."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from multi2vec_bind.imagebind import networks, text_steps
from multi2vec_bind.imagebind_config import read_config
from vecmod.serving.engine.network import TrainedNetwork
from vecmod.serving.medium import Kind
from vecmod.serving.model.converted import with_graphs
from vecmod.serving.model.download import RemoteWeights, fetch_file
from vecmod.serving.model.film import FilmSteps
from vecmod.serving.model.mel import SoundSteps
from vecmod.serving.model.motion import MotionSteps
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.steps import Steps
from vecmod.serving.model.transforms import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import WeightsFile, WeightsNotFound, WeightsPlace, find_tensors

_log = logging.getLogger(__name__)

# Where its authors publish it.
CHECKPOINT = RemoteWeights(
    url="https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",
    name="imagebind_huge.pth",
    sha256="d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157",
    size=4_803_584_173,
)
LICENCE = "CC-BY-NC-SA-4.0 (no commercial use)"
# OpenAI's CLIP's numbers, and the way torchvision cuts.
PICTURE = ImageSteps(
    size=224,
    filter=Filter.BICUBIC,
    center_crop=None,
    divisor=255.0,
    mean=Channels(0.48145466, 0.4578275, 0.40821073),
    std=Channels(0.26862954, 0.26130258, 0.27577711),
    short_side=224,
    cut_to_nearest=True,
    kind=Kind.CLIPPED_COLOUR,
    frames=2,
)
GREY_PICTURE = replace(PICTURE, kind=Kind.CLIPPED_GREY, channels=1, frames=1)


@dataclass(frozen=True)
class ImageBindOptions:
    """What an operator can choose.

    Attributes:
        may_fetch: whether the weights may be fetched, whose licence forbids commercial use.
        lose_end: long texts all get one vector, as in the official container.
        turned: columns of motion sensors become channels, as the model was trained; the official container does not.
    """

    may_fetch: bool = False
    lose_end: bool = False
    turned: bool = False


def imagebind(place: WeightsPlace, options: ImageBindOptions = ImageBindOptions()) -> Recipe:
    """ImageBind from its authors' checkpoint: seven modalities.

    Without ``config.json`` beside the weights they are those of ``imagebind_huge``.

    Raises:
        WeightsNotFound: if there are no weights, or they may not be fetched.
        UnreadableWeights: if they are not what the configuration says.
    """
    file = _fetched(place, options) if place.path is None else find_tensors(place.path)
    source = place.path or file.path
    folder = source if source.is_dir() else source.parent
    _log.warning("the licence of ImageBind's weights forbids commercial use: CC BY-NC-SA 4.0")
    recipe = Recipe(
        name="imagebind",
        revision=file.revision(),
        licence=LICENCE,
        towers=_towers(networks(file, read_config(folder / "config.json")), options),
        normalized=False,
        best_batch=8,
        sources=(source,),
        official_meta={"model": "ImageBindModel", "version": 1},
    )
    return with_graphs(recipe, folder)


def _towers(found: dict[str, TrainedNetwork], options: ImageBindOptions) -> dict[str, Tower]:
    vision = found["vision"]
    steps: dict[str, tuple[Steps, TrainedNetwork]] = {
        "text": (text_steps(Path(__file__).parent, lose_end=options.lose_end), found["text"]),
        "image": (PICTURE, vision),
        "audio": (SoundSteps(), found["audio"]),
        "video": (FilmSteps(), vision),
        "imu": (MotionSteps(options.turned), found["imu"]),
        "thermal": (GREY_PICTURE, found["thermal"]),
        "depth": (GREY_PICTURE, found["depth"]),
    }
    return {modality: Tower(*tower) for modality, tower in steps.items()}


def _fetched(place: WeightsPlace, options: ImageBindOptions) -> WeightsFile:
    if not options.may_fetch:
        raise WeightsNotFound(
            f"the weights of ImageBind ({CHECKPOINT.size / 1e9:.1f} GB) may not be used commercially (CC BY-NC-SA "
            f"4.0). To have them fetched from {CHECKPOINT.url} set VECMOD_ACCEPT_NONCOMMERCIAL=1; or name the file "
            "that you have in VECMOD_MODEL_PATH; or serve another model: MODEL_NAME=builtin/conse-en"
        )
    return fetch_file(place, CHECKPOINT)
