"""Micro-batches across requests: whatever waits when the engine is free, up to the best batch, no artificial delay.

Its threads alone call the engine. It knows neither HTTP nor media: it is given a function.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic

from vecmod.contract.errors import EngineFault, NotReady, Unavailable
from vecmod.serving.flow.lanes import Input, Lanes, Output, Turn, Waiting, too_late
from vecmod.serving.flow.out_of_memory import is_out_of_memory

_log = logging.getLogger(__name__)
_ANY_TIME = Turn()


@dataclass(frozen=True)
class BatchReport:
    """What one run of the engine was: its size, how long its items had waited, how long it took (seconds)."""

    size: int
    waits: Sequence[float]
    run: float


@dataclass(eq=False)
class _Run(Generic[Input, Output]):
    """What a worker is busy with, and since when the engine has been at a part of it."""

    batch: Sequence[Waiting[Input, Output]]
    since: float = field(default_factory=time.monotonic)


class Batcher(Generic[Input, Output]):
    """Runs a function on batches of what many threads submit.

    Attributes:
        max_batch: inputs in one call at most; less than at first, if there was not enough memory.

    Args:
        run: maps a list of inputs to as many outputs, in the same order; called from each worker.
        max_batch: inputs in one call at most.
        report: called after each successful run.
        name: of the threads.
        workers: threads, each of which runs a batch at a time.
        initializer: what each of them does first.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Input]], Sequence[Output]],
        max_batch: int,
        report: Callable[[BatchReport], None],
        name: str = "batcher",
        workers: int = 1,
        initializer: Callable[[], None] | None = None,
    ) -> None:
        self._run = run
        self.max_batch = max_batch
        self._report = report
        self._lanes: Lanes[Input, Output] = Lanes()
        self._changed = threading.Condition()
        self._closing = False
        self._lost = ""
        self._runs: dict[int, _Run[Input, Output]] = {}
        self._initializer = initializer
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, item: Input, turn: Turn = _ANY_TIME) -> Future[Output]:
        """Queue an item; cancelling the future takes it out unless its run has begun.

        Its answer is the fault Unavailable if its run has not begun by the deadline, in seconds of ``time.monotonic``.
        """
        waiting: Waiting[Input, Output] = Waiting(item, turn, time.monotonic())
        with self._changed:
            if not self._lost:
                self._lanes.put(waiting)
                self._changed.notify()
                return waiting.answer
        _tell(waiting, NotReady(self._lost))
        return waiting.answer

    def depth(self) -> int:
        """Items that wait."""
        return len(self._lanes)

    def refuse_late(self) -> None:
        """Answer those whose deadline has passed, though no worker may be free to look at them."""
        with self._changed:
            late = self._lanes.take_late(time.monotonic())
        _refuse(late)

    def close(self) -> None:
        """Answer everything that was submitted before, then stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def oldest_run(self) -> float:
        """Seconds that the model has been busy with one batch without coming back; of several, the most."""
        now = time.monotonic()
        return max((now - run.since for run in list(self._runs.values())), default=0.0)

    def give_up(self, why: str) -> None:
        """Answer everybody, now and from now on, as the model does not come back: its workers are lost."""
        with self._changed:
            self._lost = why
            waiting, late = self._lanes.take(len(self._lanes), time.monotonic())
            running = [waiting for run in self._runs.values() for waiting in run.batch]
        for one in running:
            _tell(one, EngineFault(why))
        for one in (*waiting, *late):
            _tell(one, NotReady(why))

    def _work(self) -> None:
        if self._initializer is not None:
            self._initializer()
        while (batch := self._gather()) is not None:
            if batch:
                self._answer(batch)
            # It would be held until the next one is there.
            del batch

    def _gather(self) -> list[Waiting[Input, Output]] | None:
        """Wait for one item, take what else is there; None once the end is reached."""
        with self._changed:
            self._changed.wait_for(lambda: self._lanes or self._closing)
            if not self._lanes:
                return None
            batch, late = self._lanes.take(self.max_batch, time.monotonic())
        _refuse(late)
        return batch

    def _answer(self, batch: list[Waiting[Input, Output]]) -> None:
        """Run a batch; if it fails, halve it until the fault is alone, so that every waiter is answered."""
        run = self._runs[threading.get_ident()] = _Run(batch)
        parts = [batch]
        while parts:
            part = parts.pop()
            run.since = time.monotonic()
            fault = self._try(part)
            if fault is None:
                continue
            short = is_out_of_memory(fault)
            if short:
                self._shrink(len(part))
            if len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            else:
                _tell(part[0], _out_of_memory() if short else _fault_of(fault))
            # Its traceback holds what the engine held.
            del fault
        del self._runs[threading.get_ident()]

    def _shrink(self, size: int) -> None:
        """Never again as many as there was no memory for."""
        smaller = max(1, size // 2)
        if smaller < self.max_batch:
            _log.warning("out of memory with %d items in one run; from now on %d at most", size, smaller)
            self.max_batch = smaller

    def _try(self, batch: list[Waiting[Input, Output]]) -> Exception | None:
        """Run a batch and answer it; the fault if it failed, with nobody answered."""
        start = time.monotonic()
        try:
            outputs = self._run([waiting.item for waiting in batch])
            answers = list(zip(batch, outputs, strict=True))
        except Exception as fault:  # noqa: BLE001 -- whatever the engine raises, every waiter must be answered
            return fault
        self._report(BatchReport(len(batch), [start - waiting.since for waiting in batch], time.monotonic() - start))
        for waiting, output in answers:
            with suppress(InvalidStateError):  # it took so long that it was given up
                waiting.answer.set_result(output)
        return None


def _tell(waiting: Waiting[Input, Output], fault: Exception) -> None:
    with suppress(InvalidStateError):  # it was given up, or answered meanwhile
        waiting.answer.set_exception(fault)


def _refuse(late: Sequence[Waiting[Input, Output]]) -> None:
    for waiting in late:
        _tell(waiting, too_late())


def _fault_of(fault: Exception) -> EngineFault:
    _log.error("the model failed on one input", exc_info=fault)
    return EngineFault(f"the model failed on this input: {type(fault).__name__}: {fault}")


def _out_of_memory() -> Unavailable:
    _log.error("out of memory with one item alone; give the service more memory")
    return Unavailable("the service has no memory left to run the model; send it again later, or give it more memory")
