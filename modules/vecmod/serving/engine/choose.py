"""Which engine runs a network: what was asked for, what is installed, what is fastest; or an error with the choices."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vecmod.serving.engine.engine import Engine, EngineUnavailable, Split
from vecmod.serving.engine.graph_file import Samples, cached_int8, load_graph
from vecmod.serving.engine.measure import Plan, Way, best_plan
from vecmod.serving.engine.network import AnyNetwork, ExportedGraph
from vecmod.serving.engine.shared import SharedEngine

AUTO, FP32, INT8 = "auto", "fp32", "int8"
_INT8_ENGINE = "openvino"


@dataclass(frozen=True)
class EngineChoice:
    """What the operator asked for.

    Attributes:
        name: ``auto``, ``onnx``, ``openvino`` or ``torch``.
        device: ``cpu`` or a torch device such as ``cuda:0``.
        cores: to be used.
        cache: folder for converted graphs, and for what was measured.
        streams: runs at once, which share the cores; None: what is fastest.
        precision: ``fp32`` or ``int8``, which changes vectors; of networks that samples are known for.
    """

    name: str
    device: str
    cores: int
    cache: Path
    streams: int | None = 1
    precision: str = FP32


def _onnx(network: AnyNetwork, choice: EngineChoice, split: Split, _: Samples | None) -> Engine:
    from vecmod.serving.engine.onnx_engine import OnnxEngine  # noqa: PLC0415 -- an optional extra

    return load_graph(network, choice.cache, lambda path: OnnxEngine(path, split))


def _openvino(network: AnyNetwork, choice: EngineChoice, split: Split, samples: Samples | None) -> Engine:
    from vecmod.serving.engine.openvino_engine import OpenVinoEngine  # noqa: PLC0415 -- an optional extra

    if choice.precision == FP32 or samples is None or isinstance(network, ExportedGraph):
        return load_graph(network, choice.cache, lambda path: OpenVinoEngine(path, split))
    whole = Split(1, choice.cores)

    def read(path: Path) -> OpenVinoEngine:
        rounded = cached_int8(path, choice.cache, samples, lambda graph: OpenVinoEngine(graph, whole))
        return OpenVinoEngine(rounded, split, INT8)

    return load_graph(network, choice.cache, read)


def _torch(network: AnyNetwork, choice: EngineChoice, split: Split, _: Samples | None) -> Engine:
    from vecmod.serving.engine.torch_engine import load_torch  # noqa: PLC0415 -- an optional extra

    return load_torch(network, choice.device, split)


_TORCH = "torch"
_ENGINES: dict[str, tuple[str, Callable[[AnyNetwork, EngineChoice, Split, Samples | None], Engine]]] = {
    "onnx": ("onnxruntime", _onnx),
    _INT8_ENGINE: ("openvino", _openvino),
    _TORCH: ("torch", _torch),
}


def engine_names(choice: EngineChoice) -> list[str]:
    """The engines that may run: the one that was asked for, else all that can, the preferred one first.

    Raises:
        EngineUnavailable: if it is unknown, not installed, or cannot use the device.
    """
    installed = [name for name, (library, _) in _ENGINES.items() if find_spec(library)]
    on_gpu = choice.device != "cpu"
    candidates = [_TORCH] if on_gpu else list(_ENGINES)
    if choice.precision == INT8:
        candidates = [name for name in candidates if name == _INT8_ENGINE]
    wanted = candidates if choice.name == AUTO else [choice.name]
    usable = [name for name in wanted if name in installed and name in candidates]
    if usable:
        # On a CPU torch is there for comparing: it has neither streams nor graphs.
        return [name for name in usable if name != _TORCH] or usable
    have = ", ".join(installed) or "none"
    raise EngineUnavailable(
        f"no engine for VECMOD_ENGINE={choice.name} on {choice.device} in {choice.precision}: known are "
        f"{', '.join(_ENGINES)} ({_who_runs(choice)}), installed here: {have}; {_advice(candidates)}"
    )


def _who_runs(choice: EngineChoice) -> str:
    if choice.device != "cpu":
        return "torch alone runs on a GPU" + ("; int8 runs on the CPU" if choice.precision == INT8 else "")
    return f"{_INT8_ENGINE} alone runs int8" if choice.precision == INT8 else "all run on the CPU"


def _advice(candidates: list[str]) -> str:
    return f"install one: pip install 'vecmod[{candidates[0]}]'" if candidates else "unset VECMOD_PRECISION"


def load_engine(network: AnyNetwork, choice: EngineChoice, samples: Samples | None = None) -> SharedEngine:
    """Load the network into the chosen engine, or into the fastest.

    Args:
        network: to be run.
        choice: what was asked for.
        samples: inputs to calibrate int8 with; without them the network stays in fp32.

    Raises:
        EngineUnavailable: see :func:`engine_names`, or the network cannot be loaded by it.
    """
    ways = _ways(choice)

    def load(way: Way) -> Engine:
        return _ENGINES[way.engine][1](network, choice, way.split, samples)

    plan = Plan(ways[0]) if len(ways) == 1 else best_plan(network, ways, load, choice.cache)
    return SharedEngine(load(plan.way), plan.batch, plan.measured)


def _ways(choice: EngineChoice) -> list[Way]:
    """All that may be tried, the one that is taken untried first."""
    names = engine_names(choice)
    if names == [_TORCH]:
        return [Way(_TORCH, Split(1, choice.cores))]
    divided = [choice.streams] if choice.streams else list(dict.fromkeys((1, choice.cores)))
    splits = [Split(streams, max(1, choice.cores // streams)) for streams in divided]
    return [Way(name, split, choice.precision) for split in splits for name in names]
