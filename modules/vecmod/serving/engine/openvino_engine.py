"""The OpenVINO engine: x86 CPUs, and the one that is fast in int8. The one door to ``openvino``."""

import queue
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np

from vecmod.serving.engine.engine import EngineUnavailable, FloatArray, Inputs, Split
from vecmod.serving.engine.exported import TensorInfo
from vecmod.serving.engine.network import NAME_KEY

# When it is imported, it tells its maker through this package; where that cannot be imported, it tells nobody.
cast("dict[str, Any]", sys.modules).setdefault("openvino_telemetry", None)

import openvino  # noqa: E402 -- see above

# Its names of types, as onnxruntime spells them.
_TYPES = {"f32": "tensor(float)", "f16": "tensor(float16)", "i64": "tensor(int64)", "i32": "tensor(int32)"}


class OpenVinoEngine:
    """A graph compiled for the CPU, which several threads may run at once: one for each stream."""

    name = "openvino"
    device = "cpu"

    def __init__(self, graph: Path, split: Split, precision: str = "fp32") -> None:
        self.precision = precision
        self.split = split
        core = openvino.Core()
        options = {
            "NUM_STREAMS": split.streams,
            "INFERENCE_NUM_THREADS": split.streams * split.threads,
            # Else it computes in bfloat16 where the CPU can, which changes vectors.
            "INFERENCE_PRECISION_HINT": "f32",
            # Others need the cores, too: those who decode the next pictures.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._model = core.read_model(graph)
            compiled = core.compile_model(self._model, "CPU", options)
        except RuntimeError as error:
            raise EngineUnavailable(f"{graph} cannot be loaded as an ONNX graph: {error}") from error
        self._idle: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()
        for _ in range(split.streams):
            self._idle.put(compiled.create_infer_request())

    def names(self) -> tuple[dict[str, TensorInfo], list[str]]:
        """Inputs by name, with type and shape, and the names of the outputs."""
        inputs = {}
        for one in self._model.inputs:
            lengths = (
                length.get_length() if length.is_static else f"axis{axis}"
                for axis, length in enumerate(one.partial_shape)
            )
            kind = one.element_type.get_type_name()
            inputs[one.any_name] = TensorInfo(_TYPES.get(kind, kind), tuple(lengths))
        return inputs, [one.any_name for one in self._model.outputs]

    def run_named(self, output: str, feed: dict[str, Inputs]) -> FloatArray:
        """The output of that name for inputs by name."""
        request = self._idle.get()
        try:
            vectors = request.infer(feed, share_inputs=True)[output]
        except RuntimeError as error:
            raise EngineUnavailable(f"OpenVINO cannot run the network: {error}") from error
        finally:
            self._idle.put(request)
        return np.asarray(vectors)

    def network_name(self) -> str:
        """The network the file says it holds; empty if it was not written by vecmod."""
        said = ["framework", NAME_KEY]
        return str(self._model.get_rt_info(said).value) if self._model.has_rt_info(said) else ""

    def run(self, batch: Inputs) -> FloatArray:
        """Vectors float32 ``[n, dim]``."""
        return self.run_named("vector", {"input": batch})

    def close(self) -> None:
        """Free the graph."""
        while not self._idle.empty():
            self._idle.get()
        del self._model
