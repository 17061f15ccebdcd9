"""Networks written as ONNX graphs, without torch; one of two doors to the ``onnx`` package."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from inspect import isfunction
from io import BufferedWriter
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, StringStringEntryProto, TensorProto, helper, numpy_helper

from vecmod.serving.engine.graph_ops import GraphOps
from vecmod.serving.engine.network import NAME_KEY, TrainedNetwork

# Widely readable versions: every onnxruntime since 1.13 and OpenVINO since 2023 take them.
OPSET = 17
IR_VERSION = 8
# Part of the cache key: raise it when the recording below changes, so that older files are not reused.
RECORDER = 3
DIGEST_KEY = "vecmod.weights_sha256"


# protobuf ends at 2 GiB; the rest is room for the graph itself.
_INLINE_LIMIT = 2**31 - 2**26
# Where files stay together, as in the cache: what stands beside a graph is mapped, what is in it is copied six times.
BESIDE_LIMIT = 2**26
# So small a tensor always stays in the graph: onnxruntime wants to see shapes, for one, before it opens other files.
_SMALL = 1024
# Where external numbers begin: on a page, so that they can be mapped.
_ALIGNMENT = 4096
# What the name of a file with a graph's numbers ends in.
DATA = ".data"
_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def record(trained: TrainedNetwork) -> tuple[ModelProto, dict[str, NDArray[Any]]]:
    """The network as an ONNX model, and the numbers that it must still be given, by name.

    Its input is ``input`` ``[n, *input_shape]``, its output ``vector`` float32 ``[n, dim]``.
    """
    ops = GraphOps(trained.load())
    edge = trained.network(ops, "input")
    graph = helper.make_graph(
        [*ops.nodes, helper.make_node("Identity", [edge], ["vector"])],
        trained.name,
        [helper.make_tensor_value_info("input", _TYPES[trained.input_type], ["n", *trained.input_shape])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", trained.dim])],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="vecmod"
    )
    helper.set_model_props(model, {NAME_KEY: trained.name, DIGEST_KEY: trained.digest})
    return model, ops.initializers


def write_graph(trained: TrainedNetwork, path: Path, inline_limit: int = _INLINE_LIMIT) -> None:
    """Record the network into a file; the file appears whole or not at all.

    Numbers of more than ``inline_limit`` bytes in all go into a second file beside it, which must stay there, but for
    those of small tensors.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    model, numbers = record(trained)
    # Not by process id: two containers on one volume may both be process 1.
    name = f"{path.stem}-{uuid4().hex}"
    partial = path.with_name(f"{name}.partial")
    beside = path.with_name(f"{name}{DATA}")
    with ExitStack() as undo:
        for file in (partial, beside):
            undo.callback(file.unlink, missing_ok=True)
        external: dict[str, NDArray[Any]] = {}
        if sum(array.nbytes for array in numbers.values()) > inline_limit:
            external = {key: array for key, array in numbers.items() if array.nbytes > _SMALL}
            model.graph.initializer.extend(_write_beside(external, beside))
        inline = (
            numpy_helper.from_array(_in_order(array), key) for key, array in numbers.items() if key not in external
        )
        model.graph.initializer.extend(inline)
        with partial.open("wb") as opened:
            opened.write(model.SerializeToString())
            _flush(opened)
        partial.replace(path)
        undo.pop_all()


def forget_graph(path: Path) -> None:
    """Remove a graph's files."""
    path.unlink(missing_ok=True)
    for beside in path.parent.glob(f"{path.stem}-*{DATA}"):
        beside.unlink(missing_ok=True)


def _write_beside(numbers: Mapping[str, NDArray[Any]], path: Path) -> Iterator[TensorProto]:
    """Numbers into a file of their own, one tensor each that says where."""
    with path.open("wb") as file:
        for key, array in numbers.items():
            file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
            tensor = TensorProto(
                name=key,
                dims=array.shape,
                data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
                data_location=TensorProto.EXTERNAL,
            )
            where = {"location": path.name, "offset": str(file.tell()), "length": str(array.nbytes)}
            tensor.external_data.extend(StringStringEntryProto(key=name, value=value) for name, value in where.items())
            file.write(_in_order(array).data)
            yield tensor
        _flush(file)


def _in_order(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(array, order="C")


def _flush(file: BufferedWriter) -> None:
    """To the disk itself: a power cut could leave the new name with nothing behind it."""
    file.flush()
    os.fsync(file.fileno())


def cached_graph(trained: TrainedNetwork, cache: Path) -> Path:
    """The graph file of the network, recorded on first use; its name changes with the weights and with us."""
    # A network that is data says all that shapes it; a plain function is known by its name.
    shape = "" if isfunction(trained.network) else repr(trained.network)
    said = f"{trained.name} {shape} {trained.input_shape} {trained.dim} {trained.digest} {OPSET} {RECORDER}"
    key = hashlib.sha256(said.encode()).hexdigest()[:16]
    path = cache / "graphs" / f"{trained.name.replace('/', '-')}-{key}.onnx"
    if not path.exists():
        write_graph(trained, path, BESIDE_LIMIT)
    return path
