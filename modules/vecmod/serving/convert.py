"""Conversion ahead of time: weights to graphs, for images that carry neither weights nor converters."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from vecmod.contract.environment import SettingsError
from vecmod.serving.engine.network import TrainedNetwork
from vecmod.serving.engine.onnx_graph import BESIDE_LIMIT, write_graph
from vecmod.serving.http.lifecycle import StartupFault
from vecmod.serving.model.converted import IMAGE_FOLDER, TEXT_FOLDER, copy_descriptions, graph_names, graph_path
from vecmod.serving.model.families import UnknownName
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import ONNX, WeightsNotFound
from vecmod.serving.run import adjusted, find_service, weights_place
from vecmod.serving.service_settings import ServiceSettings


def main(service: str, environ: Mapping[str, str], output: Path) -> int:
    """Write the graphs of a service's model; the exit code: 0, or 2 with the reason on stderr."""
    try:
        settings = ServiceSettings.read(environ)
        found = find_service(service)
        recipe = found.choose(found, settings).family(weights_place(settings))
        written = convert(adjusted(recipe, settings), output)
    except (SettingsError, UnknownName, StartupFault, WeightsNotFound, UnreadableWeights, OSError) as error:
        print(f"{service}: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 2
    size = sum(path.stat().st_size for path in written) / 1e6
    print(f"wrote {output} ({size:.0f} MB); serve it with VECMOD_MODEL_PATH={output}")  # noqa: T201
    return 0


def convert(recipe: Recipe, output: Path) -> list[Path]:
    """Write the one tower of a recipe to a graph file, or a model folder to one without weights; what was written.

    Raises:
        UnreadableWeights: if there is nothing to convert.
    """
    if not recipe.sources:
        return [_convert_tower(recipe, output)]
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UnreadableWeights(f"{output} is there already; name a new folder")
    # Under another name until it is whole.
    partial = output.with_name(f"{output.name}.{uuid4().hex}.partial")
    try:
        _convert_folders(recipe, partial)
        if output.exists():
            output.rmdir()
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [path for path in output.rglob("*") if path.is_file()]


def _convert_tower(recipe: Recipe, output: Path) -> Path:
    if output.suffix != ONNX:
        raise UnreadableWeights(f"{output} must end in {ONNX}, by which it is known as a graph")
    if len(recipe.towers) > 1:
        raise UnreadableWeights(f"{recipe.name} comes in packages and is converted at its first start")
    (tower,) = recipe.towers.values()
    write_graph(_trained(tower), output)
    return output


def _convert_folders(recipe: Recipe, output: Path) -> None:
    networks = {name: _trained(tower) for name, tower in recipe.towers.items()}
    places = dict.fromkeys(networks, output)
    if len(recipe.sources) > 1:
        places = {"image": output / IMAGE_FOLDER, "text": output / TEXT_FOLDER}
    names = graph_names(recipe)
    for source, place in zip(recipe.sources, dict.fromkeys(places.values()), strict=True):
        copy_descriptions(source, place)
    for name, network in networks.items():
        if names[name] == name:
            write_graph(network, graph_path(places[name], name), BESIDE_LIMIT)


def _trained(tower: Tower) -> TrainedNetwork:
    if not isinstance(tower.network, TrainedNetwork):
        raise UnreadableWeights(f"{tower.network.path} is a graph already")
    return tower.network
