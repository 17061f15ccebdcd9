"""The demo: what ``vecmod serve``, ``insert`` and ``search`` do, on the sample photos, in one go."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vecmod.host.catalog import IMG2VEC_NEURAL
from vecmod.host.client import ServiceClient
from vecmod.host.collection import Collection
from vecmod.host.folder import objects_of, picture_files
from vecmod.host.host_errors import ServiceUnreachable
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.store import Hit

_MODEL = "builtin/efficientnet-lite0"
_PORT = 8080
_START_SECONDS = 120
_STOP_SECONDS = 20
_DISTANCE = 0.5


def run_demo(console: Console, folder: Path, *, stay: bool) -> int:
    """Run the demo; its exit code: 0 if every query found its photo first.

    Args:
        console: where it prints.
        folder: keeps database and log; made if it is missing.
        stay: keep the service running until Ctrl-C.

    Raises:
        HostError: if a step fails.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        # By default these end the process on the spot, and the service would live on without it.
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "photos.db"
    with as_file(files("vecmod.samples")) as samples, _service(folder / "service.log") as (origin, process):
        console.print(f"img2vec-neural serves {_MODEL} at {origin}")
        missed = _ask_all(console, samples, store, origin)
        if stay:
            _say_how_to_go_on(console, samples, store, origin)
            _wait(process)
    return 1 if missed else 0


def _ask_all(console: Console, samples: Path, store: Path, origin: str) -> list[str]:
    """Insert the samples and ask every query; names of the queries that missed."""
    settings = HostSettings.read(
        {"ENABLE_MODULES": IMG2VEC_NEURAL.name, IMG2VEC_NEURAL.origin_variable: origin, "VECMOD_STORE": str(store)}
    )
    with ModuleHost(settings) as host:
        photos = host.create_class(json.loads((samples / "photo.class.json").read_text("utf-8")))
        report = photos.insert_many(objects_of(photos.config, samples / "photos", picture_files(samples / "photos")))
        console.print(f"{report.stored} photos stored in {store}, {report.unchanged} were there unchanged\n")
        table, missed = _query_table(photos, samples / "queries")
        console.print(table)
        _show_limits(console, photos, samples)
    if missed:
        console.print(f"[bold red]missed their photo:[/] {', '.join(missed)}")
    return missed


def _query_table(photos: Collection, queries: Path) -> tuple[Table, list[str]]:
    table = Table("query", "nearest photo", "distance", "second", "distance", title="near_image")
    missed = []
    for query in picture_files(queries):
        first, second = photos.near_image(query, limit=2)
        # A query is named after its photo: cat-crop.png was made from cat.jpg.
        found = Path(first.properties["path"]).stem == query.stem.partition("-")[0]
        missed += [] if found else [query.name]
        table.add_row(query.name, *_cells(first), *_cells(second), style="" if found else "red")
    return table, missed


def _cells(hit: Hit) -> tuple[str, str]:
    return hit.properties["path"], f"{hit.distance:.4f}"


def _show_limits(console: Console, photos: Collection, samples: Path) -> None:
    query = samples / "queries" / "coffee-small.jpg"
    near = photos.near_image(query, limit=photos.count(), distance=_DISTANCE)
    console.print(f"within distance {_DISTANCE} of {query.name}: {len(near)} of {photos.count()} photos")
    likes = photos.near_object(near[0].id, limit=3)
    console.print(f"near_object {near[0].properties['path']}: {', '.join(hit.properties['path'] for hit in likes)}\n")


@contextmanager
def _service(log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A service in a process of its own, ready; stopped at the end of the block."""
    port = _free_port()
    origin = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "vecmod", "serve", IMG2VEC_NEURAL.name, "--model", _MODEL, "--port", str(port)]
    with log.open("wb") as output:
        # A group of its own: Ctrl-C is for the demo, which then stops the service in good order.
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)  # noqa: S603
    try:
        _wait_until_ready(process, origin, log)
        yield origin, process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], origin: str, log: Path) -> None:
    client = ServiceClient(IMG2VEC_NEURAL, origin, timeout=0)
    deadline = time.monotonic() + _START_SECONDS
    while reason := client.is_ready():
        if process.poll() is not None:
            raise ServiceUnreachable(f"the service stopped at once: {log.read_text('utf-8')[-2000:]}")
        if time.monotonic() > deadline:
            raise ServiceUnreachable(f"the service was not ready within {_START_SECONDS} s ({reason}); see {log}")
        time.sleep(0.1)
    client.close()


def _free_port() -> int:
    """The usual port if it is free, else any."""
    for port in (_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceUnreachable("this machine has no free port on 127.0.0.1")


def _say_how_to_go_on(console: Console, samples: Path, store: Path, origin: str) -> None:
    options = f"--store {store} --service {origin}"
    console.print(
        "The service goes on. In another terminal:\n"
        f"  {sys.argv[0]} insert YOUR-FOLDER --class-file {samples / 'photo.class.json'} {options}\n"
        f"  {sys.argv[0]} search --image YOUR-PICTURE {options}\n"
        f"The routes are described at {origin}/docs\n"
        "Ctrl-C here stops it; nothing else is left running.",
        soft_wrap=True,
        highlight=False,
    )


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait()
    except KeyboardInterrupt:
        return
