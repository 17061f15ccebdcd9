"""Work that several may wait for, done once; whoever leaves takes nothing from the others."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")


@dataclass(eq=False)
class Work(Generic[Result]):
    """Something that is being done, and how many wait for it."""

    task: "asyncio.Task[Result]"
    waiting: int = 0


class InFlight(Generic[Key, Result]):
    """All that is being done, by key; used from the event loop only."""

    def __init__(self) -> None:
        self._works: dict[Key, Work[Result]] = {}

    def find(self, key: Key) -> Work[Result] | None:
        """What is being done under that name, if anything is."""
        work = self._works.get(key)
        # What is done is forgotten a little later; whoever tried again meanwhile would find it again and again.
        return None if work is None or work.task.done() else work

    def start(self, key: Key, work: Coroutine[Any, Any, Result], at_end: Callable[[], None]) -> Work[Result]:
        """Begin; to be waited for at once, as it is given up when nobody does.

        Args:
            key: its name until it is done.
            work: what to do; a fault that is expected should be its result, as an exception would be raised by all who
                wait, and hold on to what each of them holds.
            at_end: called in any case, even if it is given up before it has begun.
        """
        begun = Work(asyncio.create_task(work))
        self._works[key] = begun

        def end(_: "asyncio.Task[Result]") -> None:
            self._forget(key, begun)
            at_end()

        begun.task.add_done_callback(end)
        return begun

    async def wait(self, key: Key, work: Work[Result]) -> Result:
        """Its result; the work goes on for the others if this is cancelled, and is given up if there are none."""
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if not work.waiting and not work.task.done():
                # Nobody may join what is given up.
                self._forget(key, work)
                work.task.cancel()
            # A fault holds this frame, which must not hold the fault.
            del work

    def _forget(self, key: Key, work: Work[Result]) -> None:
        if self._works.get(key) is work:
            del self._works[key]
