"""Which engine runs a network: what was asked for, what is installed, and an error that lists the choices."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vecmod.serving.engine.engine import Engine, EngineUnavailable
from vecmod.serving.engine.network import AnyNetwork


@dataclass(frozen=True)
class EngineChoice:
    """What the operator asked for.

    Attributes:
        name: ``auto``, ``onnx`` or ``torch``.
        device: ``cpu`` or a torch device such as ``cuda:0``.
        threads: threads inside one run of the network.
        cache: folder for converted graphs.
    """

    name: str
    device: str
    threads: int
    cache: Path


def _onnx(network: AnyNetwork, choice: EngineChoice) -> Engine:
    from vecmod.serving.engine.onnx_engine import load_onnx  # noqa: PLC0415 -- an optional extra

    return load_onnx(network, choice.cache, choice.threads)


def _torch(network: AnyNetwork, choice: EngineChoice) -> Engine:
    from vecmod.serving.engine.torch_engine import load_torch  # noqa: PLC0415 -- an optional extra

    return load_torch(network, choice.device, choice.threads)


_ENGINES: dict[str, tuple[str, Callable[[AnyNetwork, EngineChoice], Engine]]] = {
    "onnx": ("onnxruntime", _onnx),
    "torch": ("torch", _torch),
}


def engine_name(choice: EngineChoice) -> str:
    """The engine that will run.

    Raises:
        EngineUnavailable: if it is unknown, not installed, or cannot use the device.
    """
    installed = [name for name, (library, _) in _ENGINES.items() if find_spec(library)]
    on_gpu = choice.device != "cpu"
    candidates = ["torch"] if on_gpu else list(_ENGINES)
    wanted = candidates if choice.name == "auto" else [choice.name]
    usable = [name for name in wanted if name in installed and name in candidates]
    if usable:
        return usable[0]
    have = ", ".join(installed) or "none"
    raise EngineUnavailable(
        f"no engine for VECMOD_ENGINE={choice.name} on {choice.device}: known are {', '.join(_ENGINES)} "
        f"({'torch alone runs on a GPU' if on_gpu else 'all run on the CPU'}), installed here: {have}; "
        f"install one: pip install 'vecmod[{candidates[0]}]'"
    )


def load_engine(network: AnyNetwork, choice: EngineChoice) -> Engine:
    """Load the network into the chosen engine.

    Raises:
        EngineUnavailable: see :func:`engine_name`, or the network cannot be loaded by it.
    """
    return _ENGINES[engine_name(choice)][1](network, choice)
