"""What waits for one modality, and how long that will take; whoever would wait too long is told before it costs."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vecmod.contract.errors import RequestFault, Unavailable
from vecmod.contract.priority import Priority

# Batches that must wait for more to be refused, and for their pace to count: alone, items take longer than in batches.
_MANY = 2
# Batches after which the pace is known, or known anew.
_MEASURED = 4


class Backlog:
    """Counts items, and times them while there are many; used from the event loop only, so plain numbers do.

    Args:
        batch_size: items in one run of the model.
        clock: seconds.
    """

    def __init__(self, batch_size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._batch_size = batch_size
        self._clock = clock
        self._waiting = dict.fromkeys(Priority, 0)
        self._seconds_per_item = 0.0
        # Since when many have been waiting, without a break; and how many were done since.
        self._since: float | None = None
        self._done = 0

    @contextmanager
    def counted(self, priority: Priority) -> Iterator[None]:
        """Counts an item until it is done, or given up."""
        self._waiting[priority] += 1
        if self._since is None and self._all() >= _MANY * self._batch_size:
            self._since, self._done = self._clock(), 0
        try:
            yield
            self._count_done()
        except RequestFault:
            # It took its time, too.
            self._count_done()
            raise
        finally:
            self._waiting[priority] -= 1
            if self._all() < self._batch_size:
                self._since = None

    def expected_wait(self, priority: Priority = Priority.IMPORT) -> float:
        """Seconds until the turn of an item that came now; zero as long as nothing has been measured."""
        return self._before(priority) * self._seconds_per_item

    def check(self, priority: Priority, max_wait: float) -> None:
        """Refuse what would wait for too many seconds.

        Raises:
            Unavailable: with the time until there is room.
        """
        wait = self.expected_wait(priority)
        # If few were refused there might never be enough to learn a better pace from.
        if wait > max_wait and self._before(priority) >= _MANY * self._batch_size:
            fault = Unavailable(f"the service is busy: what waits here takes {wait:.1f} s; send it again later")
            fault.retry_after = max(1, math.ceil(wait - max_wait))
            raise fault

    def _all(self) -> int:
        return sum(self._waiting.values())

    def _before(self, priority: Priority) -> int:
        return self._waiting[Priority.QUERY] if priority is Priority.QUERY else self._all()

    def _count_done(self) -> None:
        if self._since is None:
            return
        self._done += 1
        if self._done >= _MEASURED * self._batch_size:
            now = self._clock()
            measured = (now - self._since) / self._done
            self._seconds_per_item = (measured + (self._seconds_per_item or measured)) / 2
            self._since, self._done = now, 0
