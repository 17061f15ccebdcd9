"""Model folders without weights: their descriptions, and their towers as graphs, ``text.onnx`` and ``image.onnx``."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from vecmod.serving.engine.network import AnyNetwork, ConvertedGraph, TrainedNetwork
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.weights import (
    DESCRIPTIONS,
    STAND_IN,
    WeightsFile,
    WeightsNotFound,
    find_tensors,
    tensor_names,
)

# Of a pair, as in the official image.
IMAGE_FOLDER, TEXT_FOLDER = "clip", "text"
_CONFIG = "config.json"


def graph_path(folder: Path, modality: str) -> Path:
    """Where the graph of a tower stands."""
    return folder / f"{modality}.onnx"


def with_graphs(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the towers whose graphs are in its folder, if any are; else as it is."""
    graphs = {
        recipe.towers[modality].network: graph_path(folder, modality)
        for modality in recipe.towers
        if graph_path(folder, modality).is_file()
    }
    towers = {
        modality: replace(tower, network=_from_graph(tower.network, graphs[tower.network]))
        for modality, tower in recipe.towers.items()
        if tower.network in graphs
    }
    if not towers:
        return recipe
    left_out = {name: f"{folder} was converted without {name}" for name in recipe.towers if name not in towers}
    return replace(recipe, towers=towers, advice={**recipe.advice, **left_out})


def graph_names(recipe: Recipe) -> dict[str, str]:
    """By modality, what its graph is named after: the first modality that has the same network."""
    first: dict[AnyNetwork, str] = {}
    return {modality: first.setdefault(tower.network, modality) for modality, tower in recipe.towers.items()}


def copy_descriptions(source: Path, output: Path) -> None:
    """Everything of a model folder but its weights, for which files stand in that say which they were.

    Of a weights file, the configuration beside it.
    """
    if source.is_file():
        _stand_in_for(WeightsFile.at(source), output)
        if (config := source.with_name(_CONFIG)).is_file():
            shutil.copyfile(config, output / _CONFIG)
        return
    for file in sorted(source.rglob("*")):
        if file.is_file() and file.suffix in DESCRIPTIONS:
            target = output / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    for folder in (source, *(path for path in source.rglob("*") if path.is_dir())):
        if tensor_names(folder):
            try:
                weights = find_tensors(folder)
            except WeightsNotFound:
                continue  # several, of which none is usual: no part of the model, which was read already
            _stand_in_for(weights, output / folder.relative_to(source))


def _stand_in_for(weights: WeightsFile, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAND_IN).write_text(json.dumps({"file": weights.path.name, "sha256": weights.digest}), "utf-8")


def _from_graph(network: AnyNetwork, path: Path) -> AnyNetwork:
    if not isinstance(network, TrainedNetwork):
        return network
    return ConvertedGraph(network.name, path, network.input_shape, network.dim)
