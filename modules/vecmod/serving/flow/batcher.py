"""Micro-batches across requests: whatever waits when the engine is free, up to the best batch, no artificial delay.

Its threads alone call the engine. It knows neither HTTP nor media: it is given a function.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic

from vecmod.contract.errors import EngineFault
from vecmod.serving.flow.lanes import Input, Lanes, Output, Turn, Waiting, too_late

_log = logging.getLogger(__name__)
_ANY_TIME = Turn()


@dataclass(frozen=True)
class BatchReport:
    """What one run of the engine was: its size, how long its items had waited, how long it took (seconds)."""

    size: int
    waits: Sequence[float]
    run: float


class Batcher(Generic[Input, Output]):
    """Runs a function on batches of what many threads submit.

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
        self._max_batch = max_batch
        self._report = report
        self._lanes: Lanes[Input, Output] = Lanes()
        self._changed = threading.Condition()
        self._closing = False
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
            self._lanes.put(waiting)
            self._changed.notify()
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
            batch, late = self._lanes.take(self._max_batch, time.monotonic())
        _refuse(late)
        return batch

    def _answer(self, batch: list[Waiting[Input, Output]]) -> None:
        """Run a batch; if it fails, halve it until the fault is alone, so that every waiter is answered."""
        parts = [batch]
        while parts:
            part = parts.pop()
            fault = self._try(part)
            if fault is not None and len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            elif fault is not None:
                _log.error("the model failed on one input", exc_info=fault)
                answer = EngineFault(f"the model failed on this input: {type(fault).__name__}: {fault}")
                part[0].answer.set_exception(answer)

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
            waiting.answer.set_result(output)
        return None


def _refuse(late: Sequence[Waiting[Input, Output]]) -> None:
    for waiting in late:
        waiting.answer.set_exception(too_late())
