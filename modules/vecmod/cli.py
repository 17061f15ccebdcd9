"""The command ``vecmod``: parse, call one function, print."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from vecmod import __version__
from vecmod.contract.environment import SettingsError
from vecmod.doctor.examine import parts
from vecmod.doctor.finding import Level
from vecmod.explore.explore_errors import ExploreFault
from vecmod.host.catalog import known_modules
from vecmod.host.collection import Collection
from vecmod.host.folder import MediaFolder
from vecmod.host.host_errors import HostError, InvalidQuery
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.search import PageOptions
from vecmod.host.stores.store import Hit
from vecmod.printing import hits_table, print_report, progress_bar
from vecmod.replay.commands import record, replay
from vecmod.replay.replay_errors import ReplayError

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help="Pictures in, vectors out, the right picture found."
)
app.command()(record)
app.command()(replay)
_out = Console()
_err = Console(stderr=True)
_NOT_INSTALLED = "this needs packages that are not installed ({}): pip install 'vecmod[{}]'"
# Somebody sits in front of the command: long enough for a model to load, not for a coffee.
_READY_SECONDS = 20.0
_COLOURS = {Level.OK: "green", Level.NOTE: "yellow", Level.WRONG: "bold red"}
_DEFAULT_SERVICE = "http://127.0.0.1:8080"

Store = Annotated[
    str | None, typer.Option(help="Milvus Lite file (*.db) or URL of a database; default: VECMOD_STORE, vecmod.db")
]
Service = Annotated[str | None, typer.Option(help=f"URL of the service; default: its variable, {_DEFAULT_SERVICE}")]


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="img2vec-neural, multi2vec-clip or multi2vec-bind")],
    model: Annotated[str | None, typer.Option(help="model to serve; default: MODEL_NAME, the service's own")] = None,
    host: Annotated[str | None, typer.Option(help="address; default: VECMOD_HOST, 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="port; default: VECMOD_PORT, 8080")] = None,
) -> None:
    """Run an inference service until it is stopped."""
    given = {"MODEL_NAME": model, "VECMOD_HOST": host, "VECMOD_PORT": port}
    try:
        from vecmod.serving.run import main as run_service  # noqa: PLC0415 -- an optional extra
    except ModuleNotFoundError as error:
        _stop(_NOT_INSTALLED.format(error.name, "serve,onnx"))
    raise typer.Exit(run_service(service, _overlay(given)))


@app.command()
def convert(
    service: Annotated[str, typer.Argument(help="img2vec-neural, multi2vec-clip or multi2vec-bind")],
    output: Annotated[Path, typer.Option(help="graph file to write, *.onnx; for model folders a new folder")],
    model: Annotated[str | None, typer.Option(help="model to convert; default: MODEL_NAME, the service's own")] = None,
    weights: Annotated[Path | None, typer.Option(help="weights; default: VECMOD_MODEL_PATH, else fetched")] = None,
) -> None:
    """Convert a model's weights to a graph file, which serves without conversion, download or torch."""
    given = {"MODEL_NAME": model, "VECMOD_MODEL_PATH": weights}
    try:
        from vecmod.serving.convert import main as run_conversion  # noqa: PLC0415 -- an optional extra
    except ModuleNotFoundError as error:
        _stop(_NOT_INSTALLED.format(error.name, "serve,onnx"))
    raise typer.Exit(run_conversion(service, _overlay(given), output))


@app.command()
def insert(
    folder: Annotated[Path, typer.Argument(help="folder with media", exists=True, file_okay=False)],
    class_file: Annotated[Path, typer.Option(help="class definition, Weaviate's JSON", exists=True, dir_okay=False)],
    store: Store = None,
    service: Service = None,
) -> None:
    """Insert a folder of pictures, sounds, films; run it again to go on where it stopped, or after files were added."""
    definition = _read_class(class_file)
    with _open_host(store, service, str(definition.get("vectorizer", ""))) as host:
        config = host.read_class(definition)
        media = MediaFolder(config, folder)
        if not media.files:
            _stop(f"{folder} has nothing for class {config.name}: files ending in {', '.join(sorted(media.takes))}")
        collection = host.create_class(definition)
        with progress_bar(_err) as progress:
            task = progress.add_task(f"inserting into {config.name}", total=len(media.files))
            report = collection.insert_many(media.objects(), on_done=lambda count: progress.advance(task, count))
        print_report(_out, _err, report, media, collection.count())
    raise typer.Exit(1 if report.failed or report.stopped else 0)


@app.command()
def search(
    image: Annotated[Path | None, typer.Option(help="picture to compare with")] = None,
    text: Annotated[str | None, typer.Option(help="words to compare with")] = None,
    audio: Annotated[Path | None, typer.Option(help="sound to compare with")] = None,
    video: Annotated[Path | None, typer.Option(help="film to compare with")] = None,
    imu: Annotated[Path | None, typer.Option(help="motion sensors' readings to compare with, CSV")] = None,
    thermal: Annotated[Path | None, typer.Option(help="thermal picture to compare with")] = None,
    depth: Annotated[Path | None, typer.Option(help="depth picture to compare with")] = None,
    object_id: Annotated[str | None, typer.Option("--object", help="id of a stored object to compare with")] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="class to search; default: the only one")] = None,
    limit: Annotated[int, typer.Option(help="hits at most")] = 10,
    offset: Annotated[int, typer.Option(help="nearest hits to skip")] = 0,
    distance: Annotated[float | None, typer.Option(help="cosine distance limit, 0 to 2")] = None,
    where: Annotated[str | None, typer.Option("--filter", help='what hits must have: \'{"tags": "cat"}\'')] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines instead of a table")] = False,
    store: Store = None,
    service: Service = None,
) -> None:
    """Find what is stored nearest to a picture, words, a sound, ..., or to a stored object: by one of them."""
    queries = {
        "image": image,
        "text": text,
        "audio": audio,
        "video": video,
        "imu": imu,
        "thermal": thermal,
        "depth": depth,
        "object": object_id,
    }
    given = [(name, query) for name, query in queries.items() if query is not None]
    if len(given) != 1:
        _stop(f"say what to search by, with one of --{', --'.join(queries)}")
    page: PageOptions = {"limit": limit, "offset": offset, "distance": distance, "filter": _read_filter(where)}
    with _open_host(store, service, "") as host:
        collection = _pick_class(host, class_name)
        ((name, query),) = given
        hits: list[Hit] = getattr(collection, f"near_{name}")(query, **page)
    _print_json(hits) if as_json else _out.print(hits_table(hits) if hits else "no hits")


@app.command()
def demo(
    check: Annotated[bool, typer.Option(help="exit after the tables; fail if a query missed")] = False,
    folder: Annotated[Path, typer.Option(help="where the demo keeps its database")] = Path(".demo"),
) -> None:
    """Start the services with built-in models, insert the sample photos and films, ask with pictures and in words."""
    from vecmod.demo import run_demo  # noqa: PLC0415 -- only this command starts processes

    try:
        raise typer.Exit(run_demo(_out, folder, stay=not check))
    except HostError as error:
        _stop(str(error))


@app.command()
def doctor() -> None:
    """Say what is installed, reachable and would run with these variables; and of what is wrong, what to do."""
    wrong = 0
    for part in parts(os.environ):
        _out.print(f"\n[bold]{part.title}[/]")
        for finding in part.findings():
            wrong += finding.level is Level.WRONG
            colour = _COLOURS[finding.level]
            _out.print(
                f"  [{colour}]{finding.level:6}[/]{escape(finding.what):18}{escape(finding.says)}", soft_wrap=True
            )
    raise typer.Exit(1 if wrong else 0)


@app.command()
def explore(
    store: Store = None,
    service: Annotated[
        list[str] | None,
        typer.Option(help=f"URL of the service, or MODULE=URL for several; default: variables, {_DEFAULT_SERVICE}"),
    ] = None,
    media: Annotated[
        list[Path] | None, typer.Option(help="folder with the files of stored objects", exists=True, file_okay=False)
    ] = None,
    host: Annotated[str | None, typer.Option(help="address; default: VECMOD_EXPLORE_HOST, 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="port; default: VECMOD_EXPLORE_PORT, 8765 or the next free")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
) -> None:
    """Show collections in the browser: search by words or pictures, import folders, see the map."""
    try:
        from vecmod.explore import explorer  # noqa: PLC0415 -- an optional extra
    except ModuleNotFoundError as error:
        _stop(_NOT_INSTALLED.format(error.name, "explore"))
    folders = os.pathsep.join(map(str, media)) if media else None
    given = {"VECMOD_EXPLORE_HOST": host, "VECMOD_EXPLORE_PORT": port, "VECMOD_EXPLORE_MEDIA": folders}
    variables = _overlay({**_host_variables(store, service or [], ""), **given})
    raise typer.Exit(explorer.run(variables, _out, in_browser=open_page))


@app.command()
def version() -> None:
    """Print the version."""
    _out.print(__version__)


def main() -> None:
    """Entry point: faults that a user can mend are one line, not a traceback."""
    try:
        app()
    except (HostError, SettingsError, ExploreFault) as error:
        _err.print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(1)
    except ReplayError as error:
        # Here 1 is an answer: it is not safe to switch.
        _err.print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _open_host(store: str | None, service: str | None, vectorizer: str) -> ModuleHost:
    variables = _host_variables(store, [service] if service else [], vectorizer)
    return ModuleHost(HostSettings.read(_overlay(variables)), _READY_SECONDS)


def _host_variables(store: str | None, services: Sequence[str], vectorizer: str) -> dict[str, str | None]:
    """For a host with all known modules; those whose origin is set nowhere get the option's, or the default.

    An option ``MODULE=URL`` is for one module, a URL alone for the vectorizer, or for all if that is empty.
    """
    modules = known_modules()
    named = {module: url for module, _, url in (one.partition("=") for one in services) if module in modules}
    plain = [one for one in services if one.partition("=")[0] not in modules]
    given = {"VECMOD_STORE": store, "ENABLE_MODULES": os.environ.get("ENABLE_MODULES") or ",".join(modules)}
    for module in modules.values():
        url = named.get(module.name) or (plain[-1] if plain and vectorizer in ("", module.name) else None)
        given[module.origin_variable] = url or os.environ.get(module.origin_variable) or _DEFAULT_SERVICE
    return given


def _overlay(given: Mapping[str, object]) -> dict[str, str]:
    return {**os.environ, **{name: str(value) for name, value in given.items() if value is not None}}


def _read_class(path: Path) -> dict[str, object]:
    try:
        definition = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        _stop(f"{path} is not JSON: {error}")
    if not isinstance(definition, dict):
        _stop(f'{path} holds no class definition: {{"class": ..., "vectorizer": ..., "moduleConfig": ...}}')
    return definition


def _read_filter(text: str | None) -> dict[str, object] | None:
    try:
        given = json.loads(text or "null")
    except (ValueError, RecursionError) as error:
        _stop(f'--filter is not JSON ({error}); write --filter \'{{"tags": "cat", "year": {{"$gte": 2003}}}}\'')
    if given is not None and not isinstance(given, dict):
        _stop('--filter must be an object: --filter \'{"tags": "cat"}\'')
    return given


def _pick_class(host: ModuleHost, name: str | None) -> Collection:
    names = host.class_names()
    if name is None and not names:
        raise InvalidQuery("the store is empty; fill it with vecmod insert, or choose another with --store")
    if name is None and len(names) > 1:
        raise InvalidQuery(f"the store has {len(names)} classes ({', '.join(names)}); choose with --class")
    return host.get_class(name or names[0])


def _print_json(hits: list[Hit]) -> None:
    for hit in hits:
        typer.echo(json.dumps({"id": hit.id, "distance": hit.distance, "properties": hit.properties}))


def _stop(message: str) -> NoReturn:
    _err.print(f"[bold red]error:[/] {escape(message)}")
    raise typer.Exit(2)
