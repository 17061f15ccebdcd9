"""The demo: what ``vecmod serve``, ``insert`` and ``search`` do, on the sample photos and films, in one go."""

import json
import os
import signal
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from vecmod.demo_services import DemoServices, Served
from vecmod.explore.explore_settings import ExploreSettings
from vecmod.explore.explorer import explorer
from vecmod.host.catalog import IMG2VEC_NEURAL, MULTI2VEC_BIND, MULTI2VEC_CLIP
from vecmod.host.collection import Collection
from vecmod.host.folder import MediaFolder
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.store import Hit

_DISTANCE = 0.5
_WHAT_IS_LEFT = """
builtin/conse-en sees and reads: pictures, films, depth and thermal pictures, words. It embeds no sounds and no motion
sensors; ImageBind embeds all seven. Its weights (4.8 GB, fetched once) may not be used commercially:
  VECMOD_ACCEPT_NONCOMMERCIAL=1 vecmod serve multi2vec-bind --model imagebind_huge
"""


class _Part(NamedTuple):
    """The definition of a class, the folder with the samples that go into it, and the service that vectorises them."""

    class_file: str
    folder: str
    served: Served


_BY_PICTURE = _Part("photo.class.json", "photos", Served(IMG2VEC_NEURAL, "builtin/efficientnet-lite0", 8080))
_BY_WORDS = _Part("photo-in-words.class.json", "photos", Served(MULTI2VEC_CLIP, "builtin/conse-en", 8081))
_FILMS = _Part("film.class.json", "films", Served(MULTI2VEC_BIND, "builtin/conse-en", 8082))
_PARTS = (_BY_PICTURE, _BY_WORDS, _FILMS)


def run_demo(console: Console, folder: Path, *, stay: bool) -> int:
    """Run the demo; its exit code: 0 if every query found its photo or film first.

    Args:
        console: where it prints.
        folder: keeps database and logs; made if it is missing.
        stay: show it all in the browser until Ctrl-C.

    Raises:
        HostError: if a step fails.
    """
    for name in {"SIGTERM", "SIGHUP"} & {ending.name for ending in signal.Signals}:
        # By default these end the process on the spot, and the services would live on without it.
        signal.signal(signal.Signals[name], lambda number, _: sys.exit(128 + number))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        as_file(files("vecmod.samples")) as samples,
        DemoServices([part.served for part in _PARTS], folder) as services,
    ):
        variables = {served.module.origin_variable: origin for served, origin in services.origins.items()}
        enabled = ",".join(part.served.module.name for part in _PARTS)
        store = str(folder / "photos.db")
        settings = HostSettings.read({"ENABLE_MODULES": enabled, "VECMOD_STORE": store, **variables})
        services.start(_BY_PICTURE.served)
        services.start(_BY_WORDS.served)
        missed = _ask_all(console, samples, settings, services)
        if missed:
            console.print(f"[bold red]missed what they were made from:[/] {', '.join(missed)}")
        if stay:
            _explore(console, samples, folder, settings, services)
    return 1 if missed else 0


def _ask_all(console: Console, samples: Path, settings: HostSettings, services: DemoServices) -> list[str]:
    """Insert the samples and ask every query; names of the queries that missed."""
    with ModuleHost(settings) as host:
        _await(console, services, _BY_PICTURE)
        photos = _filled(console, host, samples, _BY_PICTURE)
        missed = _ask_by_picture(console, photos, samples / "queries")
        _show_limits(console, photos, samples)
        _await(console, services, _BY_WORDS)
        # Not before: it finds the graphs of the same model converted.
        services.start(_FILMS.served)
        photos = _filled(console, host, samples, _BY_WORDS)
        missed += _ask_in_words(console, photos, samples / "questions.json")
        _await(console, services, _FILMS)
        films = _filled(console, host, samples, _FILMS)
        missed += _ask_in_words(console, films, samples / "film-questions.json")
        missed += _ask_by_picture(console, films, samples / "queries")
        console.print(_WHAT_IS_LEFT, soft_wrap=True, highlight=False)
    return missed


def _await(console: Console, services: DemoServices, part: _Part) -> None:
    services.wait_until_ready(part.served)
    console.print(f"{part.served.module.name} serves {part.served.model} at {services.origins[part.served]}")


def _filled(console: Console, host: ModuleHost, samples: Path, part: _Part) -> Collection:
    collection = host.create_class(json.loads((samples / part.class_file).read_text("utf-8")))
    report = collection.insert_many(MediaFolder(collection.config, samples / part.folder).objects())
    console.print(
        f"{collection.config.name}: {report.stored} {part.folder} stored, {report.unchanged} were there unchanged\n"
    )
    return collection


def _ask_by_picture(console: Console, collection: Collection, queries: Path) -> list[str]:
    """A query is named after its photo, and a film is, too: cat-crop.png was made from cat.jpg."""
    expected = {query: query.stem.partition("-")[0] for query in sorted(queries.iterdir())}
    answers = [(query.name, stem, collection.near_image(query, limit=2)) for query, stem in expected.items()]
    return _tell(console, f"{collection.config.name}: near_image", answers)


def _ask_in_words(console: Console, collection: Collection, questions: Path) -> list[str]:
    expected = json.loads(questions.read_text("utf-8"))
    answers = [(words, Path(name).stem, collection.near_text(words, limit=2)) for words, name in expected.items()]
    return _tell(console, f"{collection.config.name}: near_text", answers)


def _tell(console: Console, title: str, answers: list[tuple[str, str, list[Hit]]]) -> list[str]:
    """Print queries with their two nearest hits; those whose first one is not called what it should be."""
    table = Table("query", "nearest", "distance", "second", "distance", title=title)
    missed = []
    for query, expected, (first, second) in answers:
        found = Path(first.properties["path"]).stem == expected
        missed += [] if found else [query]
        table.add_row(query, *_cells(first), *_cells(second), style="" if found else "red")
    console.print(table)
    return missed


def _cells(hit: Hit) -> tuple[str, str]:
    return hit.properties["path"], f"{hit.distance:.4f}"


def _show_limits(console: Console, photos: Collection, samples: Path) -> None:
    query = samples / "queries" / "coffee-small.jpg"
    near = photos.near_image(query, limit=photos.count(), distance=_DISTANCE)
    console.print(f"within distance {_DISTANCE} of {query.name}: {len(near)} of {photos.count()} photos")
    likes = photos.near_object(near[0].id, limit=3)
    console.print(f"near_object {near[0].properties['path']}: {', '.join(hit.properties['path'] for hit in likes)}\n")


def _explore(console: Console, samples: Path, folder: Path, settings: HostSettings, services: DemoServices) -> None:
    """Show it all in the browser, until Ctrl-C or until a service has ended."""
    media = os.pathsep.join(dict.fromkeys(str(samples / part.folder) for part in _PARTS))
    own = {"VECMOD_EXPLORE_FOLDER": str(folder.absolute() / "imported"), "VECMOD_EXPLORE_MEDIA": media}
    with explorer(ExploreSettings.read(own), settings, until=lambda: not services.all_run()) as made:
        _say_how_to_go_on(console, samples, made.url, services)
        made.serve()


def _say_how_to_go_on(console: Console, samples: Path, url: str, services: DemoServices) -> None:
    by_words = services.origins[_BY_WORDS.served]
    console.print(
        f"Look around, search by words and pictures, import a folder of your own:\n\n  {url}\n\n"
        "The services go on, for another terminal, too:\n"
        f"  {sys.argv[0]} insert YOUR-FOLDER --class-file {samples / _BY_WORDS.class_file} --service {by_words}\n"
        f"  {sys.argv[0]} search --text 'YOUR WORDS' --service {by_words}\n"
        f"Their own pages: {', '.join(f'{origin}/' for origin in services.origins.values())}\n"
        "Ctrl-C here stops them; nothing else is left running.",
        soft_wrap=True,
        highlight=False,
    )
