"""Every command that the docs show is run as it stands, or it is said here why not, and what is looked at instead."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import typer
import yaml
from safetensors.torch import load_file

import dockerfiles
import running
import tiny_clip
import tiny_hub
import tiny_open_clip
from file_server import answer, serving
from pictures import SAMPLES, b64, photo
from readme_tables import ROOT
from shell_blocks import blocks, run, runnable
from vecmod.cli import app
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost

# multi2vec-bind's README is test_bind_readme's.
DOCS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*2vec-*/README.md")]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(DOCS)}
BIND = "multi2vec-bind/README.md"
OPERATORS = "no engine and no cluster here; tests/test_operators_docs.py holds what they name against what there is"
# Lines that are not run here, by their beginnings, and why not.
NOT_RUN = {
    "make ": "it is .ci/run that runs check, test and demo",
    "source .venv": "the tests run in it",
    "pip install": "the tests' own environment has it all; tests/host/test_module_packages.py installs the example",
    "docker": OPERATORS,
    "kubectl": OPERATORS,
    "vecmod serve img2vec-neural                ": "weights pinned by checksum; tests/families/test_resnet50.py",
}


class Scene(NamedTuple):
    """Where commands are run: a folder, which is home, and variables to add to."""

    folder: Path
    variables: dict[str, object]
    request: pytest.FixtureRequest


def plainly(_: Scene, script: str) -> str:
    return script


def with_pages_read(_: Scene, script: str) -> str:
    """What the explorer shows, once it is there."""
    return re.sub(
        r"^(ready 8765.*)", r"\1\ncurl -sf http://127.0.0.1:8765/api/status; echo", script, flags=re.MULTILINE
    )


def by_url(scene: Scene, script: str) -> str:
    """The host is one of this machine."""
    server = scene.request.getfixturevalue("files")
    url = server.url("/cat.jpg", answer(photo("cat")))
    scene.variables["MODEL_NAME"] = running.BUILTIN
    script = script.replace("'images.example.com,*.example.org'", server.authority)
    return script.replace("https://images.example.com/cat.jpg", url)


def meanwhile(scene: Scene, script: str) -> str:
    """An old service that is asked through the recorder, as a database would."""
    scene.variables["MODEL_NAME"] = running.BUILTIN
    (scene.folder / "request.json").write_text(json.dumps({"id": "1", "image": b64(photo("cat"))}))
    ask = "curl -sf http://127.0.0.1:8090/vectors -d @request.json -o answer.json; leave 8090"
    return (
        runnable("vecmod serve img2vec-neural", ())
        + "\n"
        + re.sub(r"^(ready 8090.*)", rf"\1\n{ask}", script, flags=re.MULTILINE)
    )


def resnet(scene: Scene, script: str) -> str:
    """Weights of that shape, made from a recipe."""
    seeded = scene.request.getfixturevalue("seeded_weights")
    torch.save(load_file(seeded), scene.folder / "resnet50-0676ba61.pth")
    scene.variables["MODEL_NAME"] = "resnet50"
    return script


def from_the_hub(scene: Scene, script: str) -> str:
    """A hub with small models under these names; and one of them in a folder."""
    hub = scene.request.getfixturevalue("hub")
    shutil.copytree(hub.root / "openai/clip-vit-base-patch32", scene.folder / "models/clip-vit-base-patch32")
    scene.variables.update(HF_ENDPOINT=hub.url, VECMOD_OFFLINE=0)
    return script.replace("=/models/", f"={scene.folder}/models/")


def with_the_example(scene: Scene, script: str) -> str:
    """The package of the example, and its service at the port that the commands name."""
    scene.variables["PYTHONPATH"] = scene.request.getfixturevalue("example_installed")
    return script


class Shown(NamedTuple):
    """A block of commands: what is changed before it is run, and words that it prints."""

    prepare: Callable[[Scene, str], str]
    prints: tuple[str, ...] = ()


# Of each document the blocks that are run, in their order.
SHOWN = {
    "README.md": [
        Shown(plainly, ("16 stored", "coffee.jpg")),
        Shown(with_pages_read, ('"collections"',)),
        Shown(plainly, ("16 stored", "cat.jpg")),
        Shown(plainly, ("4 stored", "cat.mp4")),
    ],
    "CONTRIBUTING.md": [Shown(with_the_example, ("16 stored", "rocket.jpg"))],
    "docs/explore.md": [Shown(with_pages_read, ('"collections"',))],
    "docs/replay.md": [Shown(meanwhile, ("1 requests recorded in requests.jsonl", "safe: 1 items reach 0.9999"))],
    "docs/urls.md": [Shown(by_url, ('"dim":1280',))],
    "img2vec-neural/README.md": [
        Shown(plainly, ('"dim":1280',)),
        Shown(resnet, ("serve it with VECMOD_MODEL_PATH=resnet50.onnx",)),
    ],
    "multi2vec-clip/README.md": [
        Shown(plainly, ('"textVectors":[[',)),
        Shown(from_the_hub),
        Shown(from_the_hub, ("serve it with VECMOD_MODEL_PATH=clip-b32",)),
        Shown(from_the_hub),
    ],
}


def scripts(doc: str) -> list[str]:
    """The blocks of which something is run."""
    made = [runnable(code, NOT_RUN) for code in blocks(TEXTS[doc])]
    return [script for script in made if script.strip()]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tiny_hub.Hub]:
    root = tmp_path_factory.mktemp("hub")
    tiny_clip.write(root / "openai/clip-vit-base-patch32", end=49407, activation="quick_gelu")
    tiny_open_clip.write(root / "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", quick=False)
    with tiny_hub.serve(root) as served:
        yield served


@pytest.fixture
def files() -> Iterator[object]:
    with serving() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A clone's folder, in which somebody has pictures, films and what the commands name."""
    for name in ("modules", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(SAMPLES / "photos", tmp_path / "Pictures")
    shutil.copytree(SAMPLES / "films", tmp_path / "Videos")
    shutil.copy(SAMPLES / "queries/coffee-small.jpg", tmp_path / "query.jpg")
    shutil.copy(SAMPLES / "films/cat.mp4", tmp_path / "clip.mp4")
    (tmp_path / "cat.jpg").write_bytes(photo("cat"))
    return tmp_path


@pytest.mark.parametrize(("doc", "number"), [(doc, at) for doc, all_of in SHOWN.items() for at in range(len(all_of))])
def test_commands(doc: str, number: int, home: Path, cache: Path, request: pytest.FixtureRequest) -> None:
    shown = SHOWN[doc][number]
    scene = Scene(home, {"VECMOD_CACHE_DIR": cache, "MODEL_NAME": ""}, request)
    script = shown.prepare(scene, scripts(doc)[number])
    done = run(script, home, scene.variables)
    assert done.returncode == 0, done.stderr
    assert '"error"' not in done.stdout.replace('"error": ""', "")
    for words in shown.prints:
        assert words in done.stdout, done.stdout + done.stderr


def test_every_block_is_run_or_said_why_not() -> None:
    assert {doc: len(scripts(doc)) for doc in TEXTS if doc != BIND and scripts(doc)} == {
        doc: len(all_of) for doc, all_of in SHOWN.items()
    }


@pytest.mark.parametrize("beginning", NOT_RUN)
def test_what_is_not_run_is_there(beginning: str) -> None:
    lines = [line for text in TEXTS.values() for code in blocks(text) for line in code.splitlines()]
    assert any(line.startswith(beginning) for line in lines)


def test_every_block_is_of_a_kind_that_is_looked_at() -> None:
    """Python: test_docs and test_bind_readme; yaml: test_operators_docs; text: what the others print, and drawings."""
    found = {
        (doc, kind)
        for doc, text in TEXTS.items()
        for kind in re.findall(r"^```(\w*)\n(?:.*?\n)?```", text, re.MULTILINE | re.DOTALL)
    }
    kinds = {kind for _, kind in found}
    assert kinds <= {"bash", "python", "json", "yaml", "diff", "text"}
    assert {doc for doc, kind in found if kind == "yaml"} == {"docs/kubernetes.md"}


JSON = [(doc, code) for doc, text in TEXTS.items() for code in blocks(text, "json")]


@pytest.mark.parametrize(("doc", "code"), JSON, ids=lambda one: one[:20])
def test_class_definitions(doc: str, code: str, services: dict[str, str]) -> None:
    definition = json.loads(code)
    with ModuleHost(HostSettings.read({**services, "VECMOD_STORE": "memory://"})) as host:
        assert host.create_class(definition).config.name == definition["class"]
    if doc == "README.md":
        assert definition == json.loads((SAMPLES / "photo.class.json").read_text())


@pytest.mark.parametrize("doc", [doc for doc, text in TEXTS.items() if blocks(text, "diff")])
def test_the_official_line_against_ours(doc: str) -> None:
    (diff,) = blocks(TEXTS[doc], "diff")
    ours = yaml.safe_load("\n".join(line[1:] for line in diff.splitlines() if not line.startswith("-")))
    theirs = yaml.safe_load("\n".join(line[1:] for line in diff.splitlines() if not line.startswith("+")))
    assert ours.keys() == theirs.keys()
    for one in ours.values():
        path = ROOT / one["build"]["dockerfile"]
        assert one["build"].get("args", {}).keys() <= dockerfiles.build_args(path)
    assert all(one["image"].startswith("semitechnologies/") for one in theirs.values())


INLINE = [
    (doc, " ".join(code.split()))
    for doc, text in TEXTS.items()
    for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
]


def test_files_that_are_named_are_there() -> None:
    """Of tests and benchmarks, whose figures stand beside the commands that make them."""
    named = {one for _, code in INLINE for one in re.findall(r"\btests/[\w/.-]*\w", code)}
    assert len(named) > 15
    assert [one for one in named if not (ROOT / one).exists()] == []
    targets = {one for _, code in INLINE for one in re.findall(r"^make ([a-z]+)", code)}
    assert targets <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_options_that_are_named_are_there() -> None:
    """`vecmod search --text`, whether it stands in a sentence or in a block."""
    commands = typer.main.get_group(app)
    told = [code for _, code in INLINE] + [
        line for text in TEXTS.values() for code in blocks(text) for line in code.splitlines()
    ]
    asked = [
        found for code in told for found in re.findall(r"^(?:\w+=\S+ )*(?:\S*/)?vecmod ([a-z]+)((?: [^#&|]*)?)", code)
    ]
    assert len(asked) > 40
    for name, rest in asked:
        assert name in commands.commands, name
        options = {one for parameter in commands.commands[name].params for one in parameter.opts}
        assert set(re.findall(r" (--[a-z-]+)", rest)) <= options, (name, rest)
    known = {one for command in commands.commands.values() for parameter in command.params for one in parameter.opts}
    alone = {found[1] for _, code in INLINE if (found := re.match(r"(--[a-z-]+)", code))}
    assert alone - {"--target", "--build-arg"} <= known


def test_extras_that_are_named_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {
        one for text in TEXTS.values() for found in re.findall(r"\[([a-z,]+)\]'", text) for one in found.split(",")
    }
    assert {"demo", "explore", "tidb"} <= named <= extras.keys()
