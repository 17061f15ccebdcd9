"""Start-up of a service: settings -> family -> model -> app -> server. The only place that knows them all."""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from vecmod.contract.environment import SettingsError
from vecmod.contract.meta_api import LimitsMeta
from vecmod.contract.modality import TEXT
from vecmod.serving.calibration import calibration_samples
from vecmod.serving.engine.choose import INT8, EngineChoice, engine_names, load_engine
from vecmod.serving.engine.engine import EngineUnavailable
from vecmod.serving.engine.network import AnyNetwork
from vecmod.serving.engine.shared import SharedEngine
from vecmod.serving.flow.background import in_background
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.pipeline import Pipeline
from vecmod.serving.flow.vector_cache import SharedVectors, VectorCache
from vecmod.serving.http.admission import Door, DoorLimits
from vecmod.serving.http.app import AppParts, create_app
from vecmod.serving.http.lifecycle import Lifecycle, StartupFault
from vecmod.serving.http.server import GracefulServer
from vecmod.serving.media.decode import Decoder, DecoderUnavailable
from vecmod.serving.media.remote import RemoteFiles, RemoteLimits
from vecmod.serving.media.token_table import read_token_table
from vecmod.serving.media.url_rules import UrlRules
from vecmod.serving.model.families import Family, UnknownName, find_family, load_entry_point
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.model import Model
from vecmod.serving.model.recipe import Recipe
from vecmod.serving.model.torch_file import UnreadableWeights
from vecmod.serving.model.weights import WeightsNotFound, WeightsPlace
from vecmod.serving.service_settings import MIB, ServiceSettings

_log = logging.getLogger(__name__)

# Seconds that one item may take in the warm-up for a full batch to follow: of ImageBind that takes a minute on 2 cores.
_SOON = 0.5
_OPERATOR_FAULTS = (DecoderUnavailable, EngineUnavailable, WeightsNotFound, UnreadableWeights)


class Choice(NamedTuple):
    """The model that was asked for: its name for people, and the family that reads it."""

    name: str
    family: Family


def choose_by_name(service: "Service", settings: ServiceSettings) -> Choice:
    """The family of ``MODEL_NAME``, or the service's default.

    Raises:
        UnknownName: listing those there are.
    """
    name = settings.model_name or service.default_model
    return Choice(name, find_family(service.name, name))


@dataclass(frozen=True)
class Service:
    """What tells one service from another.

    Attributes:
        name: as Weaviate names the module, e.g. ``img2vec-neural``.
        default_model: served if none is asked for.
        choose: finds the model that the settings ask for; raises UnknownName.
    """

    name: str
    default_model: str
    choose: Callable[["Service", ServiceSettings], Choice] = choose_by_name


def find_service(name: str) -> Service:
    """An installed service.

    Raises:
        UnknownName: listing those there are.
    """
    service: Service = load_entry_point("vecmod.services", name, "service")
    return service


def main(name: str, environ: Mapping[str, str]) -> int:
    """Run a service until it is told to stop; its exit code: 0 after a signal, 1 or 2 if it cannot start."""
    try:
        service = find_service(name)
        settings = ServiceSettings.read(environ)
        logging.basicConfig(
            level=settings.log_level.upper(),
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        # Its news of start and stop is ours too, in our words.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        # What other servers get wrong is told to whoever sent their URLs, and must not fill the log.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        server = build_server(service, settings)
        return _leave(server, server.serve_until_stopped())
    except (SettingsError, UnknownName, EngineUnavailable) as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 -- logging may not be set up yet
        return 2


def _leave(server: GracefulServer, code: int) -> int:
    """The exit code; the process ends here and now if Python would wait for threads that nobody waits for any more."""
    if server.has_threads_at_work():
        logging.shutdown()
        os._exit(code)
    return code


def build_server(service: Service, settings: ServiceSettings) -> GracefulServer:
    """Everything but the model, which is loaded once the port is open.

    Raises:
        UnknownName: if the model is not one of the service's.
        EngineUnavailable: if no installed engine can run here.
        SettingsError: if the table of token ids in the cache is not what it should be.
    """
    name, family = service.choose(service, settings)
    choice = engine_choice(settings)
    engine_names(choice)
    metrics = Metrics()
    lifecycle = Lifecycle(
        load=partial(load_pipeline, family, settings, metrics),
        on_failure=lambda: server.stop(),  # noqa: PLW0108 -- the server is made below, from this
        run_timeout=settings.run_timeout,
    )
    app = create_app(
        AppParts(
            service.name,
            name,
            Door(_door_limits(settings), metrics),
            _limits(settings),
            lifecycle,
            metrics,
            settings.max_wait,
            read_token_table(settings.cache_dir.expanduser()),
            settings.url_strings,
        )
    )
    server = GracefulServer(
        app,
        lifecycle,
        address=(settings.host, settings.port),
        keep_alive=settings.keep_alive,
        drain=(settings.drain_delay, settings.drain_timeout),
    )
    return server


def load_pipeline(family: Family, settings: ServiceSettings, metrics: Metrics) -> Pipeline:
    """Load the model, prove it with blank items, and put it behind a pipeline.

    Raises:
        StartupFault: if weights or engine are not as they must be.
    """
    try:
        shared = _shared_vectors(settings.vector_cache_url, metrics)
        model = load_model(family, settings)
        decoder = Decoder(settings.media_limits(), model.kinds.values())
        _warm_up(model)
    except _OPERATOR_FAULTS as error:
        raise StartupFault(str(error)) from error
    cache = VectorCache(_passport(model, settings), settings.vector_cache_mb * MIB, shared)
    return Pipeline(model, decoder, metrics, settings.cores(), _remote_files(settings), cache)


def load_model(family: Family, settings: ServiceSettings) -> Model:
    """The model of a family, in the chosen engine."""
    choice = engine_choice(settings)
    recipe = adjusted(family(weights_place(settings)), settings)
    _log.info(
        "loading %s (%s; licence %s) into %s",
        recipe.name,
        recipe.revision,
        recipe.licence,
        " or ".join(engine_names(choice)),
    )
    steps = {tower.network: tower.steps for tower in recipe.towers.values()}
    words = recipe.towers[TEXT.name].network if TEXT.name in recipe.towers else None

    def load(network: AnyNetwork) -> SharedEngine:
        def work() -> SharedEngine:
            rounded = choice.precision == INT8
            samples = calibration_samples(steps[network], settings.calibration) if rounded else None
            return load_engine(network, choice, samples)

        # A runtime's threads have the priority of the one that makes them, which for media is a lower one.
        return work() if words is None or network is words else in_background(work)

    return GraphModel(recipe, load, settings.max_batch)


def adjusted(recipe: Recipe, settings: ServiceSettings) -> Recipe:
    """The recipe with the towers and the length of vectors that the operator wants.

    Raises:
        StartupFault: if the model has no such tower.
    """
    if missing := [name for name in settings.towers if name not in recipe.towers]:
        have = ", ".join(recipe.towers)
        raise StartupFault(f"VECMOD_TOWERS names {missing[0]}, which {recipe.name} does not have; it has {have}")
    towers = {name: tower for name, tower in recipe.towers.items() if not settings.towers or name in settings.towers}
    left_out = {name: f"VECMOD_TOWERS leaves {name} out; add it there" for name in recipe.towers if name not in towers}
    normalized = recipe.normalized if settings.normalize is None else settings.normalize
    return replace(recipe, towers=towers, normalized=normalized, advice={**recipe.advice, **left_out})


def engine_choice(settings: ServiceSettings) -> EngineChoice:
    """What the settings say about engines."""
    cache = settings.cache_dir.expanduser()
    return EngineChoice(
        settings.engine, settings.device(), settings.cores(), cache, settings.streams, settings.precision
    )


def weights_place(settings: ServiceSettings) -> WeightsPlace:
    """What the settings say about weights."""
    return WeightsPlace(settings.model_path, settings.cache_dir.expanduser(), settings.offline)


def _shared_vectors(url: str, metrics: Metrics) -> SharedVectors | None:
    if not url:
        return None
    try:
        from vecmod.serving.flow.redis_vectors import RedisVectors  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise StartupFault("VECMOD_VECTOR_CACHE_URL needs the package redis: pip install 'vecmod[redis]'") from error
    try:
        return RedisVectors(url, metrics)
    except ValueError as error:
        raise StartupFault(
            "VECMOD_VECTOR_CACHE_URL is not a Redis's URL; write redis://host:6379/0, or rediss:// for TLS"
        ) from error


def _passport(model: Model, settings: ServiceSettings) -> str:
    """What tells its vectors from those of other models, weights and settings."""
    meta = model.meta()
    # What is told of the engine is true of the first modality; others may be in another precision.
    engine = f"{meta.engine.name} {meta.engine.precision} {settings.precision}"
    return "\n".join((meta.family, meta.revision, engine, f"normalized={meta.normalized}", meta.preprocessing))


def _warm_up(model: Model) -> None:
    """One item of each modality, and a full batch where that does not keep the service from starting."""
    for modality in model.dimensions:
        began = time.monotonic()
        _try(model, modality, 1)
        if time.monotonic() - began < _SOON:
            _try(model, modality, model.batch_sizes[modality])


def _try(model: Model, modality: str, size: int) -> None:
    vectors = model.embed(modality, [model.blank(modality)] * size)
    if vectors.shape != (size, model.dimensions[modality]) or not np.isfinite(vectors).all():
        raise StartupFault(f"the model gave no usable vectors for {modality}: shape {vectors.shape}")


def _remote_files(settings: ServiceSettings) -> RemoteFiles:
    limits = RemoteLimits(settings.url_max_mb * MIB, settings.url_timeout)
    return RemoteFiles(UrlRules(settings.allow_urls), limits)


def _door_limits(settings: ServiceSettings) -> DoorLimits:
    return DoorLimits(
        token=settings.api_token,
        max_body=settings.max_body_mb * MIB,
        max_in_flight=settings.max_in_flight_mb * MIB,
        max_requests=settings.max_requests,
        body_timeout=settings.body_timeout,
    )


def _limits(settings: ServiceSettings) -> LimitsMeta:
    return LimitsMeta(
        max_body_bytes=settings.max_body_mb * MIB,
        max_items=settings.max_items,
        max_pixels=settings.max_pixels,
        max_aspect=settings.max_aspect,
        max_audio_seconds=settings.max_audio_seconds,
        max_video_seconds=settings.max_video_seconds,
        max_video_pixels=settings.max_video_pixels,
        max_video_frames=settings.max_video_frames,
        max_imu_rows=settings.max_imu_rows,
        max_requests=settings.max_requests,
        urls=bool(settings.allow_urls),
    )
