"""Conversion ahead of time: weights to a graph file, for images that carry neither weights nor converters."""

import sys
from collections.abc import Mapping
from pathlib import Path

from vecmod.contract.environment import SettingsError
from vecmod.serving.engine.network import TrainedNetwork
from vecmod.serving.engine.onnx_graph import write_graph
from vecmod.serving.model.families import UnknownName
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import ONNX, WeightsNotFound
from vecmod.serving.run import find_service, weights_place
from vecmod.serving.service_settings import ServiceSettings


def main(service: str, environ: Mapping[str, str], output: Path) -> int:
    """Write the graph of a service's model; the exit code: 0, or 2 with the reason on stderr."""
    try:
        settings = ServiceSettings.read(environ)
        found = find_service(service)
        convert(found.choose(found, settings).family(weights_place(settings)), output)
    except (SettingsError, UnknownName, WeightsNotFound, UnreadableWeights, OSError) as error:
        print(f"{service}: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 2
    print(f"wrote {output} ({output.stat().st_size / 1e6:.0f} MB); serve it with VECMOD_MODEL_PATH={output}")  # noqa: T201
    return 0


def convert(recipe: Recipe, output: Path) -> None:
    """Write the recipe's one tower.

    Raises:
        UnreadableWeights: if there is nothing to convert.
    """
    if output.suffix != ONNX:
        raise UnreadableWeights(f"{output} must end in {ONNX}, by which it is known as a graph")
    if len(recipe.towers) > 1:
        raise UnreadableWeights(f"{recipe.name} has several networks; they are converted at its first start")
    (tower,) = recipe.towers.values()
    if not isinstance(tower.network, TrainedNetwork):
        raise UnreadableWeights(f"{tower.network.path} is a graph already")
    write_graph(tower.network, output)
