"""Networks recorded as ONNX graphs, without torch: the one door to the ``onnx`` package."""

import hashlib
import os
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from vecmod.serving.engine.network import TrainedNetwork, Weights

# Widely readable versions: every onnxruntime since 1.13 and OpenVINO since 2023 take them.
OPSET = 17
IR_VERSION = 8
# Part of the cache key: raise it when the recording below changes, so that older files are not reused.
RECORDER = 1
NAME_KEY = "vecmod.network"
DIGEST_KEY = "vecmod.weights_sha256"


class GraphOps:
    """Records operations; a tensor is the name of a graph edge."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}
        self._weights = weights

    def conv(
        self,
        x: str,
        name: str,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        *,
        depthwise: bool = False,
    ) -> str:
        """Record a convolution."""
        before, after = padding
        return self._record(
            "Conv",
            [x, self._weight(f"{name}.weight")],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=self._weights[f"{name}.weight"].shape[0] if depthwise else 1,
        )

    def batch_norm(self, x: str, name: str, eps: float) -> str:
        """Record a batch normalisation; onnxruntime folds it into the convolution before it."""
        statistics = [self._weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        return self._record("BatchNormalization", [x, *statistics], epsilon=eps)

    def relu(self, x: str, ceiling: float | None = None) -> str:
        """Record a rectifier."""
        if ceiling is None:
            return self._record("Relu", [x])
        return self._record("Clip", [x, self._constant(0.0), self._constant(ceiling)])

    def max_pool(self, x: str, kernel: int, stride: int, padding: int) -> str:
        """Record a maximum pooling."""
        return self._record("MaxPool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)

    def add(self, a: str, b: str) -> str:
        """Record a sum."""
        return self._record("Add", [a, b])

    def global_average_pool(self, x: str) -> str:
        """Record the mean over height and width."""
        return self._record("Flatten", [self._record("GlobalAveragePool", [x])], axis=1)

    def _record(self, kind: str, inputs: list[str], **attributes: float | list[int]) -> str:
        edge = f"{kind}_{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [edge], name=edge)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return edge

    def _weight(self, key: str) -> str:
        if key not in self.initializers:
            self.initializers[key] = numpy_helper.from_array(np.ascontiguousarray(self._weights[key], np.float32), key)
        return key

    def _constant(self, value: float) -> str:
        key = f"constant_{value}"
        self.initializers.setdefault(key, numpy_helper.from_array(np.array(value, np.float32), key))
        return key


def record(trained: TrainedNetwork) -> ModelProto:
    """The network as an ONNX model: input ``input`` float32 ``[n, *input_shape]``, output ``vector`` ``[n, dim]``."""
    ops = GraphOps(trained.load())
    edge = trained.network(ops, "input")
    graph = helper.make_graph(
        [*ops.nodes, helper.make_node("Identity", [edge], ["vector"])],
        trained.name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", *trained.input_shape])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", trained.dim])],
        list(ops.initializers.values()),
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="vecmod"
    )
    helper.set_model_props(model, {NAME_KEY: trained.name, DIGEST_KEY: trained.digest})
    return model


def write_graph(trained: TrainedNetwork, path: Path) -> None:
    """Record the network into a file; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        partial.write_bytes(record(trained).SerializeToString())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def cached_graph(trained: TrainedNetwork, cache: Path) -> Path:
    """The graph file of the network, recorded on first use; its name changes with the weights and with us."""
    key = hashlib.sha256(f"{trained.name} {trained.digest} {OPSET} {RECORDER}".encode()).hexdigest()[:16]
    path = cache / "graphs" / f"{trained.name.replace('/', '-')}-{key}.onnx"
    if not path.exists():
        write_graph(trained, path)
    return path
