"""How long what waits will take: by the pace of what was done, whether in batches or alone."""

from contextlib import ExitStack, suppress

import pytest

from vecmod.contract.errors import Unavailable, Undecodable
from vecmod.contract.priority import Priority
from vecmod.serving.flow.backlog import Backlog

QUERY, IMPORT = Priority


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait_together(backlog: Backlog, count: int, priority: Priority = IMPORT) -> list[ExitStack]:
    items = [ExitStack() for _ in range(count)]
    for item in items:
        item.enter_context(backlog.counted(priority))
    return items


def run(backlog: Backlog, clock: Clock, size: int, seconds: float, batches: int = 10) -> None:
    """So many batches, one after the other, each of which is done at one moment; then nothing for a while."""
    items = wait_together(backlog, batches * size)
    for start in range(0, len(items), size):
        clock.now += seconds
        for item in items[start : start + size]:
            item.close()
    clock.now += 100


@pytest.mark.parametrize("size", [1, 8, 32])
def test_the_wait_is_the_number_times_the_pace(size: int) -> None:
    clock = Clock()
    backlog = Backlog(size, clock)
    run(backlog, clock, size, size * 0.5)
    waiting = wait_together(backlog, 20)
    assert backlog.expected_wait() == pytest.approx(10, rel=0.3)
    for item in waiting:
        item.close()
    assert backlog.expected_wait() == 0


def test_few_say_nothing_of_the_pace_of_many() -> None:
    clock = Clock()
    backlog = Backlog(8, clock)
    for _ in range(100):
        with backlog.counted(IMPORT):
            clock.now += 1
    waiting = wait_together(backlog, 100)
    assert backlog.expected_wait() == 0
    for item in waiting:
        item.close()
    assert backlog.expected_wait() == 0
    run(backlog, clock, 8, 1.0)
    with backlog.counted(IMPORT):
        assert backlog.expected_wait() == pytest.approx(1 / 8, rel=0.3)


def test_the_time_before_there_were_many_does_not_count() -> None:
    clock = Clock()
    backlog = Backlog(8, clock)
    alone = wait_together(backlog, 1)
    clock.now += 1000
    run(backlog, clock, 8, 0.8)
    assert backlog.expected_wait() == pytest.approx(0.1 * len(alone), rel=0.3)


def test_a_new_pace_is_learnt() -> None:
    clock = Clock()
    backlog = Backlog(8, clock)
    run(backlog, clock, 8, 8.0)
    run(backlog, clock, 8, 0.8, batches=40)
    with backlog.counted(IMPORT):
        assert backlog.expected_wait() == pytest.approx(0.1, rel=0.3)


def test_few_are_never_refused_so_that_a_wrong_pace_can_be_mended() -> None:
    clock = Clock()
    backlog = Backlog(8, clock)
    run(backlog, clock, 8, 8000.0)
    few = wait_together(backlog, 15)
    backlog.check(IMPORT, max_wait=1)
    few += wait_together(backlog, 1)
    with pytest.raises(Unavailable, match="what waits here takes 16"):
        backlog.check(IMPORT, max_wait=1)
    assert len(few) == 16


def test_queries_wait_for_queries_alone() -> None:
    clock = Clock()
    backlog = Backlog(1, clock)
    run(backlog, clock, 1, 1.0)
    waiting = [*wait_together(backlog, 3), *wait_together(backlog, 2, QUERY)]
    assert backlog.expected_wait(QUERY) == pytest.approx(2)
    assert backlog.expected_wait(IMPORT) == pytest.approx(5)
    backlog.check(QUERY, max_wait=3)
    with pytest.raises(Unavailable) as caught:
        backlog.check(IMPORT, max_wait=3)
    assert caught.value.retry_after == 2
    assert len(waiting) == 5


def test_what_is_refused_takes_its_time_and_who_leaves_does_not() -> None:
    clock = Clock()
    backlog = Backlog(1, clock)
    waiting = wait_together(backlog, 5)
    for _ in range(10):
        with suppress(Unavailable), backlog.counted(IMPORT):
            raise Unavailable("late")
    assert backlog.expected_wait() == 0
    for _ in range(10):
        with suppress(Undecodable), backlog.counted(IMPORT):
            clock.now += 2
            raise Undecodable("no picture")
    assert backlog.expected_wait() == pytest.approx(2 * len(waiting))
