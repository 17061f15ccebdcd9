"""Folders of graphs that torch exported, against the model that they were exported from, called directly."""

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
import tiny_export
import tiny_siglip
from multi2vec_clip.model_folder import read_folder
from pictures import b64, encoded, photo
from probes import PICTURES, TEXTS, cosines, given_to_both
from recipes import image_steps, loaded, prepared
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.engine.engine import EngineUnavailable
from vecmod.serving.model.weights import WeightsNotFound


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.write(tmp_path_factory.mktemp("exported") / "clip", end=49407, activation="quick_gelu")


@pytest.fixture(scope="module", params=["transformers", "photo server"])
def folder(request: pytest.FixtureRequest, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("graphs") / "exported"
    if request.param == "transformers":
        return tiny_export.write_transformers_layout(clip_folder, where)
    return tiny_export.write_photo_server_layout(clip_folder, where)


def test_texts_are_those_of_the_reference(folder: Path, clip_folder: Path, cache: Path) -> None:
    model, reference = loaded(read_folder(folder), "onnx", cache), CLIPModel.from_pretrained(clip_folder)
    tokenizer = CLIPTokenizer.from_pretrained(clip_folder)
    given = [tokenizer(text, truncation=True, max_length=77, return_tensors="pt") for text in TEXTS]
    with torch.no_grad():
        expected = torch.cat([reference.get_text_features(**one).pooler_output for one in given])
    items = [model.prepare("text", text).content for text in TEXTS]
    assert cosines(model.embed("text", items), expected).min() > 0.99999
    assert cosines(model.embed("text", items[:1]), expected[:1]).min() > 0.99999


def test_pictures_are_those_of_the_reference(folder: Path, clip_folder: Path, cache: Path) -> None:
    model: Any = CLIPModel.from_pretrained(clip_folder)
    processor = CLIPImageProcessorPil.from_pretrained(clip_folder)
    steps = image_steps(read_folder(folder))
    ours, given = [], []
    for name, picture in PICTURES.items():
        theirs = processor(picture.convert("RGB"), return_tensors="pt")["pixel_values"]
        ours.append(prepared(b64(encoded(picture, "PNG")), steps))
        given.append(given_to_both(name, ours[-1], theirs))
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=torch.cat(given)).pooler_output
    assert cosines(loaded(read_folder(folder), "onnx", cache).embed("image", ours), expected).min() > 0.99999


def test_over_http(folder: Path, cache: Path) -> None:
    with running.in_thread(running.clip(cache, MODEL_NAME="", VECMOD_MODEL_PATH=folder)) as service:
        answer = service("POST", "/vectorize", {"texts": ["a cat"] * 9, "images": [b64(photo("cat"))]}).json()
        details = service("GET", "/meta").json()["details"]
    assert details["family"] == "onnx: exported"
    assert details["dimensions"] == {"text": 24, "image": 24}
    np.testing.assert_allclose(np.linalg.norm(answer["textVectors"], axis=1), 1, atol=1e-5)


def test_one_tower_alone(folder: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "text")
    next((tmp_path / "text").rglob("v*/model.onnx"), tmp_path / "text/onnx/vision_model.onnx").unlink()
    assert list(loaded(read_folder(tmp_path / "text"), "onnx", cache).dimensions) == ["text"]


def test_torch_needs_weights(folder: Path, cache: Path) -> None:
    network = read_folder(folder).towers["image"].network
    with pytest.raises(EngineUnavailable, match="is an ONNX graph; the torch engine needs weights"):
        load_engine(network, EngineChoice("torch", "cpu", 1, cache))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"model_type": "blip"}, "holds graphs of type blip; read here: clip, siglip"),
        ("config.json", {"vision_cfg": {}, "text_cfg": {"tokenizer_kwargs": {"clean": "magic"}}}, "cleaned by magic"),
        ("preprocessor_config.json", {"size": {"height": 9, "width": 8}}, "a preparation that is not known here"),
    ],
)
def test_what_is_not_known(name: str, values: dict[str, Any], message: str, clip_folder: Path, tmp_path: Path) -> None:
    where = tiny_export.write_transformers_layout(clip_folder, tmp_path / "exported")
    content = json.loads((where / name).read_text())
    (where / name).write_text(json.dumps({**content, **values}))
    with pytest.raises(WeightsNotFound, match=message):
        read_folder(where)


def test_graphs_of_something_else(folder: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "mixed")
    text = next((tmp_path / "mixed").rglob("t*/model.onnx"), tmp_path / "mixed/onnx/text_model.onnx")
    image = next((tmp_path / "mixed").rglob("v*/model.onnx"), tmp_path / "mixed/onnx/vision_model.onnx")
    shutil.copy(text, image)
    with pytest.raises(EngineUnavailable, match=r"has inputs .*; one of pixel_values, image, input is needed"):
        loaded(read_folder(tmp_path / "mixed"), "onnx", cache)


def test_siglip(cache: Path, tmp_path: Path) -> None:
    """Against our own network, which is compared with transformers elsewhere."""
    source = tiny_siglip.write(tmp_path / "siglip", "SiglipTokenizer")
    exported = tiny_export.write_siglip(source, tmp_path / "exported", tiny_siglip.CONTEXT)
    graphs, network = loaded(read_folder(exported), "onnx", cache), loaded(read_folder(source), "onnx", cache)
    for modality, media in (("text", TEXTS), ("image", [PICTURES["square"], PICTURES["large"]])):
        theirs = network.embed(modality, [network.prepare(modality, medium).content for medium in media])
        ours = graphs.embed(modality, [graphs.prepare(modality, medium).content for medium in media])
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_weights_are_preferred(clip_folder: Path, tmp_path: Path) -> None:
    where = tiny_export.write_transformers_layout(clip_folder, tmp_path / "both")
    shutil.copy(clip_folder / "model.safetensors", where)
    assert read_folder(where).name == "clip: both"
