"""The built-in text and image model for more media: films as their frames, depth and thermal pictures as grey ones."""

from dataclasses import replace

from vecmod.serving.medium import Kind
from vecmod.serving.model.builtin import LITE0_STEPS
from vecmod.serving.model.conse import conse_en
from vecmod.serving.model.film import FrameSteps
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.weights import WeightsPlace

_ADVICE = "ImageBind embeds it: MODEL_NAME=imagebind_huge, whose weights are not for commercial use"


def conse_bind(place: WeightsPlace) -> Recipe:
    """``builtin/conse-en`` with video, depth and thermal through its image network.

    Raises:
        WeightsNotFound: if a package with weights is not installed, or other weights were asked for.
    """
    recipe = conse_en(place)
    network = recipe.towers["image"].network
    grey = Tower(replace(LITE0_STEPS, kind=Kind.GREY), network)
    more = {"video": Tower(FrameSteps(LITE0_STEPS), network), "thermal": grey, "depth": grey}
    return replace(recipe, towers={**recipe.towers, **more}, advice={"audio": _ADVICE, "imu": _ADVICE})
