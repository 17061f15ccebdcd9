"""The pair of the official image through every engine against sentence-transformers, called directly."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import running
import tiny_sbert
from multi2vec_clip.model_folder import read_folder
from multi2vec_clip.names import read_mounted
from pictures import b64, encoded, photo
from probes import MOVED, PICTURES, TEXTS, cosines
from recipes import image_steps, loaded, prepared
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import WeightsNotFound
from vecmod.serving.run import weights_place

ENGINES = ["onnx", "openvino", "torch"]


@pytest.fixture(scope="module", params=[("distilbert", "mean", 24), ("bert", "cls", 24), ("bert", "mean", 0)], ids=str)
def text_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind, pooling, dim = request.param
    return tiny_sbert.write_text(tmp_path_factory.mktemp("sbert") / "text", kind=kind, pooling=pooling, dim=dim)


@pytest.fixture(scope="module")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sbert.write_pair(tmp_path_factory.mktemp("pair"))


@pytest.mark.parametrize("engine", ENGINES)
def test_texts_are_those_of_the_reference(engine: str, text_folder: Path, cache: Path) -> None:
    model = loaded(read_folder(text_folder), engine, cache)
    expected = SentenceTransformer(str(text_folder), device="cpu").encode(TEXTS)
    vectors = model.embed("text", [model.prepare("text", text).content for text in TEXTS])
    assert cosines(vectors, expected).min() > 0.99999
    np.testing.assert_allclose(vectors, expected, atol=1e-4)  # not of length 1, like theirs


def test_what_is_too_long_is_said(text_folder: Path, cache: Path) -> None:
    model = loaded(read_folder(text_folder), "onnx", cache)
    prepared_text = model.prepare("text", "a cat " * 40)
    assert len(prepared_text.content) == tiny_sbert.CONTEXT
    assert prepared_text.warning == f"the text has 162 tokens, of which the model reads the first {tiny_sbert.CONTEXT}"


@pytest.mark.parametrize("engine", ENGINES)
def test_pictures_are_those_of_the_reference(engine: str, pair_folder: Path, cache: Path) -> None:
    recipe = read_folder(pair_folder / "clip")
    assert recipe.normalized is False
    model = loaded(recipe, engine, cache)
    pictures = [picture for name, picture in PICTURES.items() if name not in MOVED]
    ours = [prepared(b64(encoded(picture, "PNG")), image_steps(recipe)) for picture in pictures]
    reference = SentenceTransformer(str(pair_folder / "clip"), device="cpu")
    expected: Any = reference.encode([picture.convert("RGB") for picture in pictures])
    assert cosines(model.embed("image", ours), expected).min() > 0.99999


def test_the_pair_over_http(pair_folder: Path, cache: Path) -> None:
    with running.in_thread(running.clip(cache, MODEL_NAME="", VECMOD_MODEL_PATH=pair_folder)) as service:
        answer = service("POST", "/vectorize", {"texts": ["a cat"], "images": [b64(photo("cat"))]}).json()
        details = service("GET", "/meta").json()["details"]
    text = SentenceTransformer(str(pair_folder / "text"), device="cpu").encode(["a cat"])
    assert cosines(np.array(answer["textVectors"]), text).min() > 0.99999
    assert details["dimensions"] == {"text": 24, "image": 24}
    assert details["normalized"] is False
    assert details["family"] == "sentence-transformers: clip + sentence-transformers: text"


def change(folder: Path, name: str, **values: object) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **values}))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"model_type": "gpt2"}, "a model of type gpt2; read here: clip, bert, distilbert"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling by .*max_tokens is not known here"),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.activation.Tanh"}, "Dense Tanh is not known"),
    ],
)
def test_modules_that_are_not_known(
    name: str, values: dict[str, object], message: str, pair_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(pair_folder / "text", tmp_path / "text")
    change(tmp_path / "text", name, **values)
    with pytest.raises(WeightsNotFound, match=message):
        read_folder(tmp_path / "text")


def test_folders_that_are_no_pair(pair_folder: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(pair_folder, tmp_path / "pair")
    change(tmp_path / "pair/text", "2_Dense/config.json", out_features=25)
    settings = running.settings(cache, MODEL_NAME="", VECMOD_MODEL_PATH=tmp_path / "pair")
    with pytest.raises(WeightsNotFound, match="gives 25 numbers, sentence-transformers: clip 24: they are no pair"):
        read_mounted(weights_place(settings))


@pytest.mark.parametrize("engine", ENGINES)
def test_marks_written_in_a_text_count(engine: str, text_folder: Path, cache: Path) -> None:
    """Padding has no vector of its own in a batch, but a text may name it."""
    texts = ["a [PAD] cat", "[PAD]", "[PAD][PAD] cat", "a cat [PAD]", "a cat"]
    model = loaded(read_folder(text_folder), engine, cache)
    expected = SentenceTransformer(str(text_folder), device="cpu").encode(texts)
    vectors = model.embed("text", [model.prepare("text", text).content for text in texts])
    assert cosines(vectors, expected).min() > 0.99999


def test_small_letters_and_prompts(pair_folder: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(pair_folder / "text", tmp_path / "text")
    change(tmp_path / "text", "sentence_bert_config.json", do_lower_case=True)
    tokenizer = json.loads((tmp_path / "text/tokenizer.json").read_text())
    (tmp_path / "text/tokenizer.json").write_text(json.dumps({**tokenizer, "normalizer": None}))
    model = loaded(read_folder(tmp_path / "text"), "onnx", cache)
    assert (model.prepare("text", "A CAT").content == model.prepare("text", "a cat").content).all()
    change(tmp_path / "text", "config_sentence_transformers.json", default_prompt_name="q", prompts={"q": "find: "})
    with pytest.raises(WeightsNotFound, match="texts get the prompt q, which is not known here"):
        read_folder(tmp_path / "text")


def test_weights_of_another_network(pair_folder: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(pair_folder / "text", tmp_path / "text")
    shutil.copy(pair_folder / "clip/0_CLIPModel/model.safetensors", tmp_path / "text/model.safetensors")
    with pytest.raises(UnreadableWeights, match="these are the weights of another network"):
        loaded(read_folder(tmp_path / "text"), "onnx", cache)
