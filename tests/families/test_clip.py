"""CLIP folders through every engine against transformers, which is called directly."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

import running
import tiny_clip
from multi2vec_clip.clip import clip
from multi2vec_clip.model_folder import read_folder
from pictures import b64, encoded, photo
from probes import PICTURES, TEXTS, cosine, features, given_to_both
from recipes import image_steps, loaded, prepared, text_steps
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.http.lifecycle import StartupFault
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.tokenizer import read_tokenizer
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import WeightsNotFound
from vecmod.serving.run import load_pipeline


@pytest.fixture(scope="module", params=[(2, "quick_gelu"), (49407, "gelu"), (49407, "gelu_pytorch_tanh")], ids=str)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    end, activation = request.param
    return tiny_clip.write(tmp_path_factory.mktemp("tiny"), end=end, activation=activation)


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def model(request: pytest.FixtureRequest, folder: Path, cache: Path) -> GraphModel:
    return loaded(clip(folder), request.param, cache)


def reference_of(folder: Path) -> Any:
    return CLIPModel.from_pretrained(folder)  # in evaluation mode


def test_texts_are_those_of_the_reference(model: GraphModel, folder: Path) -> None:
    reference, tokenizer = reference_of(folder), CLIPTokenizer.from_pretrained(folder)
    items = [model.prepare("text", text).content for text in TEXTS]
    given = [tokenizer(text, truncation=True, max_length=77, return_tensors="pt") for text in TEXTS]
    assert [ids.tolist() for ids in items] == [one["input_ids"][0].tolist() for one in given]
    with torch.no_grad():
        expected = torch.cat([features(reference.get_text_features(**one)) for one in given])
    assert cosine(model.embed("text", items), expected).min() > 0.99999


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_those_of_the_reference(name: str, model: GraphModel, folder: Path) -> None:
    reference, processor = reference_of(folder), CLIPImageProcessorPil.from_pretrained(folder)
    steps = image_steps(clip(folder))
    ours = prepared(b64(encoded(PICTURES[name], "PNG")), steps)
    theirs = processor(PICTURES[name].convert("RGB"), return_tensors="pt")["pixel_values"]
    pixels = given_to_both(name, ours, theirs)
    with torch.no_grad():
        expected = features(reference.get_image_features(pixel_values=pixels))
    assert cosine(model.embed("image", [ours]), expected).min() > 0.99999


def test_a_batch_changes_nothing(model: GraphModel) -> None:
    items = [model.prepare("text", text).content for text in TEXTS]
    together = model.embed("text", items)
    for item, vector in zip(items, together, strict=True):
        np.testing.assert_allclose(model.embed("text", [item])[0], vector, atol=2e-6)


def test_over_http(folder: Path, cache: Path) -> None:
    with running.in_thread(running.clip(cache, MODEL_NAME="", VECMOD_MODEL_PATH=folder)) as service:
        answer = service(
            "POST", "/vectorize", {"texts": ["a cat", "long " * 100], "images": [b64(photo("cat"))]}
        ).json()
        assert [len(answer["textVectors"]), len(answer["imageVectors"]), len(answer["imageVectors"][0])] == [2, 1, 24]
        assert "the text has 102 tokens, of which the model reads the first 77" in answer["warnings"][0]
        assert service("GET", "/meta").json()["details"]["dimensions"] == {"text": 24, "image": 24}


def test_context_and_sizes_come_from_the_files(folder: Path) -> None:
    recipe = clip(folder)
    assert (text_steps(recipe).context, image_steps(recipe).size, image_steps(recipe).short_side) == (77, 64, 64)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "config.json is missing: copy the whole model folder"),
        ("config.json", {"model_type": "llama"}, "holds a model of type llama; read here: clip"),
        ("preprocessor_config.json", None, "preprocessor_config.json is missing"),
        ("preprocessor_config.json", {"size": {"height": 9, "width": 8}}, "a preparation that is not known here"),
    ],
)
def test_folders_that_cannot_be_read(
    name: str, content: dict[str, Any] | None, message: str, folder: Path, tmp_path: Path
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(WeightsNotFound, match=message):
        read_folder(tmp_path)


def test_the_older_files_of_a_tokenizer(folder: Path, tmp_path: Path) -> None:
    """sentence-transformers' and OpenAI's first repositories have no ``tokenizer.json``."""
    words, pairs = tiny_clip.vocabulary()
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in pairs))
    older, newer = read_tokenizer(tmp_path, 77), read_tokenizer(folder, 77)
    for text in TEXTS:
        assert older(text).ids.tolist() == newer(text).ids.tolist()
        assert older(text).dropped == newer(text).dropped


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("text_config", {"hidden_act": "relu"}, "say what is not known here: 'relu' is not"),
        ("text_config", {"eos_token_id": None, "max_position_embeddings": None}, "say what is not known here"),
        (
            "vision_config",
            {"image_size": 96},
            "makes pictures of 64 pixels, but config.json says that the model reads 96",
        ),
    ],
)
def test_descriptions_of_something_else(
    part: str, values: dict[str, Any], message: str, folder: Path, tmp_path: Path
) -> None:
    copy = changed(folder, tmp_path / "copy", part, values)
    with pytest.raises((UnreadableWeights, WeightsNotFound), match=message):
        read_folder(copy)


def changed(folder: Path, copy: Path, part: str, values: dict[str, Any]) -> Path:
    shutil.copytree(folder, copy)
    config = json.loads((folder / "config.json").read_text())
    config[part] = {**config.get(part, {}), **values}
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def vectors_of(folder: Path, cache: Path, engine: str = "onnx") -> Any:
    model = loaded(clip(folder), engine, cache)
    blank = model.embed("image", [model.blank("image")])
    return np.concatenate([model.embed("text", [model.prepare("text", text).content for text in TEXTS]), blank])


def test_the_oldest_and_the_newest_files(folder: Path, cache: Path, tmp_path: Path) -> None:
    """What stands in ``text_config_dict`` counts most; ``processor_config.json`` may hold the picture processor."""
    older = changed(folder, tmp_path / "older", "text_config_dict", {"hidden_act": "gelu_new"})
    expected = changed(folder, tmp_path / "expected", "text_config", {"hidden_act": "gelu_pytorch_tanh"})
    np.testing.assert_array_equal(vectors_of(older, cache), vectors_of(expected, cache))
    processor = json.loads((older / "preprocessor_config.json").read_text())
    (older / "processor_config.json").write_text(json.dumps({"image_processor": processor}))
    (older / "preprocessor_config.json").unlink()
    assert image_steps(clip(older)) == image_steps(clip(folder))


def test_a_changed_description_makes_another_graph(folder: Path, cache: Path, tmp_path: Path) -> None:
    before = vectors_of(folder, cache)
    other = changed(folder, tmp_path / "other", "text_config", {"layer_norm_eps": 0.1})
    assert np.abs(vectors_of(other, cache) - before).max() > 1e-3


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_more_positions_than_there_are(engine: str, folder: Path, cache: Path, tmp_path: Path) -> None:
    """Found at start, by a text that fills the context, not by the first long one that somebody sends."""
    copy = changed(folder, tmp_path / "copy", "text_config", {"max_position_embeddings": 100})
    settings = running.settings(cache, MODEL_NAME="", VECMOD_MODEL_PATH=copy, VECMOD_ENGINE=engine)
    with pytest.raises(StartupFault, match="cannot run the network"):
        load_pipeline(lambda _: clip(copy), settings, Metrics())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"do_normalize": False}, "without do_normalize ask for a preparation that is not known"),
        ({"do_rescale": False}, "without do_rescale"),
        ({"size": {"height": 64, "width": 64}, "do_center_crop": True, "crop_size": 48}, "not known here"),
        ({"size": {"height": 64, "width": 64}, "do_center_crop": True, "crop_size": 64, "image_mean": 0.5}, ""),
        ({"size": [64, 64], "crop_size": 64}, ""),
    ],
)
def test_preparations(values: dict[str, Any], message: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy/preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    if not message:
        assert image_steps(clip(path.parent)).short_side is None
        return
    with pytest.raises(WeightsNotFound, match=message):
        clip(path.parent)
