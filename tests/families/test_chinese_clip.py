"""Chinese-CLIP folders through every engine against transformers, which is called directly."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertTokenizer, ChineseCLIPImageProcessorPil, ChineseCLIPModel

import running
import tiny_chinese_clip
from multi2vec_clip.chinese_clip import chinese_clip
from multi2vec_clip.model_folder import read_folder
from pictures import b64, encoded, photo
from probes import PICTURES, TEXTS, cosine, features, given_to_both
from recipes import image_steps, loaded, prepared, text_steps
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.weights import WeightsNotFound

CHINESE = [*TEXTS, "一只狗的照片。坐在垫子上。", "狗" * 100, "playing的catS 2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chinese_clip.write(tmp_path_factory.mktemp("chinese"))


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def model(request: pytest.FixtureRequest, folder: Path, cache: Path) -> GraphModel:
    return loaded(read_folder(folder), request.param, cache)


def reference_of(folder: Path) -> Any:
    return ChineseCLIPModel.from_pretrained(folder)  # in evaluation mode


def test_texts_are_those_of_the_reference(model: GraphModel, folder: Path) -> None:
    reference, tokenizer = reference_of(folder), BertTokenizer.from_pretrained(folder)
    items = [model.prepare("text", text).content for text in CHINESE]
    given = [tokenizer(text, truncation=True, max_length=52, return_tensors="pt") for text in CHINESE]
    assert [ids.tolist() for ids in items] == [one["input_ids"][0].tolist() for one in given]
    with torch.no_grad():
        expected = torch.cat([features(reference.get_text_features(**one)) for one in given])
    assert cosine(model.embed("text", items), expected).min() > 0.99999


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_those_of_the_reference(name: str, model: GraphModel, folder: Path) -> None:
    processor = ChineseCLIPImageProcessorPil.from_pretrained(folder)
    ours = prepared(b64(encoded(PICTURES[name], "PNG")), image_steps(chinese_clip(folder)))
    theirs = processor(PICTURES[name].convert("RGB"), return_tensors="pt")["pixel_values"]
    pixels = given_to_both(name, ours, theirs)
    with torch.no_grad():
        expected = features(reference_of(folder).get_image_features(pixel_values=pixels))
    assert cosine(model.embed("image", [ours]), expected).min() > 0.99999


def test_over_http(folder: Path, cache: Path) -> None:
    with running.in_thread(running.clip(cache, MODEL_NAME="", VECMOD_MODEL_PATH=folder)) as service:
        answer = service("POST", "/vectorize", {"texts": ["一只狗", "狗" * 100], "images": [b64(photo("cat"))]}).json()
        assert [len(answer["textVectors"]), len(answer["imageVectors"]), len(answer["imageVectors"][0])] == [2, 1, 24]
        assert "the text has 102 tokens, of which the model reads the first 52" in answer["warnings"][0]


@pytest.mark.parametrize(("said", "context"), [(40, 40), (64, 64), (128, 52), (10**30, 52), (None, 52)])
def test_how_much_of_a_text_is_read(said: int | None, context: int, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": said}))
    assert text_steps(chinese_clip(tmp_path)).context == context


@pytest.mark.parametrize("name", ["preprocessor_config.json", "model.safetensors"])
def test_folders_that_lack_a_file(name: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    with pytest.raises(WeightsNotFound):
        read_folder(tmp_path)
