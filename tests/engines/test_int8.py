"""int8 graphs: close to fp32, made once, refused where they cannot be had."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vecmod.serving.engine.choose import EngineChoice, engine_names, load_engine
from vecmod.serving.engine.engine import EngineUnavailable, FloatArray, Inputs
from vecmod.serving.engine.graph_file import Samples
from vecmod.serving.engine.int8_graph import Int8Graph
from vecmod.serving.engine.network import ConvertedGraph, Gelu, Ops, Tensor, TrainedNetwork
from vecmod.serving.engine.onnx_graph import write_graph

RANDOM = np.random.default_rng(3)
WIDE = 32


def _normal(*shape: int, scale: float) -> FloatArray:
    return (scale * RANDOM.normal(size=shape)).astype(np.float32)


WEIGHTS = {
    "stem.weight": _normal(WIDE, 3, 3, 3, scale=0.3),
    "wide.weight": _normal(WIDE, WIDE, 1, 1, scale=0.2),
    "mix.weight": _normal(WIDE, WIDE, 1, 1, scale=0.2),
    "norm.weight": RANDOM.uniform(0.5, 2, WIDE).astype(np.float32),
    "norm.bias": _normal(WIDE, scale=0.5),
    "norm.running_mean": _normal(WIDE, scale=0.2),
    "norm.running_var": RANDOM.uniform(0.5, 2, WIDE).astype(np.float32),
    # Of a transformer some channels are a hundred times larger than others.
    "layer.weight": (RANDOM.uniform(0.5, 2, WIDE) * np.where(np.arange(WIDE) % 8, 1, 50)).astype(np.float32),
    "layer.bias": _normal(WIDE, scale=0.2),
    "up.weight": _normal(4 * WIDE, WIDE, scale=0.2),
    "up.bias": _normal(4 * WIDE, scale=0.1),
    "down.weight": _normal(WIDE, 4 * WIDE, scale=0.1),
    "down.bias": _normal(WIDE, scale=0.1),
}


def network(ops: Ops[Tensor], x: Tensor) -> Tensor:
    x = ops.relu(ops.conv(x, "stem", stride=2))
    x = ops.relu(ops.batch_norm(ops.conv(x, "wide"), "norm", 1e-5))
    tokens = ops.patches(ops.relu(ops.batch_norm(ops.conv(x, "mix"), "norm", 1e-5)))
    up = ops.gelu(ops.linear(ops.layer_norm(tokens, "layer", 1e-5), "up"), Gelu.QUICK)
    return ops.first_token(ops.add(tokens, ops.linear(up, "down")))


NETWORK = TrainedNetwork("int8", network, (3, 9, 9), WIDE, "33" * 32, lambda: WEIGHTS)


def batches(number: int) -> list[Inputs]:
    return [RANDOM.normal(size=(8, 3, 9, 9)).astype(np.float32) for _ in range(number)]


def cosines(one: FloatArray, other: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: FloatArray = (one * other).sum(axis=1) / lengths
    return found


def choice(cache: Path, **changes: object) -> EngineChoice:
    return replace(EngineChoice("auto", "cpu", 2, cache, precision="int8"), **changes)  # type: ignore[arg-type]


def test_vectors_are_close(tmp_path: Path) -> None:
    shared = load_engine(NETWORK, choice(tmp_path), Samples("a", lambda: batches(8)))
    exact = load_engine(NETWORK, EngineChoice("onnx", "cpu", 2, tmp_path))
    assert (shared.engine.name, shared.engine.precision) == ("openvino", "int8")
    (fresh,) = batches(1)
    found = cosines(shared.run(fresh), exact.run(fresh))
    assert 0.999 < found.mean() < 0.9999999


def test_its_layers_really_are_in_8_bits(tmp_path: Path) -> None:
    load_engine(NETWORK, choice(tmp_path), Samples("a", lambda: batches(4)))
    (path,) = (tmp_path / "graphs").glob("*-int8-*.onnx")
    written = Int8Graph(path)
    rounded = [name for name, numbers in written.numbers.items() if numbers.dtype == np.int8 and numbers.ndim > 1]
    assert len(rounded) == 4


def test_it_is_made_once_for_the_same_samples(tmp_path: Path) -> None:
    def never() -> list[Inputs]:
        raise AssertionError("it is there already")

    load_engine(NETWORK, choice(tmp_path), Samples("a", lambda: batches(4)))
    load_engine(NETWORK, choice(tmp_path), Samples("a", never))
    with pytest.raises(AssertionError, match="there already"):
        load_engine(NETWORK, choice(tmp_path), Samples("b", never))
    assert list(tmp_path.rglob("*partial*")) == []


def test_smoothing_moves_numbers_and_changes_no_vector(tmp_path: Path) -> None:
    write_graph(NETWORK, tmp_path / "graph.onnx")
    graph = Int8Graph(tmp_path / "graph.onnx")
    plain = graph.plain()
    before = {layer.weight: graph.numbers[layer.weight] for layer in graph.layers}
    sizes = {layer.source: graph.numbers[layer.weight].shape[0 if layer.product else 1] for layer in graph.layers}
    graph.smooth({f"most {edge}": np.linspace(1, 100, size) for edge, size in sizes.items()})
    # The last one follows an activation through which, unlike a rectifier, no factor can be moved.
    moved = [not np.array_equal(before[layer.weight], graph.numbers[layer.weight]) for layer in graph.layers]
    assert moved == [True, True, True, False]
    (batch,) = batches(1)
    found = []
    for name, one in (("plain", plain), ("smooth", graph.plain())):
        one.write(tmp_path / f"{name}.onnx")
        written = ConvertedGraph(NETWORK.name, tmp_path / f"{name}.onnx", (3, 9, 9), WIDE)
        found.append(load_engine(written, EngineChoice("onnx", "cpu", 1, tmp_path)).run(batch))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-4)


def test_what_would_change_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecmod.serving.engine.quantise._LEAST", 0.9999999)
    with pytest.raises(EngineUnavailable, match=r"vectors would change too much.*leave VECMOD_PRECISION=fp32"):
        load_engine(NETWORK, choice(tmp_path), Samples("a", lambda: batches(4)))
    assert list(tmp_path.rglob("*-int8-*")) == []


def test_without_samples_it_stays_fp32(tmp_path: Path) -> None:
    assert load_engine(NETWORK, choice(tmp_path)).engine.precision == "fp32"


@pytest.mark.parametrize(
    ("name", "device", "says"),
    [
        ("onnx", "cpu", "openvino alone runs int8"),
        ("torch", "cpu", "openvino alone runs int8"),
        ("auto", "cuda:0", "int8 runs on the CPU"),
    ],
)
def test_who_cannot_says_who_can(name: str, device: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=says):
        engine_names(choice(tmp_path, name=name, device=device))


def test_it_is_measured_apart_from_fp32(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        shared = load_engine(NETWORK, choice(tmp_path, streams=None), Samples("a", lambda: batches(4)))
    assert next(iter(shared.measured)) == "openvino 1x2 int8"
    assert set(shared.measured) <= {"openvino 1x2 int8", "openvino 2x1 int8"}
    assert "calibrating int8, once" in caplog.text
