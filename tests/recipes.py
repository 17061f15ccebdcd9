"""Short ways into recipes, with their types."""

from pathlib import Path

from PIL import Image

from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.engine.engine import Inputs
from vecmod.serving.engine.network import Ops, Tensor, TrainedNetwork
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.limits import MediaLimits
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.transforms import ImageSteps, prepare_image


def image_steps(recipe: Recipe) -> ImageSteps:
    steps = recipe.towers["image"].steps
    assert isinstance(steps, ImageSteps)
    return steps


def text_steps(recipe: Recipe) -> TextSteps:
    steps = recipe.towers["text"].steps
    assert isinstance(steps, TextSteps)
    return steps


def prepared(base64: str, steps: ImageSteps) -> Inputs:
    """The network input of a picture as it comes over the wire."""
    with Decoder(MediaLimits(), [steps.kind]).open(steps.kind, base64).decode() as image:
        assert isinstance(image, Image.Image)
        return prepare_image(image, steps)


def loaded(recipe: Recipe, engine: str, cache: Path) -> GraphModel:
    """The model in an engine on the CPU, graphs in the cache."""
    choice = EngineChoice(engine, "cpu", 2, cache)
    return GraphModel(recipe, lambda network: load_engine(network, choice), None)


def _small(ops: Ops[Tensor], x: Tensor) -> Tensor:
    return ops.global_average_pool(ops.relu(x))


# Without weights: the means of what is positive.
SMALL_NETWORK = TrainedNetwork("small", _small, (3, 8, 8), 3, "11" * 32, dict)
