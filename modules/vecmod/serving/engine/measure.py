"""Which engine, how many streams and how large a batch are fastest here: tried out for some seconds, and remembered."""

import hashlib
import json
import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

import numpy as np

from vecmod.serving.engine.engine import Engine, EngineUnavailable, Inputs, Split
from vecmod.serving.engine.network import AnyNetwork, TrainedNetwork

_log = logging.getLogger(__name__)

BATCHES = (1, 4, 8, 16)
# By which ways are compared.
_TYPICAL = 4
# A batch grows, and cores are divided, only for so much more throughput: both cost whoever waits for one answer.
_WORTH = 1.1
_TURN_SECONDS = 0.25
# For one network.
_BUDGET_SECONDS = 6.0
# For one input; a network that needs longer keeps all cores busy in any way.
_SLOW_SECONDS = 0.5
# Tokens of a text, where a network leaves that free.
_FREE_LENGTH = 16
_PACKAGES = ("onnxruntime", "openvino")


@dataclass(frozen=True)
class Way:
    """One way of running a network."""

    engine: str
    split: Split
    precision: str = "fp32"

    def __str__(self) -> str:
        said = f"{self.engine} {self.split.streams}x{self.split.threads}"
        return said if self.precision == "fp32" else f"{said} {self.precision}"


@dataclass(frozen=True)
class Plan:
    """The way that was found, the batch that is enough for it, and inputs a second of each way that was tried."""

    way: Way
    batch: int | None = None
    measured: Mapping[str, float] | None = None


def best_plan(network: AnyNetwork, ways: Sequence[Way], load: Callable[[Way], Engine], cache: Path) -> Plan:
    """The plan that was found here earlier, or is found now; without measuring where that would take long.

    Args:
        network: to be run.
        ways: to be tried; the first is taken if others are hardly better.
        load: the network, to be run in one way.
        cache: folder where plans are remembered; one that cannot be written to means no measuring, at each start anew.

    Raises:
        EngineUnavailable: if the first way cannot run the network.
    """
    path = cache / "plans" / f"{_key(network, ways)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _read(path)
    if not _is_writable(path.parent):
        return Plan(ways[0])
    plan = _measure(network, ways, load)
    if plan.measured:
        _log.info("of %s, %s was taken, in batches of %s", plan.measured, plan.way, plan.batch)
    _write(path, plan)
    return plan


def _measure(network: AnyNetwork, ways: Sequence[Way], load: Callable[[Way], Engine]) -> Plan:
    end = time.monotonic() + _BUDGET_SECONDS
    found: dict[Way, float] = {}
    for way in ways:
        try:
            with closing(load(way)) as engine:
                if _seconds_of_one(engine, network) > _SLOW_SECONDS:
                    break
                found[way] = _rate(engine, _inputs(network, _TYPICAL))
        except EngineUnavailable as error:
            if way == ways[0]:
                raise
            _log.warning("%s is left out: %s", way, error)
        if time.monotonic() > end:
            break
    if not found:
        return Plan(ways[0])
    way = max(found, key=lambda one: found[one] * (_WORTH if one == ways[0] else 1))
    with closing(load(way)) as engine:
        rates = {size: _rate(engine, _inputs(network, size)) for size in BATCHES}
    batch = next(size for size, rate in rates.items() if rate * _WORTH >= max(rates.values()))
    return Plan(way, batch, {str(one): round(rate, 1) for one, rate in found.items()})


def _seconds_of_one(engine: Engine, network: AnyNetwork) -> float:
    one = _inputs(network, 1)
    engine.run(one)
    began = time.perf_counter()
    engine.run(one)
    return time.perf_counter() - began


def _rate(engine: Engine, batch: Inputs) -> float:
    """Inputs a second, with all streams busy."""
    engine.run(batch)
    began = time.perf_counter()

    def stream(_: int) -> int:
        runs = 0
        while time.perf_counter() - began < _TURN_SECONDS or not runs:
            engine.run(batch)
            runs += 1
        return runs

    with ThreadPoolExecutor(engine.split.streams) as streams:
        runs = sum(streams.map(stream, range(engine.split.streams)))
    return runs * len(batch) / (time.perf_counter() - began)


def _inputs(network: AnyNetwork, size: int) -> Inputs:
    """Inputs of the right shape that no engine can skip."""
    shape = [size, *(length if isinstance(length, int) else _FREE_LENGTH for length in network.input_shape)]
    random = np.random.default_rng(0)
    if len(shape) == len(("n", "length")):
        return random.integers(1, 100, shape, np.int64)
    return random.standard_normal(shape, np.float32)


def _key(network: AnyNetwork, ways: Sequence[Way]) -> str:
    """Of everything that the answer depends on."""
    said = [*map(str, ways), platform.machine(), _processor(), *(_version(name) for name in _PACKAGES)]
    if isinstance(network, TrainedNetwork):
        said += [network.name, network.digest, repr(network.input_shape)]
    else:
        stat = network.path.stat()
        said += [network.path.name, str(stat.st_size), str(stat.st_mtime_ns)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def _processor() -> str:
    with suppress(OSError), Path("/proc/cpuinfo").open() as lines:
        return next((line for line in lines if line.startswith("model name")), "")
    return platform.processor()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _read(path: Path) -> Plan:
    said = json.loads(path.read_text("utf-8"))
    way = Way(said["way"]["engine"], Split(*said["way"]["split"]), said["way"]["precision"])
    return Plan(way, said["batch"], said["measured"])


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"{uuid4().hex}.partial"
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def _write(path: Path, plan: Plan) -> None:
    partial = path.with_suffix(f".{uuid4().hex}.partial")
    try:
        partial.write_text(json.dumps(asdict(plan)), "utf-8")
        partial.replace(path)
    except OSError as error:
        _log.warning("what was measured cannot be remembered in %s: %s", path.parent, error)
        partial.unlink(missing_ok=True)
