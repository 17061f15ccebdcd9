"""The onnxruntime engine: default on CPUs. The one door to ``onnxruntime``."""

import os
from pathlib import Path

from vecmod.serving.engine.engine import EngineUnavailable, FloatArray, Inputs, Split
from vecmod.serving.engine.exported import TensorInfo
from vecmod.serving.engine.network import NAME_KEY

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

_UNLOADABLE = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, NotImplemented, RuntimeException)


class OnnxEngine:
    """A graph in an onnxruntime session on the CPU, fp32, which several threads may run at once."""

    name = "onnx"
    device = "cpu"
    precision = "fp32"

    def __init__(self, graph: Path, split: Split) -> None:
        self.split = split
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = split.threads
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
