"""Commands that docs/ and the services' READMEs tell operators: no engine runs them, but what they name is there."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

import dockerfiles
from test_kubernetes import kustomize

ROOT = dockerfiles.ROOT
DOCS = [
    *ROOT.glob("docs/*.md"),
    ROOT / "README.md",
    *(path.parent / "README.md" for path in dockerfiles.SERVICES.values()),
]
SHOWN = "\n".join(path.read_text().replace("\\\n", " ") for path in DOCS)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def commands(start: str) -> list[list[str]]:
    found = re.findall(rf"^{start} .*", SHOWN, re.MULTILINE)
    return [shlex.split(one, comments=True)[len(start.split()) :] for one in found]


def after(words: list[str], option: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == option]


def test_what_is_built() -> None:
    asked = commands("docker build")
    assert len(asked) > 8
    for words in asked:
        (path,) = (ROOT / one for one in after(words, "-f"))
        args = {one.partition("=")[0] for one in after(words, "--build-arg")}
        assert args <= dockerfiles.build_args(path)
        assert all(dockerfiles.stage(path, one).steps for one in after(words, "--target"))
        assert words[-1] == "."


def test_what_is_run_was_built() -> None:
    names = {name for words in commands("docker build") for name in after(words, "-t")}
    for words in commands("docker run"):
        assert names & set(words), words
        for volume in after(words, "-v"):
            assert volume.split(":")[1] == "/models"


def test_what_is_composed() -> None:
    asked = commands("docker compose")
    profiles = {name for one in COMPOSE.values() for name in one.get("profiles", [])}
    assert {name for words in asked for name in after(words, "--profile")} == profiles
    assert all((ROOT / one).is_file() for words in asked for one in after(words, "-f"))


def test_ports_are_those_of_compose() -> None:
    text = (ROOT / "docs/containers.md").read_text()
    told = re.findall(r"(?:(\S+) )?on (?:http://127\.0\.0\.1:|port )(\d+)", text)
    assert len(told) == 9
    published = {port.split(":")[1] for one in COMPOSE.values() for port in one.get("ports", [])}
    assert {port for _, port in told} < published
    for service, port in re.findall(r"(80\d\d) \(`([\w-]+)`\)", text):
        assert f"127.0.0.1:{service}:8080" in COMPOSE[port]["ports"]


def test_what_is_applied(tmp_path: Path) -> None:
    """The overlays that are named, and the one that is shown."""
    for words in commands("kubectl apply"):
        (place,) = after(words, "-k")
        assert (ROOT / place / "kustomization.yaml").is_file()
    overlay, policy = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/kubernetes.md").read_text(), re.DOTALL)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "policy.yaml").write_text(policy)
    (tmp_path / "kustomization.yaml").write_text(overlay.replace("resources:", "resources:\n  - policy.yaml"))
    built = kustomize(tmp_path)
    names = {one["metadata"]["name"] for one in built if one["kind"] == "Deployment"}
    assert names == dockerfiles.SERVICES.keys() - {"multi2vec-bind"}
    images = {one["spec"]["template"]["spec"]["containers"][0]["image"] for one in built if one["kind"] == "Deployment"}
    assert all(image.startswith("images.example.com/") for image in images)
    version = re.search(r"`vecmod/<service>:([\d.]+)`", SHOWN)
    assert version
    assert any(image.endswith(f":{version[1]}") for image in images)
    assert "multi2vec-bind" not in {one["metadata"]["name"] for one in built}


@pytest.mark.parametrize("option", ["BAKE", "STORES", "PYTHON", "VERSION", "REVISION"])
def test_build_arguments_are_told(option: str) -> None:
    assert f"`{option}`" in (ROOT / "docs/containers.md").read_text()
    assert any(option in dockerfiles.build_args(path) for path in dockerfiles.ALL.values())


def test_the_explorer_has_the_stores_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    args, _ = dockerfiles.variables(dockerfiles.EXPLORE, "build", {})
    assert set(args["STORES"].split(",")) <= extras.keys()
