"""Networks as graph files, written by us or by others, in any runtime that reads such files."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from vecmod.serving.engine.engine import Engine, EngineUnavailable
from vecmod.serving.engine.exported import ExportedEngine, Runner
from vecmod.serving.engine.network import AnyNetwork, ExportedGraph, TrainedNetwork

_log = logging.getLogger(__name__)


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
