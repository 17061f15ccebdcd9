"""Which engine runs a network: what was asked for, what is installed, what is fastest; or an error with the choices."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vecmod.serving.engine.engine import Engine, EngineUnavailable, Split
from vecmod.serving.engine.graph_file import load_graph
from vecmod.serving.engine.measure import Plan, Way, best_plan
from vecmod.serving.engine.network import AnyNetwork
from vecmod.serving.engine.shared import SharedEngine

AUTO = "auto"


@dataclass(frozen=True)
class EngineChoice:
    """What the operator asked for.

    Attributes:
        name: ``auto``, ``onnx``, ``openvino`` or ``torch``.
        device: ``cpu`` or a torch device such as ``cuda:0``.
        cores: to be used.
        cache: folder for converted graphs, and for what was measured.
        streams: runs at once, which share the cores; None: what is fastest.
    """

    name: str
    device: str
    cores: int
    cache: Path
    streams: int | None = 1


def _onnx(network: AnyNetwork, choice: EngineChoice, split: Split) -> Engine:
    from vecmod.serving.engine.onnx_engine import OnnxEngine  # noqa: PLC0415 -- an optional extra

    return load_graph(network, choice.cache, lambda path: OnnxEngine(path, split))


def _openvino(network: AnyNetwork, choice: EngineChoice, split: Split) -> Engine:
    from vecmod.serving.engine.openvino_engine import OpenVinoEngine  # noqa: PLC0415 -- an optional extra

    return load_graph(network, choice.cache, lambda path: OpenVinoEngine(path, split))


def _torch(network: AnyNetwork, choice: EngineChoice, split: Split) -> Engine:
    from vecmod.serving.engine.torch_engine import load_torch  # noqa: PLC0415 -- an optional extra

    return load_torch(network, choice.device, split)


_TORCH = "torch"
_ENGINES: dict[str, tuple[str, Callable[[AnyNetwork, EngineChoice, Split], Engine]]] = {
    "onnx": ("onnxruntime", _onnx),
    "openvino": ("openvino", _openvino),
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
    wanted = candidates if choice.name == AUTO else [choice.name]
    usable = [name for name in wanted if name in installed and name in candidates]
    if usable:
        # On a CPU torch is there for comparing: it has neither streams nor graphs.
        return [name for name in usable if name != _TORCH] or usable
    have = ", ".join(installed) or "none"
    raise EngineUnavailable(
        f"no engine for VECMOD_ENGINE={choice.name} on {choice.device}: known are {', '.join(_ENGINES)} "
        f"({'torch alone runs on a GPU' if on_gpu else 'all run on the CPU'}), installed here: {have}; "
        f"install one: pip install 'vecmod[{candidates[0]}]'"
    )


def load_engine(network: AnyNetwork, choice: EngineChoice) -> SharedEngine:
    """Load the network into the chosen engine, or into the fastest.

    Raises:
        EngineUnavailable: see :func:`engine_names`, or the network cannot be loaded by it.
    """
    plan = _plan(network, choice)
    return SharedEngine(_load(network, choice, plan.way), plan.batch, plan.measured)


def _plan(network: AnyNetwork, choice: EngineChoice) -> Plan:
    ways = _ways(choice)
    if len(ways) == 1:
        return Plan(ways[0])
    return best_plan(network, ways, lambda way: _load(network, choice, way), choice.cache)


def _ways(choice: EngineChoice) -> list[Way]:
    """All that may be tried, the one that is taken untried first."""
    names = engine_names(choice)
    if names == [_TORCH]:
        return [Way(_TORCH, Split(1, choice.cores))]
    divided = [choice.streams] if choice.streams else list(dict.fromkeys((1, choice.cores)))
    splits = [Split(streams, max(1, choice.cores // streams)) for streams in divided]
    return [Way(name, split) for split in splits for name in names]


def _load(network: AnyNetwork, choice: EngineChoice, way: Way) -> Engine:
    return _ENGINES[way.engine][1](network, choice, way.split)
