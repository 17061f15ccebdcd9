"""Micro-batches: full when many wait, at once when nobody does, and every waiter is answered whatever happens."""

import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from vecmod.contract.errors import EngineFault, NotReady, Unavailable
from vecmod.contract.priority import Priority
from vecmod.serving.flow.batcher import Batcher, BatchReport
from vecmod.serving.flow.lanes import Turn


class Engine:
    """Doubles numbers; can be held, and fails on 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()

    def run(self, items: Sequence[int]) -> list[int]:
        self.go.wait(10)
        self.batches.append(list(items))
        if 13 in items:
            raise ValueError("thirteen")
        return [2 * item for item in items]


@pytest.fixture
def engine() -> Engine:
    return Engine()


def start(engine: Engine, max_batch: int = 8) -> tuple[Batcher[int, int], list[BatchReport]]:
    reports: list[BatchReport] = []
    return Batcher(engine.run, max_batch, reports.append), reports


def hold_and_submit(engine: Engine, batcher: Batcher[int, int], items: Sequence[int]) -> list[Future[int]]:
    """The first item occupies the engine while the others come."""
    engine.go.clear()
    first = batcher.submit(0)
    while batcher.depth():
        time.sleep(0.001)
    futures = [first, *(batcher.submit(item) for item in items)]
    assert batcher.depth() == len(items)
    return futures


def test_one_item_does_not_wait(engine: Engine) -> None:
    batcher, reports = start(engine)
    assert batcher.submit(21).result(5) == 42
    batcher.close()
    assert [report.size for report in reports] == [1]


def test_what_waits_goes_together_in_order(engine: Engine) -> None:
    batcher, reports = start(engine)
    futures = hold_and_submit(engine, batcher, range(101, 120))
    engine.go.set()
    assert [future.result(5) for future in futures] == [0, *range(202, 240, 2)]
    batcher.close()
    assert [len(batch) for batch in engine.batches] == [1, 8, 8, 3]
    assert [report.size for report in reports] == [1, 8, 8, 3]
    assert all(len(report.waits) == report.size and min(report.waits) >= 0 for report in reports)


def test_a_fault_is_alone(engine: Engine) -> None:
    batcher, _ = start(engine)
    futures = hold_and_submit(engine, batcher, [1, 2, 13, 4, 5, 6, 7, 8])
    engine.go.set()
    with pytest.raises(EngineFault, match="ValueError: thirteen"):
        futures[3].result(5)
    good = [futures[index].result(5) for index in (0, 1, 2, 4, 5, 6, 7, 8)]
    assert good == [0, 2, 4, 8, 10, 12, 14, 16]
    batcher.close()


def test_wrong_number_of_outputs_answers_everyone() -> None:
    batcher: Batcher[int, int] = Batcher(lambda _: [1, 2, 3], 8, lambda _: None)
    with pytest.raises(EngineFault):
        batcher.submit(1).result(5)
    batcher.close()


def test_callers_who_left_cost_nothing(engine: Engine) -> None:
    batcher, _ = start(engine)
    futures = hold_and_submit(engine, batcher, [1, 2, 3])
    assert futures[2].cancel()
    engine.go.set()
    assert futures[3].result(5) == 6
    assert not futures[0].cancel()
    batcher.close()
    assert engine.batches == [[0], [1, 3]]


def test_close_answers_what_was_submitted(engine: Engine) -> None:
    batcher, _ = start(engine, max_batch=2)
    futures = hold_and_submit(engine, batcher, range(1, 8))
    closing = threading.Thread(target=batcher.close)
    closing.start()
    engine.go.set()
    closing.join(5)
    assert [future.result(0) for future in futures] == [2 * item for item in range(8)]


def test_queries_overtake(engine: Engine) -> None:
    batcher, _ = start(engine, max_batch=2)
    imports = hold_and_submit(engine, batcher, [1, 2, 3])
    queries = [batcher.submit(item, Turn(Priority.QUERY)) for item in (11, 12)]
    engine.go.set()
    assert [future.result(5) for future in (*imports, *queries)] == [0, 2, 4, 6, 22, 24]
    batcher.close()
    assert engine.batches == [[0], [11, 12], [1, 2], [3]]


def test_the_late_are_told_and_cost_nothing(engine: Engine) -> None:
    batcher, _ = start(engine)
    futures = hold_and_submit(engine, batcher, [1])
    late = batcher.submit(2, Turn(deadline=time.monotonic() + 0.01))
    time.sleep(0.02)
    engine.go.set()
    assert futures[1].result(5) == 2
    with pytest.raises(Unavailable, match="VECMOD_MAX_WAIT"):
        late.result(5)
    batcher.close()
    assert engine.batches == [[0], [1]]


def test_the_late_can_be_told_while_the_engine_is_busy(engine: Engine) -> None:
    batcher, _ = start(engine)
    futures = hold_and_submit(engine, batcher, [1])
    late = batcher.submit(2, Turn(deadline=time.monotonic()))
    time.sleep(0.001)
    batcher.refuse_late()
    assert isinstance(late.exception(0), Unavailable)
    assert not futures[0].done()
    engine.go.set()
    assert futures[1].result(5) == 2
    batcher.close()
    assert engine.batches == [[0], [1]]


def test_workers_run_at_once() -> None:
    """Each waits for the other two: with fewer threads, none would come through."""
    together = threading.Barrier(3)

    def run(items: Sequence[int]) -> list[int]:
        together.wait(10)
        return [2 * item for item in items]

    batcher: Batcher[int, int] = Batcher(run, 1, lambda _: None, workers=3)
    futures = [batcher.submit(item) for item in range(6)]
    assert [future.result(10) for future in futures] == [0, 2, 4, 6, 8, 10]
    batcher.close()


def test_everybody_gets_their_own_whoever_leaves(engine: Engine) -> None:
    batcher: Batcher[int, int] = Batcher(engine.run, 8, lambda _: None, workers=4)

    def call(caller: int) -> int:
        wrong = 0
        for number in range(100):
            item = 1000 * caller + 100 + number
            future = batcher.submit(item, Turn(Priority.QUERY if caller % 2 else Priority.IMPORT))
            left = number % 3 == 0 and future.cancel()
            wrong += not left and future.result(10) != 2 * item
        return wrong

    with ThreadPoolExecutor(64) as callers:
        assert sum(callers.map(call, range(64))) == 0
    batcher.close()


def test_a_batch_without_enough_memory_is_halved_and_stays_smaller(caplog: pytest.LogCaptureFixture) -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > 3:
            raise MemoryError
        return [2 * item for item in items]

    batcher: Batcher[int, int] = Batcher(run, 16, lambda _: None)
    for _ in range(3):
        with batcher._changed:  # so that they come together
            futures = [batcher.submit(item) for item in range(16)]
        assert [future.result(5) for future in futures] == list(range(0, 32, 2))
    batcher.close()
    assert sizes == [16, 8, 4, 2, 2, 4, 2, 2, 8, 4, 2, 2, 4, 2, 2] + [2] * 16
    assert batcher.max_batch == 2
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory with 16 items in one run; from now on 8 at most",
        "out of memory with 8 items in one run; from now on 4 at most",
        "out of memory with 4 items in one run; from now on 2 at most",
    ]


def test_no_memory_even_for_one_is_no_fault_of_the_input() -> None:
    def run(_: Sequence[int]) -> list[int]:
        raise MemoryError

    batcher: Batcher[int, int] = Batcher(run, 16, lambda _: None)
    with pytest.raises(Unavailable, match="no memory left"):
        batcher.submit(1).result(5)
    batcher.close()
    assert batcher.max_batch == 1


def test_what_a_failed_batch_held_is_let_go() -> None:
    """While its halves run, which is when memory is short."""
    alive: list[int] = []

    class Large(list[int]):
        pass

    held: list[weakref.ref[Large]] = []

    def run(items: Sequence[int]) -> list[int]:
        alive.append(sum(one() is not None for one in held))
        large = Large(items)
        held.append(weakref.ref(large))
        if len(items) > 1:
            raise MemoryError
        return [2 * item for item in large]

    batcher: Batcher[int, int] = Batcher(run, 4, lambda _: None)
    with batcher._changed:
        futures = [batcher.submit(item) for item in range(4)]
    assert [future.result(5) for future in futures] == [0, 2, 4, 6]
    batcher.close()
    assert alive == [0] * 7


def test_a_model_that_does_not_come_back(engine: Engine) -> None:
    batcher, _ = start(engine)
    running, *waiting = hold_and_submit(engine, batcher, [1, 2])
    time.sleep(0.05)
    assert 0.05 <= batcher.oldest_run() < 10
    batcher.give_up("it is gone")
    with pytest.raises(EngineFault, match="it is gone"):
        running.result(0)
    for future in (*waiting, batcher.submit(3)):
        with pytest.raises(NotReady, match="it is gone"):
            future.result(0)
    engine.go.set()  # it comes back after all
    batcher.close()
    assert batcher.oldest_run() == 0
    assert engine.batches == [[0]]
