"""Models by name: fetched once from a hub (here: one on this machine, asked by the hub's own client), then kept."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import running
import tiny_clip
import tiny_hub
import tiny_sbert
from pictures import b64, photo
from start import start
from vecmod.serving.model.hub import wanted_files


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tiny_hub.Hub]:
    root = tmp_path_factory.mktemp("hub")
    clip = tiny_clip.write(root / "openai/clip-tiny", end=2, activation="quick_gelu")
    for name in ("flax_model.msgpack", "pytorch_model.bin", "README.md"):
        (clip / name).write_bytes(b"not asked for")
    pair = tiny_sbert.write_pair(root / "pair")
    for name, folder in (("clip-tiny", "clip"), ("clip-tiny-multilingual", "text")):
        shutil.move(pair / folder, root / "sentence-transformers" / name)
    with tiny_hub.serve(root) as served:
        yield served


def vector_of(cache: Path, **variables: object) -> tuple[list[float], str]:
    with running.process(cache, running.free_port(), "multi2vec_clip", MODEL_NAME="", **variables) as (service, _):
        answer = service("POST", "/vectorize", {"texts": ["a cat"], "images": [b64(photo("cat"))]}).json()
        return answer["textVectors"][0] + answer["imageVectors"][0], service("GET", "/meta").json()["model"]


def test_fetched_once_then_kept(hub: tiny_hub.Hub, tmp_path: Path) -> None:
    asked = {"CLIP_MODEL_NAME": "openai/clip-tiny", "TEXT_MODEL_NAME": "openai/clip-tiny", "HF_ENDPOINT": hub.url}
    vector, name = vector_of(tmp_path / "here", VECMOD_OFFLINE=0, **asked)
    assert name == "openai/clip-tiny"
    wanted = {"config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert {file.rpartition("/")[2] for file in hub.asked if file != "openai/clip-tiny"} == wanted
    hub.asked.clear()
    assert vector_of(tmp_path / "here", VECMOD_OFFLINE=0, **asked)[0] == vector
    assert hub.asked == []
    shutil.move(tmp_path / "here", tmp_path / "there")  # to a machine without a network
    assert vector_of(tmp_path / "there", VECMOD_OFFLINE=1, **asked)[0] == vector
    mounted, _ = vector_of(tmp_path, VECMOD_MODEL_PATH=hub.root / "openai/clip-tiny")
    assert mounted == vector


def test_a_branch(hub: tiny_hub.Hub, tmp_path: Path) -> None:
    given = {"HF_ENDPOINT": hub.url, "MODEL_NAME": "openai/clip-tiny@refs/pr/4", "VECMOD_OFFLINE": "0"}
    with running.process(tmp_path, running.free_port(), "multi2vec_clip", **given) as (service, _):
        assert service("GET", "/meta").json()["model"] == "openai/clip-tiny@refs/pr/4"
    assert (tmp_path / "hub/openai--clip-tiny@refs--pr--4").is_file()


def test_the_official_pair(hub: tiny_hub.Hub, tmp_path: Path) -> None:
    """The names that the official image's default build arguments have, but for the size: without an owner."""
    vector, name = vector_of(
        tmp_path,
        VECMOD_OFFLINE=0,
        HF_ENDPOINT=hub.url,
        CLIP_MODEL_NAME="clip-tiny",
        TEXT_MODEL_NAME="clip-tiny-multilingual",
    )
    assert name == "sentence-transformers/clip-tiny+sentence-transformers/clip-tiny-multilingual"
    assert len(vector) == 48


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        ({"MODEL_NAME": "openai/nothing"}, 1, "openai/nothing could not be fetched (RepositoryNotFoundError"),
        ({"MODEL_NAME": "openai/nothing", "VECMOD_OFFLINE": "1"}, 1, "VECMOD_OFFLINE forbids fetching openai/nothing"),
        ({"MODEL_NAME": "openai/nothing", "HF_ENDPOINT": "http://127.0.0.1:9"}, 1, "check name and network"),
        ({"MODEL_NAME": "clip-vit"}, 2, "known here: builtin/conse-en; or a model of the hub as owner/name[@revision]"),
        ({"SIGLIP_MODEL_NAME": "siglip-base"}, 2, "no model for multi2vec-clip named 'siglip-base'"),
        ({"MODEL_NAME": "a/b+a/b+a/b"}, 2, "two of them with + between"),
        ({"MODEL_NAME": "openai/clip--tiny"}, 1, "openai/clip--tiny could not be fetched (HFValidationError"),
        ({"MODEL_NAME": "../.."}, 1, "../.. could not be fetched"),
        ({"VECMOD_OFFLINE": "yes"}, 2, "VECMOD_OFFLINE='yes' cannot be used: write 1 or 0"),
        ({"COLPALI_ENGINE_MODEL_NAME": "vidore/colpali"}, 2, "vidore/colpali is not read here; kinds: clip, "),
        ({"CLIP_MODEL_NAME": "openai/clip-tiny"}, 2, "CLIP_MODEL_NAME and TEXT_MODEL_NAME go together"),
    ],
)
def test_what_cannot_be_fetched_says_why(
    variables: dict[str, str], code: int, words: str, hub: tiny_hub.Hub, tmp_path: Path
) -> None:
    given = {"VECMOD_OFFLINE": "0", "HF_ENDPOINT": hub.url, "VECMOD_CACHE_DIR": str(tmp_path), **variables}
    returned, log = start("multi2vec_clip", **given)
    assert returned == code
    assert words in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin", "x.msgpack"], ["config.json", "model.safetensors"]),
        (["modules.json", "pytorch_model.bin", "2_Dense/pytorch_model.bin", "2_Dense/config.json", "onnx/model.onnx"],
         ["modules.json", "2_Dense/config.json", "pytorch_model.bin", "2_Dense/pytorch_model.bin"]),
        (["open_clip_config.json", "open_clip_model.safetensors", "open_clip_pytorch_model.bin"],
         ["open_clip_config.json", "open_clip_model.safetensors"]),
        (["config.json", "onnx/vision_model.onnx", "onnx/text_model.onnx", "onnx/text_model_int8.onnx",
          "onnx/model.onnx"],
         ["config.json", "onnx/vision_model.onnx", "onnx/text_model.onnx"]),
    ],
)  # fmt: skip
def test_what_is_fetched_of_a_repository(names: list[str], wanted: list[str]) -> None:
    assert wanted_files(names) == wanted
