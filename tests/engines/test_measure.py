"""The fastest way of running a network is found once, remembered, and never keeps a service from starting."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recipes import SMALL_NETWORK
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.engine.engine import Engine, EngineUnavailable, FloatArray, Inputs, Split
from vecmod.serving.engine.measure import BATCHES, Way, best_plan

SLOW, FAST, DIVIDED = Way("slow", Split(1, 2)), Way("fast", Split(1, 2)), Way("divided", Split(2, 1))


class Timed:
    """An engine whose runs take as long as they are told."""

    device, precision = "cpu", "fp32"

    def __init__(self, way: Way, seconds: Callable[[int], float]) -> None:
        self.name, self.split = way.engine, way.split
        self.closed = False
        self.seconds = seconds

    def run(self, batch: Inputs) -> FloatArray:
        time.sleep(self.seconds(len(batch)))
        return np.zeros((len(batch), 3), np.float32)

    def close(self) -> None:
        self.closed = True


class Engines:
    """Loads them and remembers what it loaded."""

    def __init__(self, seconds: dict[Way, Callable[[int], float]]) -> None:
        self.made: list[Timed] = []
        self._seconds = seconds

    def __call__(self, way: Way) -> Engine:
        if way not in self._seconds:
            raise EngineUnavailable(f"no {way} here")
        self.made.append(Timed(way, self._seconds[way]))
        return self.made[-1]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates as they would be on a machine that does nothing else."""

    def rate(engine: Timed, batch: Inputs) -> float:
        return engine.split.streams * len(batch) / engine.seconds(len(batch))

    monkeypatch.setattr("vecmod.serving.engine.measure._rate", rate)


@pytest.mark.usefixtures("quick")
def test_the_fastest_is_found_and_remembered(tmp_path: Path) -> None:
    engines = Engines({SLOW: lambda n: 0.02 * n, FAST: lambda n: 0.01 * n, DIVIDED: lambda n: 0.014 * n})
    plan = best_plan(SMALL_NETWORK, [SLOW, FAST, DIVIDED], engines, tmp_path)
    assert plan.way == DIVIDED
    assert plan.measured is not None
    assert list(plan.measured) == ["slow 1x2", "fast 1x2", "divided 2x1"]
    assert all(engine.closed for engine in engines.made)
    nothing = Engines({})
    assert best_plan(SMALL_NETWORK, [SLOW, FAST, DIVIDED], nothing, tmp_path) == plan
    with pytest.raises(EngineUnavailable):
        best_plan(replace(SMALL_NETWORK, digest="22" * 32), [SLOW, FAST, DIVIDED], nothing, tmp_path)


@pytest.mark.usefixtures("quick")
def test_a_batch_is_as_large_as_it_pays(tmp_path: Path) -> None:
    steep, flat = {FAST: lambda _: 0.02}, {FAST: lambda n: 0.02 * n}
    assert best_plan(SMALL_NETWORK, [FAST, SLOW], Engines(steep), tmp_path / "steep").batch == BATCHES[-1]
    assert best_plan(SMALL_NETWORK, [FAST, SLOW], Engines(flat), tmp_path / "flat").batch == 1


@pytest.mark.usefixtures("quick")
def test_what_is_hardly_faster_is_not_taken(tmp_path: Path) -> None:
    engines = Engines({SLOW: lambda n: 0.02 * n, FAST: lambda n: 0.0197 * n})
    assert best_plan(SMALL_NETWORK, [SLOW, FAST], engines, tmp_path).way == SLOW


def test_a_slow_network_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecmod.serving.engine.measure._SLOW_SECONDS", 0.01)
    engines = Engines({SLOW: lambda _: 0.02, FAST: lambda _: 0.001})
    plan = best_plan(SMALL_NETWORK, [SLOW, FAST], engines, tmp_path)
    assert (plan.way, plan.batch, plan.measured) == (SLOW, None, None)
    assert len(engines.made) == 1


@pytest.mark.usefixtures("quick")
def test_an_engine_that_cannot_is_left_out(tmp_path: Path) -> None:
    plan = best_plan(SMALL_NETWORK, [SLOW, FAST], Engines({SLOW: lambda n: 0.001 * n}), tmp_path)
    assert plan.way == SLOW


def test_where_nothing_can_be_remembered_nothing_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    engines = Engines({})
    assert best_plan(SMALL_NETWORK, [SLOW, FAST], engines, tmp_path / "file").way == SLOW
    assert engines.made == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("written", ["", "{}", "null", '{"way": {"engine": "x"}, "batch": 1, "measured": {}}'])
def test_a_damaged_plan_is_made_again(written: str, tmp_path: Path) -> None:
    engines = Engines({SLOW: lambda n: 0.005 * n, FAST: lambda n: 0.02 * n})
    best_plan(SMALL_NETWORK, [SLOW, FAST], engines, tmp_path)
    (path,) = (tmp_path / "plans").iterdir()
    path.write_text(written)
    assert best_plan(SMALL_NETWORK, [SLOW, FAST], engines, tmp_path).way == SLOW
    assert json.loads(path.read_text())["measured"]


def test_real_engines_are_measured(tmp_path: Path) -> None:
    shared = load_engine(SMALL_NETWORK, EngineChoice("auto", "cpu", 2, tmp_path, streams=None))
    # As many as there was time for.
    ways = ["onnx 1x2", "openvino 1x2", "onnx 2x1", "openvino 2x1"]
    assert list(shared.measured) == ways[: len(shared.measured)]
    assert len(shared.measured) >= 2
    assert all(rate > 0 for rate in shared.measured.values())
    assert shared.batch in BATCHES
    assert str(Way(shared.engine.name, shared.engine.split)) in shared.measured
    again = load_engine(SMALL_NETWORK, EngineChoice("auto", "cpu", 2, tmp_path, streams=None))
    assert again.measured == shared.measured
