"""What many tests need: a cache for converted graphs, seeded weights, a running service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import running
import seeded_resnet50
from typesense_server import TypesenseServer


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def seeded_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seeded_resnet50.write(tmp_path_factory.mktemp("weights") / "seeded.safetensors")


@pytest.fixture(scope="session")
def service(cache: Path) -> Iterator[running.Caller]:
    """img2vec-neural with the built-in model."""
    with running.in_thread(running.img2vec(cache)) as caller:
        yield caller


@pytest.fixture(scope="session")
def clip_service(cache: Path) -> Iterator[running.Caller]:
    """multi2vec-clip with the built-in model."""
    with running.in_thread(running.clip(cache)) as caller:
        yield caller


@pytest.fixture(scope="session")
def typesense(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypesenseServer]:
    """A real Typesense server, shared: tests clear away what they make."""
    server = TypesenseServer(tmp_path_factory.mktemp("typesense"))
    server.start()
    yield server
    server.kill()
