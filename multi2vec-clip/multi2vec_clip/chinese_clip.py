"""Chinese-CLIP as transformers stores it, from a model folder.

Yang et al. 2022, arXiv:2211.01335: CLIP's vision transformer, and BERT for texts. Vectors are those of
``ChineseCLIPModel.get_text_features`` and ``get_image_features``, scaled to length 1 as the authors compare them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multi2vec_clip.clip import VISION_DEFAULTS, image_tower, shape_of
from multi2vec_clip.model_files import check_size, image_steps, part_of, read_json, read_optional_json, recipe_of
from vecmod.serving.engine.network import Ops, Tensor
from vecmod.serving.model.bert import Bert
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.weights import WEIGHTS_NAMES, WeightsFile, find_tensors

# transformers' ChineseCLIPTextConfig: what a config.json that does not say it means.
_TEXT_DEFAULTS = {"num_hidden_layers": 12, "num_attention_heads": 12, "max_position_embeddings": 512}
# The authors train and embed with so many (OFA-Sys/Chinese-CLIP), while the config allows for 512, untrained.
_CONTEXT = 52


def chinese_clip(folder: Path) -> Recipe:
    """A Chinese-CLIP model: ``config.json``, its tokenizer's files, ``preprocessor_config.json`` and weights.

    Texts are cut to the ``model_max_length`` of ``tokenizer_config.json`` if that is less than the positions of the
    network, else to the authors' 52 tokens.

    Raises:
        WeightsNotFound, UnreadableWeights: if one of them is missing or says what is not known here.
    """
    config = read_json(folder / "config.json")
    file = find_tensors(folder, *WEIGHTS_NAMES)
    dim = config.get("projection_dim", 512)
    text = part_of(config, "text_config", _TEXT_DEFAULTS)
    vision = part_of(config, "vision_config", VISION_DEFAULTS)
    context = _context(folder, text["max_position_embeddings"])
    pictures = image_steps(folder)
    check_size(folder, pictures, vision)
    towers = {
        "text": _text_tower(folder, context, text, file, dim),
        "image": image_tower(pictures, vision, file.tensors(), dim),
    }
    return recipe_of("chinese_clip", folder, [file], towers, normalized=True)


def _context(folder: Path, positions: int) -> int:
    said = read_optional_json(folder / "tokenizer_config.json").get("model_max_length")
    return int(said) if said and said < positions else min(_CONTEXT, positions)


def _text_tower(folder: Path, context: int, config: dict[str, Any], file: WeightsFile, dim: int) -> Tower:
    network = _Text(Bert.from_config(config, "text_model."))
    weights = file.tensors(network.bert.fold_types)
    name = f"chinese-clip-text-{shape_of(network.bert.encoder)}-{network.bert.pad_id}"
    steps = TextSteps(read_tokenizer(folder, context), context, network.bert.pad_id)
    return Tower(steps, weights.text_network(name, network, dim))


@dataclass(frozen=True)
class _Text:
    bert: Bert

    def __call__(self, ops: Ops[Tensor], x: Tensor) -> Tensor:
        tokens, _ = self.bert.tokens(ops, x)
        return ops.linear(ops.first_token(tokens), "text_projection", bias=False)
