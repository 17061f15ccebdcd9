"""SigLIP folders through every engine against transformers, which is called directly."""

import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, SiglipImageProcessorPil, SiglipModel

import running
import tiny_siglip
from multi2vec_clip import model_files
from multi2vec_clip.model_folder import read_folder
from multi2vec_clip.siglip import PICTURES as DEFAULTS
from multi2vec_clip.siglip import siglip
from pictures import b64, encoded, photo
from probes import PICTURES, TEXTS, cosines, features, given_to_both
from recipes import image_steps, loaded, prepared, text_steps
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.text_batch import pad_together
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.transforms import Channels, Filter
from vecmod.serving.model.weights import WeightsNotFound

KINDS = ["SiglipTokenizer", "GemmaTokenizer", "GemmaTokenizerFast", "Siglip2Tokenizer"]
# Where the tokenizers of transformers go ways of their own.
STRANGE = [
    "A Photo of TWO DOGS",
    "  spaces \t in front\nand behind  ",
    "!?,.",
    "▁▁cat",
    "</s>",
    "</s> a cat",
    "a cat</s>",
    "one <unk> two</s></s> three <eos> four <pad>",
    "dogs" * 100,
    "ﬁne ① Ⅳ İstanbul ß",
    "don't-stop_now",
]


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_siglip.write(tmp_path_factory.mktemp("siglip"), request.param)


@pytest.fixture(scope="module")
def first_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_siglip.write(tmp_path_factory.mktemp("first"), KINDS[0])


@pytest.fixture
def copy(first_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first_folder, tmp_path / "copy"))


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def model(request: pytest.FixtureRequest, folder: Path, cache: Path) -> GraphModel:
    return loaded(siglip(folder), request.param, cache)


def reference_ids(folder: Path, text: str) -> list[int]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a text that has an end already
        given = tokenizer(text, padding="max_length", truncation=True, max_length=tiny_siglip.CONTEXT)
    return list(given["input_ids"])


def padded(recipe: Recipe, text: str) -> list[int]:
    steps = text_steps(recipe)
    return list(pad_together([steps.tokenize(text).ids], steps)[0])


@pytest.mark.parametrize("text", [*TEXTS, *STRANGE])
def test_ids_are_those_of_the_reference(text: str, folder: Path) -> None:
    assert padded(siglip(folder), text) == reference_ids(folder, text)


def test_texts_are_those_of_the_reference(model: GraphModel, folder: Path) -> None:
    ids = torch.tensor([reference_ids(folder, text) for text in TEXTS])
    with torch.no_grad():
        expected = features(SiglipModel.from_pretrained(folder).get_text_features(input_ids=ids)).numpy()
    ours = model.embed("text", [model.prepare("text", text).content for text in TEXTS])
    assert cosines(ours, expected).min() > 0.99999
    np.testing.assert_allclose(ours, expected, atol=1e-4)  # not of length 1, like theirs


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_those_of_the_reference(name: str, model: GraphModel, folder: Path) -> None:
    ours = prepared(b64(encoded(PICTURES[name], "PNG")), image_steps(siglip(folder)))
    processor = SiglipImageProcessorPil.from_pretrained(folder)
    theirs = processor(PICTURES[name].convert("RGB"), return_tensors="pt")["pixel_values"]
    pixels = given_to_both(name, ours, theirs)
    with torch.no_grad():
        expected = features(SiglipModel.from_pretrained(folder).get_image_features(pixel_values=pixels)).numpy()
    vectors = model.embed("image", [ours])
    assert cosines(vectors, expected).min() > 0.99999
    np.testing.assert_allclose(np.linalg.norm(vectors), np.linalg.norm(expected), rtol=1e-3)


def test_a_batch_changes_nothing(model: GraphModel) -> None:
    items = [model.prepare("text", text).content for text in TEXTS]
    for item, vector in zip(items, model.embed("text", items), strict=True):
        np.testing.assert_allclose(model.embed("text", [item])[0], vector, atol=1e-5)
    pictures = list(np.random.default_rng(1).normal(size=(3, *model.blank("image").shape)).astype(np.float32))
    for item, vector in zip(pictures, model.embed("image", pictures), strict=True):
        np.testing.assert_allclose(model.embed("image", [item])[0], vector, atol=1e-5)


def test_what_fills_up_is_the_tokenizers_and_not_the_configs(folder: Path) -> None:
    expected = {"SiglipTokenizer": 1}.get(model_files.read_json(folder / "tokenizer_config.json")["tokenizer_class"], 0)
    assert text_steps(siglip(folder)).pad_id == expected


def test_over_http(folder: Path, cache: Path) -> None:
    with running.in_thread(running.clip(cache, MODEL_NAME="", VECMOD_MODEL_PATH=folder)) as service:
        body = {"texts": ["a cat", "一只猫 " * 100], "images": [b64(photo("cat"))]}
        answer = service("POST", "/vectorize", body).json()
        details = service("GET", "/meta").json()["details"]
    with torch.no_grad():
        ids = torch.tensor([reference_ids(folder, text) for text in body["texts"]])
        expected = features(SiglipModel.from_pretrained(folder).get_text_features(input_ids=ids)).numpy()
    assert cosines(np.array(answer["textVectors"]), expected).min() > 0.99999
    assert [len(answer["imageVectors"]), len(answer["imageVectors"][0])] == [1, tiny_siglip.DIM]
    assert f"tokens, of which the model reads the first {tiny_siglip.CONTEXT}" in answer["warnings"][0]
    assert (details["dimensions"], details["normalized"]) == (
        {"text": tiny_siglip.DIM, "image": tiny_siglip.DIM},
        False,
    )


def test_what_does_not_fit_is_counted(folder: Path) -> None:
    tokenize = text_steps(siglip(folder)).tokenize
    whole = AutoTokenizer.from_pretrained(folder)("word " * 200)["input_ids"]
    tokens = tokenize("word " * 200)
    assert len(tokens.ids) + tokens.dropped == len(whole)
    assert tokens.ids[-1] == whole[-1]  # the end stays
    assert tokenize("cat").dropped == 0


def test_what_a_file_does_not_say_about_pictures(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text("{}")
    steps, usual = model_files.image_steps(tmp_path, DEFAULTS), SiglipImageProcessorPil()
    assert (steps.size, steps.short_side, steps.filter) == (usual.size["height"], None, Filter.BICUBIC)
    assert (steps.mean, steps.std) == (Channels(*usual.image_mean), Channels(*usual.image_std))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"model_type": "siglip2"}, "a model of type siglip2; read here: clip, chinese_clip, siglip"),
        ("config.json", {"vision_config": {"vision_use_head": False}}, "no pooling head"),
        ("config.json", {"vision_config": {"image_size": 96}}, "pictures of 64 pixels, but .* the model reads 96"),
        ("preprocessor_config.json", {"size": {"height": 9, "width": 8}}, "a preparation that is not known here"),
    ],
)
def test_folders_that_cannot_be_read(name: str, values: dict[str, object], message: str, copy: Path) -> None:
    change(copy / name, **values)
    with pytest.raises(WeightsNotFound, match=message):
        read_folder(copy)


def test_tokenizers_that_cannot_be_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "sentencepiece", None)
        with pytest.raises(UnreadableWeights, match=r"pip install 'vecmod\[text\]'"):
            read_folder(copy)
    change(copy / "tokenizer_config.json", pad_token={"content": "<nothing>", "lstrip": True})
    with pytest.raises(UnreadableWeights, match="no token <nothing>"):
        read_folder(copy)
    (copy / "spiece.model").write_bytes(b"no vocabulary")
    with pytest.raises(UnreadableWeights, match=r"spiece\.model is no SentencePiece model"):
        read_folder(copy)
    (copy / "spiece.model").unlink()
    with pytest.raises(UnreadableWeights, match=r"spiece\.model is missing: copy the whole model folder"):
        read_folder(copy)
    (copy / "tokenizer_config.json").unlink()
    with pytest.raises(UnreadableWeights, match=r"tokenizer\.json is missing"):
        read_folder(copy)


def test_a_folder_that_names_no_tokenizer(copy: Path) -> None:
    named = siglip(copy)
    (copy / "tokenizer_config.json").unlink()
    assert [padded(siglip(copy), text) for text in TEXTS] == [padded(named, text) for text in TEXTS]


def test_a_json_of_gemma_without_its_marks(tmp_path: Path) -> None:
    folder = tiny_siglip.write(tmp_path, KINDS[1])
    change(folder / "tokenizer_config.json", pad_token={"content": "<nothing>"})
    with pytest.raises(UnreadableWeights, match="no token <nothing>"):
        read_folder(folder)
