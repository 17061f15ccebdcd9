"""What multi2vec-bind's README shows runs as it stands; the numbers are the model's, the messages the service's own."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import running
from bind_golden import raw, write_checkpoint
from file_server import answer, serving
from films import film
from message_scenes import Scene
from multi2vec_bind import imagebind_recipe
from multi2vec_bind.imagebind_config import HUGE
from multi2vec_bind.imagebind_weights import published
from pictures import SAMPLES
from readme_tables import check_limits, fits, messages, rows
from shell_blocks import blocks, run, runnable
from sounds import encoded_sound, tone, wav
from vecmod.serving.model import download
from vecmod.serving.model.download import RemoteWeights

README = (Path(__file__).parents[1] / "multi2vec-bind/README.md").read_text("utf-8")
SHELL = blocks(README)
# Lines that are not run here, by their beginnings, and where what they do is tested.
NOT_RUN = {
    "pip install": "the tests' own environment has it all; tests/test_dockerfiles.py checks names and versions",
    "VECMOD_ACCEPT_NONCOMMERCIAL=1 vecmod serve": "Meta's server; tests/services/test_bind_start.py has its own",
    "docker": "no engine; tests/test_dockerfiles.py runs what the images run",
}


@pytest.mark.parametrize("number", range(len(SHELL)), ids=lambda number: SHELL[number].split("\n")[0][:40])
def test_commands(number: int, tmp_path: Path) -> None:
    script = runnable(SHELL[number], NOT_RUN)
    digest = hashlib.sha256(write_checkpoint(tmp_path).read_bytes()).hexdigest()
    shutil.copy(SAMPLES / "films/cat.mp4", tmp_path)
    # The small model is the large one here.
    script = script.replace(imagebind_recipe.CHECKPOINT.sha256, digest)
    done = run(script, tmp_path, {"VECMOD_CACHE_DIR": tmp_path / "cache"})
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in re.findall(r"^\{.*\}$", done.stdout.replace("}{", "}\n{"), re.MULTILINE)]
    assert len(answers) == len(re.findall(r"curl -s localhost", script))
    assert not any("error" in one for one in answers)


def test_what_is_not_run_is_there() -> None:
    for beginning in NOT_RUN:
        assert any(line.startswith(beginning) for code in SHELL for line in code.splitlines()), beginning
    assert [len(runnable(code, NOT_RUN).split()) > 0 for code in SHELL].count(False) == 2


def test_depth_in_sixteen_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks(README, "python")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.array([[0, 5000], [10_000, 65_535]], np.uint16)).save("depth-16bit.png")
    exec(code, {})  # noqa: S102 -- our own documentation
    with Image.open("depth.png") as made:
        assert (made.mode, np.asarray(made).tolist()) == ("L", [[0, 127], [255, 255]])


def test_what_towers_weigh() -> None:
    """Numbers of the tensors that are published, which are those that are in the graphs."""
    names = {"image": "vision", "thermal": "thermal", "text": "text", "audio": "audio", "depth": "depth", "imu": "imu"}
    counts = {
        modality: sum(map(prod, published(HUGE.trunks()[name], HUGE.patches().get(name), HUGE.out_embed_dim).values()))
        for modality, name in names.items()
    }
    counts["all"] = sum(counts.values())
    shown = {
        row[0].strip("`").partition("`")[0]: row[1:3] for row in rows(README, "| `VECMOD_TOWERS` | million parameters")
    }
    assert shown == {name: [f"{count / 1e6:.0f}", f"{4 * count / 1e9:.2f}"] for name, count in counts.items()}


def test_limits() -> None:
    check_limits(README)


# What is not the weights, though it is as large.
OTHER = b"?" * 100


@pytest.fixture(scope="module")
def imagebind(cache: Path) -> Iterator[running.Caller]:
    with running.in_thread(running.bind(cache, VECMOD_MAX_VIDEO_FRAMES=30)) as caller:
        yield caller


@pytest.fixture(scope="module")
def builtin(cache: Path) -> Iterator[running.Caller]:
    with running.in_thread(running.bind(cache, MODEL_NAME=running.CONSE, VECMOD_MODEL_PATH="")) as caller:
        yield caller


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model without ears and without sense of motion."""
    folder = tmp_path_factory.mktemp("converted")
    command = [sys.executable, "-m", "vecmod", "convert", running.BIND, "--output", str(folder / "graphs")]
    environ = running.environ({"VECMOD_MODEL_PATH": running.TINY_IMAGEBIND, "VECMOD_TOWERS": "text,image"})
    subprocess.run(command, env=environ, capture_output=True, check=True)
    return folder / "graphs"


class BindScene(Scene):
    """multi2vec-bind, with a small ImageBind."""

    name = running.BIND
    given: ClassVar[Mapping[str, object]] = {"MODEL_NAME": "", "VECMOD_MODEL_PATH": running.TINY_IMAGEBIND}

    def converted(self) -> Path:
        found: Path = self.fixture("converted")
        return found

    def fetch(self, status: str = "200 OK") -> str:
        """Why it cannot start if a server is asked for its weights that has others of the same size."""
        self.patch.setattr(download, "_PAUSE", 0.001)
        with serving() as server:
            remote = RemoteWeights(server.url("/w.pth", answer(OTHER, status=status)), "w.pth", "0" * 64, len(OTHER))
            self.patch.setattr(imagebind_recipe, "CHECKPOINT", remote)
            return self.start(VECMOD_MODEL_PATH="", VECMOD_ACCEPT_NONCOMMERCIAL=1, VECMOD_OFFLINE=0)


def damaged(scene: BindScene) -> str:
    folder = scene.folder / "cache/weights" / ("0" * 16)
    folder.mkdir(parents=True)
    (folder / "w.pth").write_bytes(OTHER)
    return scene.fetch()


def cut_off(scene: BindScene) -> str:
    path = write_checkpoint(scene.folder)
    path.write_bytes(path.read_bytes()[:-100])
    return scene.start(VECMOD_MODEL_PATH=path)


def of_another_size(scene: BindScene) -> str:
    path = write_checkpoint(scene.folder)
    (scene.folder / "config.json").unlink()
    return scene.start(VECMOD_MODEL_PATH=path)


def of_another_network(scene: BindScene) -> str:
    weights = scene.folder / "weights.safetensors"
    shutil.copy(running.TINY_IMAGEBIND / weights.name, weights)
    config = json.loads((running.TINY_IMAGEBIND / "config.json").read_text())
    (scene.folder / "config.json").write_text(json.dumps({**config, "text_num_blocks": 9}))
    return scene.start(VECMOD_MODEL_PATH=weights)


def without_pyav(scene: BindScene) -> str:
    scene.without("av", *(f"vecmod.serving.media.{name}" for name in ("audio", "video", "av_file")))
    return scene.start()


def without_onnx(scene: BindScene) -> str:
    scene.without("onnx", *(f"vecmod.serving.engine.{name}" for name in ("onnx_graph", "graph_ops")))
    return scene.start()


def nowhere_to_write(scene: BindScene) -> str:
    (scene.folder / "cache").touch()
    return scene.start()


def left_out(scene: BindScene) -> str:
    with running.in_thread(running.bind(scene.folder, VECMOD_TOWERS="text")) as caller:
        return str(caller("POST", "/vectorize", {"audio": ["eA=="]}).json()["error"])


def not_converted(scene: BindScene) -> str:
    with running.in_thread(running.bind(scene.folder, VECMOD_MODEL_PATH=scene.converted())) as caller:
        return str(caller("POST", "/vectorize", {"imu": ["eA=="]}).json()["error"])


MINUTES = wav(bytes(601 * 1000), rate=1000, bits=8)
MESSAGES: dict[str, Callable[[BindScene], str]] = {
    "the weights of ImageBind (4.8 GB)": lambda scene: scene.start(VECMOD_MODEL_PATH=""),
    "VECMOD_OFFLINE forbids": lambda scene: scene.start(VECMOD_MODEL_PATH="", VECMOD_ACCEPT_NONCOMMERCIAL=1),
    "could not be fetched": lambda scene: scene.fetch("503 Busy"),
    "answered with status": lambda scene: scene.fetch("403 Forbidden"),
    "is not what it was": lambda scene: scene.fetch(),
    "is damaged (sha256": damaged,
    "the file is cut off": cut_off,
    "does not exist": lambda scene: scene.start(VECMOD_MODEL_PATH="/nowhere"),
    "… is the model's own config.json": of_another_size,
    "has no tensor": of_another_network,
    "are read by PyAV": without_pyav,
    "converting weights needs": without_onnx,
    "is an ONNX graph": lambda scene: scene.start(VECMOD_MODEL_PATH=scene.converted(), VECMOD_ENGINE="torch"),
    "the converted graph cannot": nowhere_to_write,
    "VECMOD_TOWERS names imu": lambda scene: scene.start(VECMOD_MODEL_PATH=scene.converted(), VECMOD_TOWERS="imu"),
    "this model embeds": lambda scene: scene.ask("builtin", "audio", raw("audio", "tone_16k_mono_1s.wav")),
    "VECMOD_TOWERS leaves": left_out,
    "was converted without": not_converted,
    "the text has": lambda scene: scene.ask("imagebind", "texts", "cat " * 99),
    "is not a sound": lambda scene: scene.ask("imagebind", "audio", b"words"),
    "is encoded as": lambda scene: scene.ask("imagebind", "audio", encoded_sound(tone(1), 16000, "wav", "adpcm_ms")),
    "is 10.0 ms long": lambda scene: scene.ask("imagebind", "audio", wav(bytes(320))),
    "is cut off": lambda scene: scene.ask("imagebind", "audio", wav(bytes(320), size=3200)),
    "is longer than 600 s": lambda scene: scene.ask("imagebind", "audio", MINUTES),
    "is not a film": lambda scene: scene.ask("imagebind", "video", b"words"),
    "has no picture between": lambda scene: scene.ask("imagebind", "video", film(20, 10, codec="mpeg4", late=900)),
    "takes more than": lambda scene: scene.ask("imagebind", "video", film(60, 10, codec="mpeg4")),
    "line 3 has 5 columns": lambda scene: scene.ask("imagebind", "imu", b"names\n1,2,3,4,5,6\n1,2,3,4,5\n"),
    "has too few lines": lambda scene: scene.ask("imagebind", "imu", b"names\n1,2,3,4,5,6\n"),
}
SHOWN = messages(README)


@pytest.mark.parametrize("message", SHOWN)
def test_messages(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (bring_about,) = (made for beginning, made in MESSAGES.items() if message.startswith(beginning))
    said = bring_about(BindScene(tmp_path, monkeypatch, request))
    assert fits(message, said), said


def test_every_message_is_shown() -> None:
    assert [beginning for beginning in MESSAGES if not any(message.startswith(beginning) for message in SHOWN)] == []
