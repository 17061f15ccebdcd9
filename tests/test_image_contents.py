"""What the images would hold, by resolving what their Dockerfiles install; `make sizes` installs and weighs it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import dockerfiles
from image_contents import GPU, IMAGES, forbidden, resolve, wheels


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dockerfiles.copy_context(tmp_path_factory.mktemp("context"))


@pytest.fixture(scope="module")
def contents(context: Path) -> Callable[[str], dict[str, str]]:
    """Of an image, by its name; resolved once."""
    return cache(lambda name: resolve(IMAGES[name], context))


@pytest.mark.parametrize("name", IMAGES)
def test_no_image_for_cpus_holds_torch_or_what_converts(name: str, contents: Callable[[str], dict[str, str]]) -> None:
    packages = contents(name)
    assert "vecmod" in packages
    assert forbidden(IMAGES[name], packages) == []
    assert {"onnxruntime", "starlette"} & packages.keys()
    assert IMAGES[name].allowed <= packages.keys()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_all_that_images_hold_has_wheels(machine: str, contents: Callable[[str], dict[str, str]]) -> None:
    """Nothing is compiled, and nothing is missing, on both kinds of machine."""
    packages = {name: version for image in IMAGES for name, version in contents(image).items()}
    del packages["vecmod"]
    found = wheels(packages, machine)
    assert len(found) == len(packages) > 40
    assert all(file.endswith(("-any.whl", f"{machine}.whl")) for file in found)


def test_the_image_for_gpus_does(context: Path) -> None:
    packages = resolve(GPU["img2vec-neural"], context)
    assert {"torch", "huggingface_hub"} <= packages.keys()
    assert "onnxruntime" not in packages
