"""Which model each service would serve here, by which engine, and what keeps it from that."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

from vecmod.contract.environment import SettingsError
from vecmod.doctor.finding import Environ, Finding, Level
from vecmod.host.catalog import IMG2VEC_NEURAL
from vecmod.host.client import ServiceClient
from vecmod.serving.engine.choose import engine_names
from vecmod.serving.engine.engine import EngineUnavailable
from vecmod.serving.http.lifecycle import StartupFault
from vecmod.serving.media.decode import Decoder, DecoderUnavailable
from vecmod.serving.model.families import UnknownName
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import WeightsNotFound
from vecmod.serving.run import adjusted, engine_choice, find_service, weights_place
from vecmod.serving.service_settings import ServiceSettings

# Who listens everywhere is found on this machine.
_HERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
_SECONDS = 2.0


def service_side(environ: Environ) -> Iterator[Finding]:
    """Every installed service with these variables; nothing is fetched, converted or loaded."""
    try:
        settings = ServiceSettings.read(environ)
    except SettingsError as error:
        yield Finding(Level.WRONG, "variables", str(error))
        return
    yield _engine(settings)
    yield _cache(settings.cache_dir.expanduser())
    yield _port(settings)
    for name in sorted({entry.name for entry in entry_points(group="vecmod.services")}):
        yield from _service(name, settings)


def _engine(settings: ServiceSettings) -> Finding:
    try:
        name = " or ".join(engine_names(engine_choice(settings)))
    except EngineUnavailable as error:
        return Finding(Level.WRONG, "engine", str(error))
    return Finding(Level.OK, "engine", f"{name} on {settings.device()}, {settings.cores()} threads")


def _cache(folder: Path) -> Finding:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(Level.WRONG, "cache", f"{folder} cannot be written; set VECMOD_CACHE_DIR to a folder that can")
    return Finding(Level.OK, "cache", str(folder))


def _port(settings: ServiceSettings) -> Finding:
    address = f"{settings.host}:{settings.port}"
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        return Finding(Level.NOTE, "port", f"{address} is not free ({error.strerror}): {_who_answers(settings)}")
    return Finding(Level.OK, "port", f"{address} is free")


def _who_answers(settings: ServiceSettings) -> str:
    """Mostly a service that was started a moment ago; any module's client can ask it what it is."""
    here = _HERE.get(settings.host, f"[{settings.host}]" if ":" in settings.host else settings.host)
    with closing(ServiceClient(IMG2VEC_NEURAL, f"http://{here}:{settings.port}", _SECONDS)) as client:
        said = client.meta()
    if "service" not in said:
        return "is a service running already?"
    return f"{said['service']} answers there, which serves {said.get('model')} and is {said.get('state')}"


def _service(name: str, settings: ServiceSettings) -> Iterator[Finding]:
    try:
        service = find_service(name)
        choice = service.choose(service, settings)
    except UnknownName as error:
        # One environment may serve several services, and MODEL_NAME be meant for another of them.
        yield Finding(Level.NOTE, name, str(error))
        return
    try:
        place = replace(weights_place(settings), offline=True)
        recipe = adjusted(choice.family(place), settings)
        Decoder(settings.media_limits(), {tower.steps.kind for tower in recipe.towers.values()})
    except WeightsNotFound as error:
        yield _missing(name, choice.name, settings, error)
    except (UnreadableWeights, StartupFault, DecoderUnavailable) as error:
        yield Finding(Level.WRONG, name, f"{choice.name}: {error}")
    else:
        yield Finding(Level.OK, name, f"{choice.name}: {_summary(recipe)}")


def _missing(name: str, model: str, settings: ServiceSettings, error: WeightsNotFound) -> Finding:
    if settings.offline or settings.model_path is not None or "VECMOD_OFFLINE" not in str(error):
        return Finding(Level.WRONG if settings.model_path else Level.NOTE, name, f"{model}: {error}")
    return Finding(Level.NOTE, name, f"{model} is not here yet; its first start fetches it")


def _summary(recipe: Recipe) -> str:
    dims = sorted({tower.network.dim for tower in recipe.towers.values()})
    numbers = " or ".join(map(str, dims))
    return f"{', '.join(recipe.towers)} to {numbers} numbers; {recipe.revision}; licence {recipe.licence}"
