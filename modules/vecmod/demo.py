"""The demo: what ``vecmod serve``, ``insert`` and ``search`` do, on the sample photos, in one go."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from vecmod.host.catalog import IMG2VEC_NEURAL, MULTI2VEC_CLIP, KnownModule
from vecmod.host.client import ServiceClient
from vecmod.host.collection import Collection
from vecmod.host.folder import MediaFolder
from vecmod.host.host_errors import ServiceUnreachable
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.store import Hit

_START_SECONDS = 120
_STOP_SECONDS = 20
_DISTANCE = 0.5


class _Part(NamedTuple):
    """A class file, the module that vectorises it, the model and (if it is free) the port of its service."""

    class_file: str
    module: KnownModule
    model: str
    port: int


_BY_PICTURE = _Part("photo.class.json", IMG2VEC_NEURAL, "builtin/efficientnet-lite0", 8080)
_BY_WORDS = _Part("photo-in-words.class.json", MULTI2VEC_CLIP, "builtin/conse-en", 8081)
_PARTS = (_BY_PICTURE, _BY_WORDS)


def run_demo(console: Console, folder: Path, *, stay: bool) -> int:
    """Run the demo; its exit code: 0 if every query found its photo first.

    Args:
        console: where it prints.
        folder: keeps database and log; made if it is missing.
        stay: keep the service running until Ctrl-C.

    Raises:
        HostError: if a step fails.
    """
    for name in {"SIGTERM", "SIGHUP"} & {ending.name for ending in signal.Signals}:
        # By default these end the process on the spot, and the services would live on without it.
        signal.signal(signal.Signals[name], lambda number, _: sys.exit(128 + number))
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "photos.db"
    with as_file(files("vecmod.samples")) as samples, ExitStack() as running:
        services = [running.enter_context(_service(part, folder)) for part in _PARTS]
        for service in services:
            _wait_until_ready(service)
            console.print(f"{service.part.module.name} serves {service.part.model} at {service.origin}")
        origins = [service.origin for service in services]
        missed = _ask_all(console, samples, store, origins)
        if stay:
            _say_how_to_go_on(console, samples, store, origins)
            _wait(services)
    return 1 if missed else 0


def _ask_all(console: Console, samples: Path, store: Path, origins: list[str]) -> list[str]:
    """Insert the samples and ask every query; names of the queries that missed."""
    variables = {part.module.origin_variable: origin for part, origin in zip(_PARTS, origins, strict=True)}
    enabled = ",".join(part.module.name for part in _PARTS)
    settings = HostSettings.read({"ENABLE_MODULES": enabled, "VECMOD_STORE": str(store), **variables})
    with ModuleHost(settings) as host:
        photos = _insert(console, host, samples, _BY_PICTURE)
        table, missed = _query_table(photos, samples / "queries")
        console.print(table)
        _show_limits(console, photos, samples)
        photos = _insert(console, host, samples, _BY_WORDS)
        table, missed_words = _text_table(photos, json.loads((samples / "questions.json").read_text("utf-8")))
        console.print(table)
        missed += missed_words
    if missed:
        console.print(f"[bold red]missed their photo:[/] {', '.join(missed)}")
    return missed


def _query_table(photos: Collection, queries: Path) -> tuple[Table, list[str]]:
    table = Table("query", "nearest photo", "distance", "second", "distance", title="near_image")
    missed = []
    for query in sorted(queries.iterdir()):
        first, second = photos.near_image(query, limit=2)
        # A query is named after its photo: cat-crop.png was made from cat.jpg.
        found = Path(first.properties["path"]).stem == query.stem.partition("-")[0]
        missed += [] if found else [query.name]
        table.add_row(query.name, *_cells(first), *_cells(second), style="" if found else "red")
    return table, missed


def _insert(console: Console, host: ModuleHost, samples: Path, part: _Part) -> Collection:
    photos = host.create_class(json.loads((samples / part.class_file).read_text("utf-8")))
    report = photos.insert_many(MediaFolder(photos.config, samples / "photos").objects())
    console.print(f"{photos.config.name}: {report.stored} photos stored, {report.unchanged} were there unchanged\n")
    return photos


def _text_table(photos: Collection, questions: dict[str, str]) -> tuple[Table, list[str]]:
    table = Table("words", "nearest photo", "distance", "second", "distance", title="near_text")
    missed = []
    for words, photo in questions.items():
        first, second = photos.near_text(words, limit=2)
        found = first.properties["path"] == photo
        missed += [] if found else [words]
        table.add_row(words, *_cells(first), *_cells(second), style="" if found else "red")
    return table, missed


def _cells(hit: Hit) -> tuple[str, str]:
    return hit.properties["path"], f"{hit.distance:.4f}"


def _show_limits(console: Console, photos: Collection, samples: Path) -> None:
    query = samples / "queries" / "coffee-small.jpg"
    near = photos.near_image(query, limit=photos.count(), distance=_DISTANCE)
    console.print(f"within distance {_DISTANCE} of {query.name}: {len(near)} of {photos.count()} photos")
    likes = photos.near_object(near[0].id, limit=3)
    console.print(f"near_object {near[0].properties['path']}: {', '.join(hit.properties['path'] for hit in likes)}\n")


class _Service(NamedTuple):
    part: _Part
    origin: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def _service(part: _Part, folder: Path) -> Iterator[_Service]:
    """A service in a process of its own, starting; stopped at the end of the block."""
    port, log = _free_port(part.port), folder / f"{part.module.name}.log"
    command = [sys.executable, "-m", "vecmod", "serve", part.module.name, "--model", part.model, "--port", str(port)]
    with log.open("wb") as output:
        # A group of its own: Ctrl-C is for the demo, which then stops the service in good order.
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)  # noqa: S603
    try:
        yield _Service(part, f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(service: _Service) -> None:
    client = ServiceClient(service.part.module, service.origin, timeout=0)
    deadline = time.monotonic() + _START_SECONDS
    while reason := client.is_ready():
        if service.process.poll() is not None:
            raise ServiceUnreachable(f"the service stopped at once: {service.log.read_text('utf-8')[-2000:]}")
        if time.monotonic() > deadline:
            raise ServiceUnreachable(
                f"{service.part.module.name} was not ready within {_START_SECONDS} s ({reason}); see {service.log}"
            )
        time.sleep(0.1)
    client.close()


def _free_port(usual: int) -> int:
    """The usual port if it is free, else any."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceUnreachable("this machine has no free port on 127.0.0.1")


def _say_how_to_go_on(console: Console, samples: Path, store: Path, origins: list[str]) -> None:
    by_picture, by_words = (f"--store {store} --service {origin}" for origin in origins)
    console.print(
        "The services go on. In another terminal:\n"
        f"  {sys.argv[0]} insert YOUR-FOLDER --class-file {samples / _BY_WORDS.class_file} {by_words}\n"
        f"  {sys.argv[0]} search --class PhotoInWords --text 'YOUR WORDS' {by_words}\n"
        f"  {sys.argv[0]} search --class Photo --image YOUR-PICTURE {by_picture}\n"
        f"The routes are described at {' and '.join(f'{origin}/docs' for origin in origins)}\n"
        "Ctrl-C here stops them; nothing else is left running.",
        soft_wrap=True,
        highlight=False,
    )


def _wait(services: list[_Service]) -> None:
    try:
        while all(service.process.poll() is None for service in services):
            time.sleep(0.2)
    except KeyboardInterrupt:
        return
