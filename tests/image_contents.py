"""What each image holds, and what it must not: resolved or installed by the commands of the Dockerfiles."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import dockerfiles
import running

VENV = "/opt/vecmod"
# Of what converts and trains, nothing is in an image that serves on CPUs.
FORBIDDEN = re.compile(
    r"torch.*|nvidia-.*|triton|transformers|sentence-transformers|open[-_]clip.*|optimum|onnx|onnxscript"
)
# Of the base image: Debian 12 has glibc 2.36; wheels for older ones do.
PYTHON = "3.11"
GLIBCS = tuple(f"manylinux_2_{minor}" for minor in range(17, 37))
_INSTALL = re.compile(r"pip --python \S+ install ")


@dataclass(frozen=True)
class Image:
    """An image as built with some arguments.

    Attributes:
        path: its Dockerfile.
        args: build arguments.
        allowed: what of FORBIDDEN it holds nevertheless.
        stage: where what it runs is installed.
    """

    path: Path
    args: Mapping[str, str] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()
    stage: str = "build"

    def scripts(self) -> list[str]:
        """The commands that install, with the build arguments filled in."""
        args, _ = dockerfiles.variables(self.path, self.stage, self.args)
        return [
            dockerfiles.fill(script, {**args, "PATH": "$PATH"}) for script in dockerfiles.scripts(self.path, self.stage)
        ]


# The built-in model for words comes in packages, which are converted to graphs when the service starts.
_CONVERTS = frozenset({"onnx"})
IMAGES = {
    "img2vec-neural": Image(dockerfiles.IMG2VEC),
    "multi2vec-clip": Image(dockerfiles.CLIP),
    "multi2vec-clip, built-in model": Image(dockerfiles.CLIP, {"MODEL_NAME": running.CONSE}, _CONVERTS),
    "multi2vec-bind": Image(dockerfiles.BIND),
    "multi2vec-bind, built-in model": Image(dockerfiles.BIND, {"MODEL_NAME": running.CONSE}, _CONVERTS),
    "explore": Image(dockerfiles.EXPLORE),
    "explore, Typesense alone": Image(dockerfiles.EXPLORE, {"STORES": "typesense"}),
}
GPU = {name: Image(path, stage="build-gpu") for name, path in dockerfiles.SERVICES.items()}


def normal(name: str) -> str:
    """A package's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def forbidden(image: Image, packages: Mapping[str, str]) -> list[str]:
    """Of these packages, those that have no place in the image."""
    return sorted(name for name in packages if FORBIDDEN.fullmatch(normal(name)) and name not in image.allowed)


def resolve(image: Image, context: Path) -> dict[str, str]:
    """Packages and versions that an image would hold; nothing is installed. ``context`` is what reaches its build."""
    found: dict[str, str] = {}
    for arguments in _installs(image):
        found |= {name: version for name, version, _ in _dry_run(tuple(arguments), context)}
    return found


def wheels(packages: Mapping[str, str], machine: str) -> list[str]:
    """The wheels of packages for a machine, in Debian's C library and this Python; fails if one has none."""
    system = [f"--platform={tag}_{machine}" for tag in ("manylinux2014", *GLIBCS)]
    abis = [f"--abi={tag}" for tag in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
    kind = ["--no-deps", "--only-binary=:all:", "--target=nowhere", f"--python-version={PYTHON}", "--implementation=cp"]
    pins = [f"{name}=={version}" for name, version in packages.items()]
    return [file for _, _, file in _dry_run((*kind, *abis, *system, *pins), dockerfiles.ROOT)]


@cache
def _dry_run(arguments: tuple[str, ...], here: Path) -> list[tuple[str, str, str]]:
    """Name, version and file of what pip would install."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    done = subprocess.run([*pip, *arguments], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [
        (one["metadata"]["name"], one["metadata"]["version"], one["download_info"]["url"].rpartition("/")[2])
        for one in json.loads(done.stdout)["install"]
    ]


def _installs(image: Image) -> list[list[str]]:
    """What follows ``pip install``, of each command that is run for these arguments."""
    found = []
    for script in image.scripts():
        recorded = _INSTALL.sub("echo ", script).replace("python -m venv", ":")
        done = subprocess.run(["sh", "-c", recorded], capture_output=True, text=True, check=True)
        found += [shlex.split(line) for line in done.stdout.splitlines()]
    return found


def install(image: Image, context: Path, venv: Path) -> dict[str, str]:
    """Run the commands that install, into another place; packages and versions that are there now."""
    for script in image.scripts():
        there = script.replace(VENV, str(venv)).replace("python -m venv", f"{sys.executable} -m venv")
        there = there.replace("pip --python", f"{sys.executable} -m pip --quiet --quiet --python")
        subprocess.run(["sh", "-ec", there], cwd=context, check=True)
    (place,) = venv.glob("lib/python3*/site-packages")
    names = (path.name.removesuffix(".dist-info") for path in place.glob("*.dist-info"))
    return {name.partition("-")[0]: name.partition("-")[2] for name in names}
