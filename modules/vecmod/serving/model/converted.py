"""Model folders without weights: their descriptions, and their towers as graphs, ``text.onnx`` and ``image.onnx``."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from vecmod.serving.engine.network import AnyNetwork, ConvertedGraph, TrainedNetwork
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.weights import DESCRIPTIONS, STAND_IN, WeightsNotFound, find_tensors, tensor_names

# Of a pair, as in the official image.
IMAGE_FOLDER, TEXT_FOLDER = "clip", "text"


def graph_path(folder: Path, modality: str) -> Path:
    """Where the graph of a tower stands."""
    return folder / f"{modality}.onnx"


def with_graphs(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the towers whose graphs are in its folder, if any are; else as it is."""
    towers = {
        modality: replace(tower, network=_from_graph(tower.network, graph_path(folder, modality)))
        for modality, tower in recipe.towers.items()
        if graph_path(folder, modality).is_file()
    }
    return replace(recipe, towers=towers or recipe.towers)


def copy_descriptions(source: Path, output: Path) -> None:
    """Everything of a model folder but its weights, for which files stand in that say which they were."""
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
            stand_in = output / folder.relative_to(source) / STAND_IN
            stand_in.parent.mkdir(parents=True, exist_ok=True)
            stand_in.write_text(json.dumps({"file": weights.path.name, "sha256": weights.digest}), "utf-8")


def _from_graph(network: AnyNetwork, path: Path) -> AnyNetwork:
    if not isinstance(network, TrainedNetwork):
        return network
    return ConvertedGraph(network.name, path, network.input_shape, network.dim)
