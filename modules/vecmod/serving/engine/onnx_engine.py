"""The onnxruntime engine: default on CPUs. The one door to ``onnxruntime``."""

import logging
import os
from pathlib import Path

from vecmod.serving.engine.engine import Engine, EngineUnavailable, FloatArray, Inputs
from vecmod.serving.engine.exported import ExportedEngine, TensorInfo
from vecmod.serving.engine.network import AnyNetwork, ExportedGraph, TrainedNetwork

# Since 1.31 its Linux builds call their maker; only this, set before the import, keeps them from it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    NotImplemented,  # noqa: A004 -- its name
    RuntimeException,
)

# Written into the file's metadata by onnx_graph, which is not imported here: serving a converted graph does
# not need the `onnx` package.
NAME_KEY = "vecmod.network"
_log = logging.getLogger(__name__)
_UNLOADABLE = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, NotImplemented, RuntimeException)


class OnnxEngine:
    """A graph in an onnxruntime session on the CPU, fp32."""

    name = "onnx"
    device = "cpu"
    precision = "fp32"

    def __init__(self, graph: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads would take the cores from the ones that decode the next pictures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except _UNLOADABLE as error:
            raise EngineUnavailable(f"{graph} cannot be loaded as an ONNX graph: {error}") from error

    def names(self) -> tuple[dict[str, TensorInfo], list[str]]:
        """Inputs by name, with type and shape, and the names of the outputs."""
        inputs = {one.name: TensorInfo(one.type, tuple(one.shape)) for one in self._session.get_inputs()}
        return inputs, [one.name for one in self._session.get_outputs()]

    def run_named(self, output: str, feed: dict[str, Inputs]) -> FloatArray:
        """The output of that name for inputs by name."""
        try:
            vectors: FloatArray = self._session.run([output], feed)[0]
        except _UNLOADABLE as error:
            raise EngineUnavailable(f"onnxruntime cannot run the network: {error}") from error
        return vectors

    def network_name(self) -> str:
        """The network the file says it holds; empty if it was not written by vecmod."""
        return str(self._session.get_modelmeta().custom_metadata_map.get(NAME_KEY, ""))

    def run(self, batch: Inputs) -> FloatArray:
        """Vectors float32 ``[n, dim]``."""
        return self.run_named("vector", {"input": batch})

    def close(self) -> None:
        """Free the session."""
        del self._session


def load_onnx(network: AnyNetwork, cache: Path, threads: int) -> Engine:
    """Load a network, converting it on first use, or a graph that was converted earlier or exported by others.

    Raises:
        EngineUnavailable: if the graph cannot be read or is another network's.
    """
    if isinstance(network, ExportedGraph):
        return ExportedEngine(network, OnnxEngine(network.path, threads))
    if isinstance(network, TrainedNetwork):
        return _load_converted(network, cache, threads)
    engine = OnnxEngine(network.path, threads)
    if engine.network_name() != network.name:
        found = engine.network_name() or "no network that vecmod converted"
        raise EngineUnavailable(f"{network.path} holds {found}, not {network.name}; write it with vecmod convert")
    return engine


def _load_converted(network: TrainedNetwork, cache: Path, threads: int) -> OnnxEngine:
    path = _converted(network, cache)
    try:
        return OnnxEngine(path, threads)
    except EngineUnavailable as error:
        _log.warning("%s; converting it anew", error)
        _forget(path)
        return OnnxEngine(_converted(network, cache), threads)


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
