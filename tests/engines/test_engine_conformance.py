"""Every engine gives the same numbers for every operation, and says clearly what it cannot do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from vecmod.serving.engine.choose import EngineChoice, engine_names, load_engine
from vecmod.serving.engine.engine import EngineUnavailable
from vecmod.serving.engine.network import ConvertedGraph, Network, Ops, Tensor, TrainedNetwork
from vecmod.serving.engine.onnx_graph import cached_graph, write_graph

GRAPH_ENGINES = ("onnx", "openvino")
ENGINES = (*GRAPH_ENGINES, "torch")
RANDOM = np.random.default_rng(7)
WEIGHTS = {
    "wide.weight": RANDOM.normal(size=(6, 3, 3, 3)).astype(np.float32),
    "wide.bias": RANDOM.normal(size=6).astype(np.float32),
    "number": np.array(2.5, np.float32),
    "token": RANDOM.normal(size=(1, 1, 6)).astype(np.float32),
    "deep.weight": RANDOM.normal(size=(6, 1, 5, 5)).astype(np.float32),
    "norm.weight": RANDOM.normal(size=6).astype(np.float32),
    "norm.bias": RANDOM.normal(size=6).astype(np.float32),
    "norm.running_mean": RANDOM.normal(size=6).astype(np.float32),
    "norm.running_var": RANDOM.uniform(0.5, 2, size=6).astype(np.float32),
}


def every_operation(ops: Ops[Tensor], x: Tensor) -> Tensor:
    x = ops.batch_norm(ops.conv(x, "wide", stride=2, padding=(0, 1)), "norm", 1e-3)
    y = ops.relu(ops.conv(x, "deep", padding=(2, 2), depthwise=True), ceiling=6.0)
    return ops.global_average_pool(ops.max_pool(ops.relu(ops.add(x, y)), kernel=3, stride=2, padding=1))


def by_hand(batch: np.ndarray) -> np.ndarray:
    """The same network in torch's own words."""
    weights = {name: torch.from_numpy(value) for name, value in WEIGHTS.items()}
    x = functional.conv2d(functional.pad(torch.from_numpy(batch), (0, 1, 0, 1)), weights["wide.weight"], stride=2)
    scale = weights["norm.weight"] / torch.sqrt(weights["norm.running_var"] + 1e-3)
    x = (x - weights["norm.running_mean"][:, None, None]) * scale[:, None, None] + weights["norm.bias"][:, None, None]
    y = functional.conv2d(x, weights["deep.weight"], padding=2, groups=6).clamp(0, 6)
    return functional.max_pool2d((x + y).clamp(min=0), 3, 2, 1).mean(dim=(2, 3)).numpy()


NETWORK = TrainedNetwork("every-operation", every_operation, (3, 16, 16), 6, "00" * 32, lambda: WEIGHTS)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("count", [1, 5])
def test_every_operation(name: str, count: int, tmp_path: Path) -> None:
    batch = RANDOM.normal(size=(count, 3, 16, 16)).astype(np.float32)
    shared = load_engine(NETWORK, EngineChoice(name, "cpu", 2, tmp_path))
    vectors, engine = shared.run(batch), shared.engine
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, by_hand(batch), atol=1e-5)
    assert (engine.name, engine.device, engine.precision, engine.split) == (name, "cpu", "fp32", (1, 2))
    shared.close()


def pooled_tokens(ops: Ops[Tensor], x: Tensor) -> Tensor:
    tokens = ops.patches(ops.conv(x, "wide", stride=3, bias=True))
    asked = ops.attention(ops.learned_token(tokens, "token"), tokens, tokens, heads=2)
    return ops.multiply(ops.unit(ops.add(ops.first_token(asked), ops.last_token(tokens))), "number")


def pooled_by_hand(batch: np.ndarray) -> np.ndarray:
    weights = {name: torch.from_numpy(value) for name, value in WEIGHTS.items()}
    places = functional.conv2d(torch.from_numpy(batch), weights["wide.weight"], weights["wide.bias"], stride=3)
    tokens = places.flatten(2).transpose(1, 2)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        scores = (tokens[:, :, part] @ weights["token"][0, 0, part]) / 3**0.5
        heads.append((scores.softmax(dim=1)[:, :, None] * tokens[:, :, part]).sum(dim=1))
    pooled = torch.cat(heads, dim=1) + tokens[:, -1]
    unit: np.ndarray = (pooled / pooled.norm(dim=1, keepdim=True)).numpy()
    return 2.5 * unit


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("count", [1, 5])
def test_operations_on_tokens(name: str, count: int, tmp_path: Path) -> None:
    batch = RANDOM.normal(size=(count, 3, 16, 16)).astype(np.float32)
    network = replace(NETWORK, name="pooled-tokens", network=pooled_tokens)
    vectors = load_engine(network, EngineChoice(name, "cpu", 2, tmp_path)).run(batch)
    np.testing.assert_allclose(vectors, pooled_by_hand(batch), atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_nothing_scaled_to_length_1_stays_nothing(name: str, tmp_path: Path) -> None:
    def unit(ops: Ops[Tensor], x: Tensor) -> Tensor:
        return ops.unit(ops.global_average_pool(x))

    network = replace(NETWORK, name="unit", network=unit, input_shape=(3, 1, 1), dim=3)
    batch = np.array([[0, 0, 0], [0, 3, 4]], np.float32).reshape(2, 3, 1, 1)
    expected = np.array([[0, 0, 0], [0, 0.6, 0.8]])
    vectors = load_engine(network, EngineChoice(name, "cpu", 1, tmp_path)).run(batch)
    np.testing.assert_allclose(vectors, expected, atol=1e-7)


def test_a_graph_is_recorded_once_for_each_weights(tmp_path: Path) -> None:
    first = cached_graph(NETWORK, tmp_path)
    stamp = first.stat().st_mtime_ns
    assert cached_graph(NETWORK, tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    assert cached_graph(replace(NETWORK, digest="11" * 32), tmp_path) != first


def test_a_half_written_graph_is_never_found(tmp_path: Path) -> None:
    def fail() -> dict[str, np.ndarray]:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cached_graph(replace(NETWORK, load=fail), tmp_path)
    assert list(tmp_path.rglob("*.onnx")) == []


@pytest.mark.parametrize("name", ENGINES)
def test_converted_graph(name: str, tmp_path: Path) -> None:
    write_graph(NETWORK, tmp_path / "graph.onnx")
    graph = ConvertedGraph(NETWORK.name, tmp_path / "graph.onnx", (3, 16, 16), 6)
    choice = EngineChoice(name, "cpu", 2, tmp_path)
    if name == "torch":
        with pytest.raises(EngineUnavailable, match="VECMOD_ENGINE=onnx"):
            load_engine(graph, choice)
        return
    batch = RANDOM.normal(size=(2, 3, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(load_engine(graph, choice).run(batch), by_hand(batch), atol=1e-5)
    with pytest.raises(EngineUnavailable, match="holds every-operation, not resnet50"):
        load_engine(replace(graph, name="resnet50"), choice)


@pytest.mark.parametrize("name", GRAPH_ENGINES)
def test_a_damaged_graph_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(EngineUnavailable, match=r"graph\.onnx cannot be loaded"):
        load_engine(ConvertedGraph("x", path, (3, 16, 16), 6), EngineChoice(name, "cpu", 1, tmp_path))


@pytest.mark.parametrize("name", GRAPH_ENGINES)
@pytest.mark.parametrize(("network", "expected"), [(every_operation, by_hand), (pooled_tokens, pooled_by_hand)])
def test_numbers_beside_the_graph(
    network: Network,
    expected: Callable[[np.ndarray], np.ndarray],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it must be above 2 GiB; shapes must stay in the graph, or it cannot be loaded."""
    monkeypatch.setattr("vecmod.serving.engine.onnx_graph._SMALL", 100)
    path = tmp_path / "graph.onnx"
    write_graph(replace(NETWORK, network=network), path, inline_limit=500)
    (beside,) = tmp_path.glob("graph-*.data")
    assert beside.stat().st_size >= 600
    graph = ConvertedGraph(NETWORK.name, path, (3, 16, 16), 6)
    batch = RANDOM.normal(size=(2, 3, 16, 16)).astype(np.float32)
    engine = load_engine(graph, EngineChoice(name, "cpu", 1, tmp_path))
    np.testing.assert_allclose(engine.run(batch), expected(batch), atol=1e-5)
    beside.unlink()
    with pytest.raises(EngineUnavailable, match=r"graph\.onnx cannot be loaded"):
        load_engine(graph, EngineChoice(name, "cpu", 1, tmp_path))


@pytest.mark.parametrize("name", GRAPH_ENGINES)
@pytest.mark.parametrize("left", [0, 100, 1000])
def test_a_damaged_graph_in_the_cache_is_made_again(left: int, name: str, tmp_path: Path) -> None:
    path = cached_graph(NETWORK, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    engine = load_engine(NETWORK, EngineChoice(name, "cpu", 1, tmp_path))
    batch = RANDOM.normal(size=(2, 3, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(engine.run(batch), by_hand(batch), atol=1e-5)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", GRAPH_ENGINES)
@pytest.mark.parametrize("left", [None, 0, 1000])
def test_numbers_that_are_lost_in_the_cache_are_made_again(
    left: int | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecmod.serving.engine.onnx_graph.BESIDE_LIMIT", 500)
    monkeypatch.setattr("vecmod.serving.engine.onnx_graph._SMALL", 100)
    path = cached_graph(NETWORK, tmp_path)
    (beside,) = path.parent.glob("*.data")
    if left is None:
        beside.unlink()
    else:
        beside.write_bytes(beside.read_bytes()[:left])
    engine = load_engine(NETWORK, EngineChoice(name, "cpu", 1, tmp_path))
    batch = RANDOM.normal(size=(2, 3, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(engine.run(batch), by_hand(batch), atol=1e-5)
    assert len(list(path.parent.glob("*.data"))) == 1


def test_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(name: str, device: str = "cpu") -> str:
        return engine_names(EngineChoice(name, device, 1, tmp_path))[0]

    assert choose("auto") == "onnx"
    assert choose("torch") == "torch"
    assert choose("auto", "cuda:0") == "torch"
    with pytest.raises(EngineUnavailable, match="torch alone runs on a GPU"):
        choose("onnx", "cuda:0")
    monkeypatch.setattr("vecmod.serving.engine.choose.find_spec", lambda _: None)
    with pytest.raises(EngineUnavailable, match=r"installed here: none; install one: pip install 'vecmod\[onnx\]'"):
        choose("auto")


def test_no_gpu_here(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineUnavailable, match="sees no CUDA device"):
        load_engine(NETWORK, EngineChoice("torch", "cuda:0", 1, tmp_path))


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineUnavailable, match="set VECMOD_CACHE_DIR"):
        load_engine(NETWORK, EngineChoice("onnx", "cpu", 1, tmp_path / "file"))
