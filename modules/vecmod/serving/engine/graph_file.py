"""Networks as graph files, written by us or by others, in any runtime that reads such files."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from vecmod.serving.engine.engine import Engine, EngineUnavailable, Inputs
from vecmod.serving.engine.exported import ExportedEngine, Runner
from vecmod.serving.engine.network import AnyNetwork, ExportedGraph, TrainedNetwork

_log = logging.getLogger(__name__)

# Part of the cache key: raise it when int8 graphs are made in another way.
_INT8_VERSION = 2


class GraphRunner(Runner, Protocol):
    """A runtime with a graph."""

    def network_name(self) -> str:
        """The network the file says it holds."""
        ...


def load_graph(network: AnyNetwork, cache: Path, read: Callable[[Path], GraphRunner]) -> Engine:
    """Load a network, converting it on first use, or a graph that was converted earlier or exported by others.

    Args:
        network: what to load.
        cache: folder for converted graphs.
        read: loads a file into the runtime; raises EngineUnavailable.

    Raises:
        EngineUnavailable: if the graph cannot be read or is another network's.
    """
    if isinstance(network, ExportedGraph):
        return ExportedEngine(network, read(network.path))
    if isinstance(network, TrainedNetwork):
        return _load_converted(network, cache, read)
    engine = read(network.path)
    if engine.network_name() != network.name:
        found = engine.network_name() or "no network that vecmod converted"
        raise EngineUnavailable(f"{network.path} holds {found}, not {network.name}; write it with vecmod convert")
    return engine


class Samples(NamedTuple):
    """Inputs to calibrate int8 with.

    Attributes:
        key: changes with them.
        load: batches of them.
    """

    key: str
    load: Callable[[], Sequence[Inputs]]


def cached_int8(graph: Path, cache: Path, samples: Samples, read: Callable[[Path], Runner]) -> Path:
    """The graph in int8, made when it is first asked for; its name changes with the graph, the samples and with us.

    Raises:
        EngineUnavailable: if it cannot be made, or would change vectors too much.
    """
    stat = graph.stat()
    said = f"{graph.name} {stat.st_size} {samples.key} {_INT8_VERSION}"
    key = hashlib.sha256(said.encode()).hexdigest()[:16]
    path = cache / "graphs" / f"{graph.stem}-int8-{key}.onnx"
    if path.exists():
        return path
    try:
        from vecmod.serving.engine.quantise import quantise  # noqa: PLC0415 -- only this needs `onnx`

        _log.info("calibrating int8, once")
        path.parent.mkdir(parents=True, exist_ok=True)
        quantise(graph, path, samples.load(), read)
    except ImportError as error:
        raise EngineUnavailable("making int8 graphs needs the package onnx: pip install 'vecmod[onnx]'") from error
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"{graph} cannot be made int8: {error}; leave VECMOD_PRECISION=fp32") from error
    return path


def _load_converted(network: TrainedNetwork, cache: Path, read: Callable[[Path], GraphRunner]) -> Engine:
    path = _converted(network, cache)
    try:
        return read(path)
    except EngineUnavailable as error:
        _log.warning("%s; converting it anew", error)
        _forget(path)
        return read(_converted(network, cache))


def _converted(network: TrainedNetwork, cache: Path) -> Path:
    try:
        from vecmod.serving.engine.onnx_graph import cached_graph  # noqa: PLC0415 -- only conversion needs `onnx`
    except ImportError as error:
        raise EngineUnavailable(
            "converting weights needs the package onnx: pip install 'vecmod[onnx]', or mount a converted graph"
        ) from error
    try:
        return cached_graph(network, cache)
    except OSError as error:
        raise EngineUnavailable(
            f"the converted graph cannot be written to {cache}: {error}; set VECMOD_CACHE_DIR"
        ) from error


def _forget(path: Path) -> None:
    from vecmod.serving.engine.onnx_graph import forget_graph  # noqa: PLC0415 -- as above

    forget_graph(path)
