"""Models as sentence-transformers stores them (Reimers & Gurevych 2019, arXiv:1908.10084): modules, one after another.

Two kinds are read: its CLIP, for pictures and texts; and text encoders that were trained to meet the vectors of a
CLIP's pictures (Reimers & Gurevych 2020, arXiv:2004.09813): BERT or DistilBERT, pooling, and a dense layer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from multi2vec_clip.clip import clip
from multi2vec_clip.model_files import read_json, read_json_list, read_optional_json, recipe_of
from vecmod.serving.engine.network import Ops, Tensor, Weights
from vecmod.serving.model.bert import Bert
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.weights import (
    WEIGHTS_NAMES,
    NamedTensors,
    TensorSource,
    WeightsFile,
    WeightsNotFound,
    find_tensors,
    read_weights,
)

_ENCODERS = {"bert": Bert.from_config, "distilbert": Bert.from_distilbert_config}
_IDENTITY = "Identity"
_KIND = "sentence-transformers"


class _Module(NamedTuple):
    kind: str
    folder: Path


def sentence_transformer(folder: Path) -> Recipe:
    """The model that ``modules.json`` describes; vectors as its modules leave them, mostly not of length 1.

    Raises:
        WeightsNotFound, UnreadableWeights: if a file is missing, or a module is of a kind that is not known here.
    """
    _refuse_prompts(folder)
    listed = read_json_list(folder / "modules.json")
    # Old and new versions name them by different paths, but by the same class.
    modules = [_Module(str(one["type"]).rpartition(".")[2], folder / one["path"]) for one in listed]
    if not modules:
        raise WeightsNotFound(f"{folder / 'modules.json'} lists no module")
    normalized = modules[-1].kind == "Normalize"
    first, *further = modules[: -1 if normalized else None]
    model_type = read_json(first.folder / "config.json").get("model_type")
    if model_type == "clip" and not further:
        return replace(clip(first.folder), name=f"{_KIND}: {folder.name}", normalized=normalized)
    if model_type not in _ENCODERS:
        raise WeightsNotFound(
            f"{first.folder} holds a model of type {model_type}; read here: clip, {', '.join(_ENCODERS)}"
        )
    return _text_recipe(folder, model_type, first.folder, further, normalized=normalized)


def _text_recipe(folder: Path, model_type: str, encoder: Path, further: list[_Module], *, normalized: bool) -> Recipe:
    bert = _ENCODERS[model_type](config := read_json(encoder / "config.json"))
    files = [find_tensors(encoder, *WEIGHTS_NAMES)]
    layers: list[_Dense] = []
    for module in further[1:]:
        layers.append(_dense(module, len(layers)))
        files.append(find_tensors(module.folder, *WEIGHTS_NAMES))
    network = _Sentence(bert, _pools_first(further), tuple(layers))
    context = _context(encoder, config)
    digest = sha256("".join(file.digest for file in files).encode()).hexdigest()
    tower = Tower(
        TextSteps(read_tokenizer(encoder, context, lower_case=_lowers(encoder)), context, bert.pad_id),
        TensorSource(digest, lambda: _load(bert, layers, files)).text_network(
            f"sbert-{model_type}-{bert.encoder.layers}x{bert.encoder.heads}-{network.first}-{len(layers)}",
            network,
            layers[-1].dim if layers else config["hidden_size" if "hidden_size" in config else "dim"],
        ),
    )
    return recipe_of(_KIND, folder, files, {"text": tower}, normalized=normalized)


@dataclass(frozen=True)
class _Dense:
    name: str
    dim: int
    bias: bool


@dataclass(frozen=True)
class _Sentence:
    bert: Bert
    first: bool
    layers: tuple[_Dense, ...]

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        tokens, mask = self.bert.tokens(ops, x)
        vector = ops.first_token(tokens) if self.first else ops.mean_token(tokens, mask)
        for layer in self.layers:
            vector = ops.linear(vector, layer.name, bias=layer.bias)
        return vector


def _pools_first(further: list[_Module]) -> bool:
    """Whether the first token is the sentence; else it is the mean of all."""
    if not further or further[0].kind != "Pooling":
        raise WeightsNotFound("the second of the modules must be Pooling")
    config = read_json(further[0].folder / "config.json")
    chosen = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
    mode = config.get("pooling_mode") or (chosen[0] if len(chosen) == 1 else "/".join(chosen))
    modes = {"mean": False, "pooling_mode_mean_tokens": False, "cls": True, "pooling_mode_cls_token": True}
    if mode not in modes:
        raise WeightsNotFound(f"{further[0].folder}: pooling by {mode} is not known here; mean and cls are")
    return modes[mode]


def _dense(module: _Module, number: int) -> _Dense:
    config = read_json(module.folder / "config.json") if module.kind == "Dense" else {}
    activation = str(config.get("activation_function", "")).rpartition(".")[2]
    if activation != _IDENTITY:
        raise WeightsNotFound(f"{module.folder}: {module.kind} {activation} is not known here; Dense {_IDENTITY} is")
    return _Dense(f"dense.{number}", config["out_features"], config.get("bias", True))


def _lowers(encoder: Path) -> bool:
    return bool(read_optional_json(encoder / "sentence_bert_config.json").get("do_lower_case"))


def _refuse_prompts(folder: Path) -> None:
    path = folder / "config_sentence_transformers.json"
    said = read_optional_json(path)
    if said.get("default_prompt_name") and (said.get("prompts") or {}).get(said["default_prompt_name"]):
        raise WeightsNotFound(f"{path}: texts get the prompt {said['default_prompt_name']}, which is not known here")


def _context(encoder: Path, config: Mapping[str, Any]) -> int:
    """Ids at most: what the authors trained with, if they say it."""
    most: int = config["max_position_embeddings"]
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        if said := read_optional_json(encoder / name).get(key):
            return int(min(said, most))
    return most


def _load(bert: Bert, layers: list[_Dense], files: list[WeightsFile]) -> Weights:
    weights = {**bert.fold_types(read_weights(files[0].path)), **dict(_dense_weights(layers, files[1:]))}
    return NamedTensors(files[0].path, weights)


def _dense_weights(layers: list[_Dense], files: list[WeightsFile]) -> Iterator[tuple[str, Any]]:
    for layer, file in zip(layers, files, strict=True):
        tensors = read_weights(file.path)
        yield f"{layer.name}.weight", tensors["linear.weight"]
        if layer.bias:
            yield f"{layer.name}.bias", tensors["linear.bias"]
