"""Micro-batches across requests: whatever waits when the engine is free, up to the best batch, no artificial delay.

One thread owns the engine. It knows neither HTTP nor media: it is given a function.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vecmod.contract.errors import EngineFault

_log = logging.getLogger(__name__)

Input = TypeVar("Input")
Output = TypeVar("Output")


@dataclass(frozen=True)
class _Waiting(Generic[Input, Output]):
    item: Input
    answer: Future[Output] = field(default_factory=Future)
    since: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True)
class BatchReport:
    """What one run of the engine was: its size, how long its items had waited, how long it took (seconds)."""

    size: int
    waits: Sequence[float]
    run: float


class Batcher(Generic[Input, Output]):
    """Runs a function on batches of what many threads submit.

    Args:
        run: maps a list of inputs to as many outputs, in the same order; called from one thread only.
        max_batch: inputs in one call at most.
        report: called after each successful run.
        name: of the thread.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Input]], Sequence[Output]],
        max_batch: int,
        report: Callable[[BatchReport], None],
        name: str = "batcher",
    ) -> None:
        self._run = run
        self._max_batch = max_batch
        self._report = report
        self._queue: queue.SimpleQueue[_Waiting[Input, Output] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: Input) -> Future[Output]:
        """Queue an item; cancelling the future takes it out unless its run has begun."""
        waiting: _Waiting[Input, Output] = _Waiting(item)
        self._queue.put(waiting)
        return waiting.answer

    def depth(self) -> int:
        """Items that wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Answer everything that was submitted before, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._gather()
            # A caller who left has cancelled its future; the others can no longer be cancelled from here on.
            present = [waiting for waiting in batch if waiting.answer.set_running_or_notify_cancel()]
            if present:
                self._answer(present)

    def _gather(self) -> tuple[list[_Waiting[Input, Output]], bool]:
        """Wait for one item, take what else is there; False as second value once the end is reached."""
        batch: list[_Waiting[Input, Output]] = []
        block = True
        while len(batch) < self._max_batch:
            try:
                waiting = self._queue.get(block)
            except queue.Empty:
                break
            if waiting is None:
                return batch, False
            batch.append(waiting)
            block = False
        return batch, True

    def _answer(self, batch: list[_Waiting[Input, Output]]) -> None:
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

    def _try(self, batch: list[_Waiting[Input, Output]]) -> Exception | None:
        """Run a batch and answer it; the fault if it failed, with nobody answered."""
        start = time.perf_counter()
        try:
            outputs = self._run([waiting.item for waiting in batch])
            answers = list(zip(batch, outputs, strict=True))
        except Exception as fault:  # noqa: BLE001 -- whatever the engine raises, every waiter must be answered
            return fault
        self._report(BatchReport(len(batch), [start - waiting.since for waiting in batch], time.perf_counter() - start))
        for waiting, output in answers:
            waiting.answer.set_result(output)
        return None
