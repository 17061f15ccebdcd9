"""The services' Dockerfiles, as far as they go without an engine: conversion, environment and commands."""

import json
import re
import shlex
import string
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

import running
import tiny_clip
from bind_golden import write_checkpoint
from vecmod.contract.environment import OUR_VARIABLES

ROOT = Path(__file__).parents[1]
FILES = {name: ROOT / name / "Dockerfile" for name in (running.IMG2VEC, running.CLIP, running.BIND)}
HERE = str(Path(sys.executable).parent)


def instructions(service: str) -> list[tuple[str, str]]:
    """Their words, and what follows them, in one line each."""
    text = re.sub(r"^ *#.*\n", "", FILES[service].read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


def the_last(service: str, word: str) -> str:
    return [rest for found, rest in instructions(service) if found == word][-1]


def plain_lines(service: str) -> set[str]:
    text = FILES[service].read_text().replace(service, "SERVICE").replace(service.replace("-", "_"), "PACKAGE")
    return set(text.splitlines()) - {""}


def test_what_two_have_in_common_the_third_has_too() -> None:
    common = plain_lines(running.IMG2VEC) & plain_lines(running.CLIP)
    assert len(common) > 20
    # It has weights of another licence in it, and asks which model it has before it starts.
    own = {'      org.opencontainers.image.licenses="Apache-2.0"', 'CMD ["python", "-m", "PACKAGE"]'}
    assert common - plain_lines(running.BIND) == own


@pytest.mark.parametrize("service", FILES)
def test_what_is_installed(service: str) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked = (ROOT / "requirements.lock").read_text()
    for word, rest in instructions(service):
        for place, asked in re.findall(r"/opt/(\w+)/bin/pip install --no-cache-dir (.*?)(?: &&| ;;|$)", rest):
            assert word == "RUN"
            constraint, path, *wanted = shlex.split(asked)
            assert (constraint, path) == ("--constraint", "requirements.lock")
            for one in wanted:
                extras = re.fullmatch(r"\.\[(.+)]", one)
                assert extras or one.startswith("-") or f"\n{one}==" in locked
                names = set(extras[1].split(",")) if extras else set()
                assert names <= set(known) - {"torch", "demo", "dev"}
                # Weights are fetched in the other stage.
                assert place == "convert" or "hub" not in names


class Built(NamedTuple):
    """What was given to a build: a model, and weights that stand in for those that would be fetched."""

    service: str
    model: str
    write: Callable[[Path], Path] | None = None


def _clip(folder: Path) -> Path:
    return tiny_clip.write(folder, end=49407, activation="quick_gelu")


BUILT = {
    "img2vec": Built(running.IMG2VEC, running.BUILTIN),
    "clip": Built(running.CLIP, "openai/clip-vit-base-patch32", _clip),
    "imagebind": Built(running.BIND, "imagebind_huge", write_checkpoint),
    "bind-builtin": Built(running.BIND, running.CONSE),
}


def convert(built: Built, folder: Path) -> None:
    """What the build does once everything is installed; its ``/models`` is in the folder."""
    script = next(rest for word, rest in instructions(built.service) if word == "RUN" and "vecmod convert" in rest)
    script = script[script.index("mkdir /models") :].replace("/models", str(folder / "models"))
    script = script.replace("/opt/convert/bin/vecmod", f"{sys.executable} -m vecmod")
    source = str(built.write(folder / "source")) if built.write else ""
    given = {"MODEL_NAME": built.model, "VECMOD_MODEL_PATH": source, "VECMOD_ACCEPT_NONCOMMERCIAL": "0"}
    done = subprocess.run(["sh", "-c", script], env=running.environ(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def environment(built: Built, folder: Path) -> dict[str, str]:
    """What the image sets, with its places in the folder."""
    pairs = dict(one.split("=", 1) for one in shlex.split(the_last(built.service, "ENV")))
    filled = {name: string.Template(value).safe_substitute(MODEL_NAME=built.model) for name, value in pairs.items()}
    assert filled.pop("PATH") == "/opt/vecmod/bin:$PATH"
    assert filled["VECMOD_OFFLINE"] == "1"
    places = {"/models": str(folder / "models"), "/tmp/vecmod": str(folder / "cache")}  # noqa: S108 -- the image's own
    for name, value in filled.items():
        for there, here in places.items():
            filled[name] = filled[name].replace(there, here) if value.startswith(there) else filled[name]
    return filled


@pytest.mark.parametrize("name", BUILT)
def test_what_was_converted_is_served_and_found_healthy(name: str, tmp_path: Path) -> None:
    built = BUILT[name]
    convert(built, tmp_path)
    given = environment(built, tmp_path)
    given["VECMOD_HOST"] = "127.0.0.1"
    given["PATH"] = f"{HERE}:/usr/bin:/bin"
    port = running.free_port()
    healthy = the_last(built.service, "HEALTHCHECK").partition("CMD ")[2].replace("8080", str(port))
    check = [sys.executable, *json.loads(healthy)[1:]]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 1
    with running.command(json.loads(the_last(built.service, "CMD")), port, given) as (service, process):
        assert service("GET", "/meta").json()["service"] == built.service
        assert subprocess.run(check, check=False).returncode == 0
        # The command is the process itself, not a shell that keeps signals from it.
        others = psutil.Process(process.pid).children()
        for other in others:
            other.kill()
        assert others == []
        process.terminate()
        assert process.wait(30) == 0


def test_the_image_with_packages_serves_what_is_mounted(tmp_path: Path) -> None:
    """As docker-compose.yml starts it: with ImageBind's weights, which it converts itself."""
    compose = (ROOT / "docker-compose.yml").read_text()
    variables = set(re.findall(r"^ {6}(\w+): ", compose[compose.index("  multi2vec-bind:") :], re.MULTILINE))
    mounted = {
        "MODEL_NAME": "imagebind_huge",
        "VECMOD_MODEL_PATH": str(write_checkpoint(tmp_path)),
        "VECMOD_OFFLINE": "0",
        "VECMOD_CACHE_DIR": str(tmp_path / "volume"),
    }
    assert set(mounted) <= variables
    port = running.free_port()
    given = {**environment(BUILT["bind-builtin"], tmp_path), "VECMOD_HOST": "127.0.0.1", **mounted}
    given["PATH"] = f"{HERE}:/usr/bin:/bin"
    with running.command(json.loads(the_last(running.BIND, "CMD")), port, given) as (service, _):
        assert service("GET", "/meta").json()["model"] == "ImageBindModel"
    assert len(list((tmp_path / "volume/graphs").glob("*.onnx"))) == 6


def test_compose_names_what_there_is() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"VECMOD_\w+", text)) <= OUR_VARIABLES
    assert {ROOT / path for path in re.findall(r"dockerfile: (\S+)", text)} <= set(FILES.values())
    ports = re.findall(r"127\.0\.0\.1:(\d+):\d+", text)
    assert len(ports) == len(set(ports))
    used = re.findall(r'volumes: \["([\w-]+):/', text)
    assert set(used) == set(re.findall(r"^  ([\w-]+):$", text[text.index("\nvolumes:") :], re.MULTILINE))
    # What belongs to the image's user there.
    assert any(rest.endswith("/var/cache/vecmod") for _, rest in instructions(running.BIND))
    assert "bind-weights:/var/cache/vecmod" in text


def test_without_consent_the_build_stops(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"To have them fetched from .* set VECMOD_ACCEPT_NONCOMMERCIAL=1"):
        convert(Built(running.BIND, "imagebind_huge"), tmp_path)


@pytest.mark.parametrize("service", FILES)
def test_nobody_is_root_there(service: str) -> None:
    words = instructions(service)
    assert ("USER", "vecmod") in words
    assert any(word == "RUN" and rest.startswith("useradd --uid 1000 ") for word, rest in words)
    assert words.index(("USER", "vecmod")) > max(number for number, (word, _) in enumerate(words) if word == "COPY")
