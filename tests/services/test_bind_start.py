"""How multi2vec-bind comes to its model: with consent from another server, or mounted; and what it says if not."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import running
from bind_golden import FOLDER, LONG, TEXTS, WEIGHTS, assert_equal, golden, write_checkpoint
from file_server import FileServer, answer, serving
from multi2vec_bind import imagebind_recipe
from start import start
from vecmod.serving.model.download import RemoteWeights

HALF = 2**21
CONSENT = {"MODEL_NAME": "", "VECMOD_MODEL_PATH": "", "VECMOD_ACCEPT_NONCOMMERCIAL": 1, "VECMOD_OFFLINE": 0}


def put_on(server: FileServer, folder: Path) -> tuple[RemoteWeights, bytes]:
    """The small model in the form of the large one, on a server."""
    content = write_checkpoint(folder).read_bytes()
    url = server.url("/imagebind_huge.pth", answer(content, "Connection: close"))
    return RemoteWeights(url, "imagebind_huge.pth", hashlib.sha256(content).hexdigest(), len(content)), content


def put_config(cache: Path, remote: RemoteWeights) -> Path:
    """Where the file will be; the large model needs no configuration."""
    folder = cache / "weights" / remote.sha256[:16]
    folder.mkdir(parents=True)
    shutil.copy(FOLDER / "config.json", folder)
    return folder


def assert_serves_it(service: running.Caller) -> None:
    ours = np.array(service("POST", "/vectorize", {"texts": TEXTS}).json()["textVectors"])
    assert_equal(np.delete(ours, LONG, axis=0), np.delete(golden("text"), LONG, axis=0))


def test_fetched_with_consent_and_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        remote, content = put_on(server, tmp_path / "server")
        monkeypatch.setattr(imagebind_recipe, "CHECKPOINT", remote)
        folder = put_config(tmp_path, remote)
        for offline in (0, 1):
            with running.in_thread(running.bind(tmp_path, **{**CONSENT, "VECMOD_OFFLINE": offline})) as service:
                assert_serves_it(service)
                details = service("GET", "/meta").json()["details"]
        assert len(server.requests) == 1
    assert details["revision"] == f"imagebind_huge.pth sha256 {remote.sha256[:16]}"
    assert details["licence"] == "CC-BY-NC-SA-4.0 (no commercial use)"
    assert (folder / "imagebind_huge.pth").read_bytes() == content


PROGRAM = """
import os, sys
from multi2vec_bind import imagebind_recipe
from vecmod.serving.model.download import RemoteWeights
from vecmod.serving.run import main

imagebind_recipe.CHECKPOINT = {remote!r}
sys.exit(main("multi2vec-bind", os.environ))
"""


def test_told_to_stop_while_it_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves soon, though the file would take an hour; the next start goes on where it was."""
    go = threading.Event()
    with serving() as server:
        remote, content = put_on(server, tmp_path / "server")
        partial = put_config(tmp_path, remote) / "imagebind_huge.pth.partial"

        def stall(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content[:HALF])
            go.wait(60)

        server.files["/imagebind_huge.pth"] = stall
        given = {**CONSENT, "VECMOD_PORT": 0, "VECMOD_CACHE_DIR": tmp_path, "VECMOD_DRAIN_DELAY": 0}
        environ = {**os.environ, **{name: str(value) for name, value in given.items()}}
        command = [sys.executable, "-c", PROGRAM.format(remote=remote)]
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        # What was read is written when the next part comes.
        running.wait_for(lambda: partial.is_file() and partial.stat().st_size > 0)
        asked_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=30)[1]
        assert time.monotonic() - asked_at < 15
        assert process.returncode == 0, log
        assert "left before the model was loaded" in log
        go.set()

        have = partial.stat().st_size
        assert 0 < have <= HALF
        said = f"Content-Range: bytes {have}-{len(content) - 1}/{len(content)}"
        server.files["/imagebind_huge.pth"] = answer(content[have:], said, status="206 Partial Content")
        monkeypatch.setattr(imagebind_recipe, "CHECKPOINT", remote)
        with running.in_thread(running.bind(tmp_path, **CONSENT)) as service:
            assert_serves_it(service)
        asked = [re.findall(rb"Range: bytes=(\d+)-\r\n", request) for request in server.requests]
        assert asked == [[b"0"], [str(have).encode()]]


NO_CONSENT = (
    "cannot start: the weights of ImageBind (4.8 GB) may not be used commercially (CC BY-NC-SA 4.0). To have them "
    "fetched from https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth set VECMOD_ACCEPT_NONCOMMERCIAL=1; "
    "or name the file that you have in VECMOD_MODEL_PATH; or serve another model: MODEL_NAME=builtin/conse-en"
)


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        ({}, 1, NO_CONSENT),
        ({"VECMOD_OFFLINE": "0"}, 1, NO_CONSENT),
        ({"MODEL_NAME": "imagebind_huge", "VECMOD_ACCEPT_NONCOMMERCIAL": "0"}, 1, NO_CONSENT),
        (
            {"VECMOD_ACCEPT_NONCOMMERCIAL": "1"},
            1,
            "VECMOD_OFFLINE forbids fetching imagebind_huge.pth, and {tmp}/weights/d6f6c22bedcc9070/imagebind_huge.pth",
        ),
        ({"VECMOD_ACCEPT_NONCOMMERCIAL": "yes"}, 2, "VECMOD_ACCEPT_NONCOMMERCIAL='yes' cannot be used: write 1 or 0"),
        (
            {"MODEL_NAME": "imagebind"},
            2,
            "no model for multi2vec-bind named 'imagebind'; known here: builtin/conse-en, imagebind_huge",
        ),
        (
            {"VECMOD_MODEL_PATH": "/nowhere.pth"},
            1,
            "VECMOD_MODEL_PATH=/nowhere.pth does not exist; is the volume mount",
        ),
        ({"VECMOD_MODEL_PATH": "{tmp}/words.txt"}, 1, "words.txt is not a weights file: one of .safetensors, .pth"),
        ({"VECMOD_MODEL_PATH": "{tmp}/empty"}, 1, "VECMOD_MODEL_PATH={tmp}/empty holds no weights file"),
        ({"VECMOD_MODEL_PATH": "{tmp}/alone.safetensors"}, 1, "is the model's own config.json beside its weights?"),
        ({"VECMOD_MODEL_PATH": "{tmp}/cut.pth"}, 1, "{tmp}/cut.pth: the file is cut off; fetch it again"),
        (
            {"MODEL_NAME": "builtin/conse-en", "VECMOD_MODEL_PATH": "{tmp}"},
            1,
            "comes with its own weights; unset VECMOD",
        ),
        (
            {"MODEL_NAME": "builtin/conse-en", "VECMOD_TOWERS": "audio"},
            1,
            "VECMOD_TOWERS names audio, which builtin/con",
        ),
    ],
)
def test_what_cannot_start_says_why(variables: dict[str, str], code: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.txt").touch()
    whole = write_checkpoint(tmp_path / "whole")
    (tmp_path / "cut.pth").write_bytes(whole.read_bytes()[:-1000])
    shutil.copy(WEIGHTS, tmp_path / "alone.safetensors")
    given = {name: value.replace("{tmp}", str(tmp_path)) for name, value in variables.items()}
    returned, log = start("multi2vec_bind", VECMOD_CACHE_DIR=str(tmp_path), **given)
    assert words.replace("{tmp}", str(tmp_path)) in log
    assert returned == code
    assert "Traceback" not in log
