"""OpenCLIP folders through every engine against the same weights in transformers, which is called directly."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

import open_clip_repos
import running
import tiny_open_clip
from multi2vec_clip.model_folder import read_folder
from multi2vec_clip.names import official_name
from multi2vec_clip.open_clip import clip_config, open_clip
from pictures import b64, encoded, photo
from probes import PICTURES, TEXTS, cosine, features, given_to_both
from recipes import image_steps, loaded, prepared, text_steps
from vecmod.serving.model.families import UnknownName
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.hub import wanted_files
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.transforms import Filter
from vecmod.serving.model.weights import WeightsNotFound
from vecmod.serving.service_settings import ServiceSettings

SQUASH = {"resize_mode": "squash", "interpolation": "bilinear", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"quick": False},
    "quick": {"quick": True, "preprocessing": SQUASH},
    "custom-text": {"quick": False, "text_prefix": "text.", "preprocessing": {"size": 9, "mean": None}},
}


# What open_clip mends before it cuts a text into tokens.
BROKEN = [
    "don\u2019t \u201cquote\u201d me",
    "&amp;lt;b&amp;gt; R&amp;D &eacute;",
    "ﬁne ligatures",
    "\uff26\uff35\uff2c\uff2c \uff57\uff49\uff44\uff54\uff48",
    "cafÃ© l'Ã©tÃ©",
    "tab\tand\x07bell",
    "  much   space\u00a0here ",
]


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_open_clip.write(tmp_path_factory.mktemp("open"), **KINDS[request.param])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_open_clip.write(tmp_path_factory.mktemp("plain"), quick=False)


@pytest.fixture(scope="module", params=["onnx", "openvino", "torch"])
def model(request: pytest.FixtureRequest, folder: Path, cache: Path) -> GraphModel:
    return loaded(open_clip(folder), request.param, cache)


def reference_of(folder: Path) -> Any:
    return CLIPModel.from_pretrained(folder / "reference")  # in evaluation mode


def processor_of(folder: Path) -> CLIPImageProcessorPil:
    said = json.loads((folder / "open_clip_config.json").read_text())["preprocess_cfg"]
    if said.get("resize_mode") != "squash":
        return CLIPImageProcessorPil.from_pretrained(folder / "reference")
    options = {"resample": 2, "image_mean": said["mean"], "image_std": said["std"]}
    return CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False, **options)


def test_texts_are_those_of_the_reference(model: GraphModel, folder: Path) -> None:
    reference, tokenizer = reference_of(folder), CLIPTokenizer.from_pretrained(folder / "reference")
    items = [model.prepare("text", text).content for text in TEXTS]
    given = [tokenizer(text, truncation=True, max_length=77, return_tensors="pt") for text in TEXTS]
    with torch.no_grad():
        expected = torch.cat([features(reference.get_text_features(**one)) for one in given])
    assert cosine(model.embed("text", items), expected).min() > 0.99999


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_those_of_the_reference(name: str, model: GraphModel, folder: Path) -> None:
    ours = prepared(b64(encoded(PICTURES[name], "PNG")), image_steps(open_clip(folder)))
    theirs = processor_of(folder)(PICTURES[name].convert("RGB"), return_tensors="pt")["pixel_values"]
    pixels = given_to_both(name, ours, theirs, most=0.032)
    with torch.no_grad():
        expected = features(reference_of(folder).get_image_features(pixel_values=pixels))
    assert cosine(model.embed("image", [ours]), expected).min() > 0.99999


def test_over_http(folder: Path, cache: Path) -> None:
    with running.in_thread(running.clip(cache, MODEL_NAME="", VECMOD_MODEL_PATH=folder)) as service:
        answer = service("POST", "/vectorize", {"texts": ["a cat"], "images": [b64(photo("cat"))]}).json()
        assert [len(answer["textVectors"][0]), len(answer["imageVectors"][0])] == [24, 24]
        assert service("GET", "/meta").json()["details"]["dimensions"] == {"text": 24, "image": 24}


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # open_clip's own
def test_ids_are_those_of_open_clip(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = text_steps(open_clip(plain))
    texts = [*TEXTS, *BROKEN]
    theirs = open_clip_repos.tokenizer_of(monkeypatch)(texts)
    for text, ids in zip(texts, theirs.tolist(), strict=True):
        ours = steps.tokenize(text).ids.tolist()
        assert ours + [steps.pad_id] * (steps.context - len(ours)) == ids


def test_settings_come_from_the_files(plain: Path, tmp_path: Path) -> None:
    shutil.copytree(plain, tmp_path, dirs_exist_ok=True)
    tiny_open_clip.write_config(tmp_path, tiny_open_clip.CONFIG, {"interpolation": "random", "fill_color": 0})
    steps = image_steps(read_folder(tmp_path))
    assert (steps.size, steps.short_side, steps.filter) == (64, 64, Filter.BICUBIC)
    assert text_steps(read_folder(tmp_path)).context == 77


@pytest.mark.parametrize(
    ("part", "setting", "value"),
    [
        ("", "multimodal_cfg", {"layers": 12}),
        ("vision_cfg", "timm_model_name", "vit_base_mci_224"),
        ("vision_cfg", "layers", [3, 4, 6, 3]),
        ("vision_cfg", "image_size", [64, 32]),
        ("vision_cfg", "no_ln_pre", True),
        ("vision_cfg", "attentional_pool", True),
        ("vision_cfg", "pool_type", "avg"),
        ("vision_cfg", "ls_init_value", 0.0),
        ("vision_cfg", "norm_kwargs", {"eps": 1e-6}),
        ("vision_cfg", "from_the_future", 1),
        ("text_cfg", "hf_model_name", "roberta-base"),
        ("text_cfg", "pool_type", "eos"),
        ("text_cfg", "embed_cls", True),
        ("text_cfg", "no_causal_mask", True),
        ("text_cfg", "final_ln_after_pool", True),
        ("text_cfg", "proj_type", "none"),
        ("text_cfg", "tokenizer_kwargs", {"clean": "canonicalize"}),
    ],
)
def test_other_networks_are_refused_by_name(part: str, setting: str, value: object) -> None:
    changed: dict[str, Any] = {setting: value}
    config = {**tiny_open_clip.CONFIG, **({part: {**tiny_open_clip.CONFIG[part], **changed}} if part else changed)}
    with pytest.raises(WeightsNotFound) as caught:
        clip_config(config)
    assert f"{part}.{setting}={value}".lstrip(".") in str(caught.value)


def test_settings_that_change_nothing_are_read() -> None:
    vision = {**tiny_open_clip.CONFIG["vision_cfg"], "patch_dropout": 0.5, "timm_model_name": None, "timm_pool": "avg"}
    text = {**tiny_open_clip.CONFIG["text_cfg"], "hf_tokenizer_name": "owner/name", "embed_cls": False}
    changed = {**tiny_open_clip.CONFIG, "init_logit_bias": -10, "vision_cfg": vision, "text_cfg": text}
    assert clip_config(changed) == clip_config(tiny_open_clip.CONFIG)


@pytest.mark.parametrize(
    ("model", "preprocessing", "message"),
    [
        ({}, {}, "asks for no embed_dim"),
        (tiny_open_clip.CONFIG, {"resize_mode": "longest"}, "resize_mode longest and interpolation bicubic"),
        (tiny_open_clip.CONFIG, {"interpolation": "lanczos"}, "interpolation lanczos"),
    ],
)
def test_configurations_that_cannot_be_read(
    model: dict[str, Any], preprocessing: dict[str, Any], message: str, tmp_path: Path
) -> None:
    tiny_open_clip.write_config(tmp_path, model, preprocessing)
    with pytest.raises(WeightsNotFound, match=message):
        read_folder(tmp_path)


def test_weights_of_another_network_say_what_is_missing(plain: Path, tmp_path: Path) -> None:
    shutil.copytree(plain, tmp_path, dirs_exist_ok=True)
    vision = {**tiny_open_clip.CONFIG["vision_cfg"], "image_size": 96}
    text = {**tiny_open_clip.CONFIG["text_cfg"], "layers": 4}
    tiny_open_clip.write_config(tmp_path, {**tiny_open_clip.CONFIG, "vision_cfg": vision, "text_cfg": text}, {})
    towers = {name: tower.network for name, tower in open_clip(tmp_path).towers.items()}
    with pytest.raises(UnreadableWeights, match=r"has no tensor transformer\.resblocks\.3\.ln_1\.weight"):
        towers["text"].load()  # type: ignore[union-attr]
    with pytest.raises(UnreadableWeights, match=r"visual\.positional_embedding has 17 positions, .* asks for 37"):
        towers["image"].load()  # type: ignore[union-attr]


def test_which_files_make_a_folder_one_of_open_clip(plain: Path, tmp_path: Path) -> None:
    shutil.copytree(plain, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text('{"architecture": "vit_base_patch32_clip_224"}')  # as timm's are
    assert read_folder(tmp_path).name.startswith("open_clip: ")
    reference = shutil.copytree(plain / "reference", tmp_path / "both")
    shutil.copy(plain / "open_clip_config.json", reference)
    assert read_folder(reference).name == "clip: both"


def test_of_a_repository_the_weights_of_open_clip_are_fetched() -> None:
    timm = ["config.json", "model.safetensors", "open_clip_config.json", "open_clip_model.safetensors"]
    assert wanted_files(timm) == ["config.json", "open_clip_config.json", "open_clip_model.safetensors"]
    assert wanted_files(["config.json", "model.safetensors", "open_clip_model.safetensors"])[-1] == "model.safetensors"


def named(**variables: str) -> str:
    return official_name(ServiceSettings.read(variables))


def test_official_variables_name_what_open_clip_would_fetch() -> None:
    pair = {"OPEN_CLIP_MODEL_NAME": "ViT-B-32", "OPEN_CLIP_PRETRAINED": "laion2b_s34b_b79k"}
    repo = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert named(**pair) == repo
    assert named(OPEN_CLIP_MODEL_NAME="ViT-B/32", OPEN_CLIP_PRETRAINED="LAION2B-S34B-B79K") == repo
    assert named(**pair, CLIP_MODEL_NAME="clip-ViT-B-32", TEXT_MODEL_NAME="clip-ViT-B-32-multilingual-v1") == repo
    assert named(**pair, SIGLIP_MODEL_NAME="google/siglip-base-patch16-224") == "google/siglip-base-patch16-224"


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B-32", "", "OPEN_CLIP_MODEL_NAME and OPEN_CLIP_PRETRAINED go together"),
        ("", "openai", "OPEN_CLIP_MODEL_NAME and OPEN_CLIP_PRETRAINED go together"),
        ("RN50", "openai", "OPEN_CLIP_MODEL_NAME=RN50 is not read here; there are ViT-B-32, "),
        ("ViT-L-14-336", "laion", "OPEN_CLIP_PRETRAINED=laion is not known for ViT-L-14-336; there are openai"),
    ],
)
def test_names_that_are_not_known(model: str, pretrained: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        named(OPEN_CLIP_MODEL_NAME=model, OPEN_CLIP_PRETRAINED=pretrained)


def test_the_table_is_that_of_open_clip() -> None:
    assert json.loads(open_clip_repos.FILE.read_text("utf-8")) == open_clip_repos.repositories()
