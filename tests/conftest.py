"""What many tests need: a cache for converted graphs, seeded weights, a running service, what stands in for TiDB."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import running
import seeded_resnet50
import stand_in_tidb
from embedding_clients import OFFLINE, copy_token_table
from typesense_server import TypesenseServer

os.environ.update(OFFLINE)
pytest_plugins = ["explore_fixtures", "page_explorer"]


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
def tidb_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stand_in_tidb.StandIn]:
    with stand_in_tidb.running(tmp_path_factory.mktemp("tidb") / "kept.sqlite") as server:
        yield server


@pytest.fixture(params=["stand-in", "server"])
def tidb_url(request: pytest.FixtureRequest) -> str:
    """Of the stand-in, and of a real server if there is one."""
    if request.param == "stand-in":
        return str(request.getfixturevalue("tidb_stand_in").url)
    if not os.environ.get("TIDB_URL"):
        pytest.skip("TIDB_URL is not set: not run on a real TiDB")
    return os.environ["TIDB_URL"]


@pytest.fixture(scope="session")
def token_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Caller]:
    """multi2vec-clip with the built-in model that can read token ids, and takes URL strings for pictures."""
    folder = tmp_path_factory.mktemp("tokens")
    copy_token_table(folder)
    with running.in_thread(running.clip(folder, VECMOD_URL_STRINGS="1")) as caller:
        yield caller


@pytest.fixture(scope="session")
def example_installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with the example of a module on it, installed from a copy, for it builds where the source is."""
    folder = tmp_path_factory.mktemp("example")
    source = Path(__file__).parents[1] / "examples/vecmod-module-example"
    shutil.copytree(source, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", *options]
    subprocess.run([*pip, "--target", folder / "site", folder / "source"], check=True, timeout=120)
    return os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH"))))


@pytest.fixture(scope="module")
def closed_litellm() -> Iterator[None]:
    """Closes what litellm would keep open until the process ends: a client for each address, and an event loop."""
    import litellm  # noqa: PLC0415 -- takes seconds

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    clients = litellm.in_memory_llm_clients_cache.cache_dict
    for client in clients.values():
        left = client.close()
        if asyncio.iscoroutine(left):
            loop.run_until_complete(left)
    clients.clear()
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="session")
def typesense(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypesenseServer]:
    """A real Typesense server, shared: tests clear away what they make."""
    server = TypesenseServer(tmp_path_factory.mktemp("typesense"))
    server.start()
    yield server
    server.kill()
