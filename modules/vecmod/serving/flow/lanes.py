"""What waits for a model, in the order of its turns: queries before imports, and nothing for ever. Knows no threads."""

import math
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from vecmod.contract.errors import Unavailable
from vecmod.contract.priority import Priority

Input = TypeVar("Input")
Output = TypeVar("Output")

# Seconds after which an import may go before queries, and which of the places that are given out are then for imports.
# Were all of them, a long queue of imports would hold up every query as soon as it is that old.
_AGED = 2.0
_EVERY = 4


class Turn(NamedTuple):
    """How something waits: its priority, and the time (of the clock in use) after which it need not be done."""

    priority: Priority = Priority.IMPORT
    deadline: float = math.inf


class TooLate(Unavailable):
    """Somebody's time was up before their turn came."""


def too_late() -> TooLate:
    """What is said to them."""
    return TooLate(
        "the service is busy: its turn did not come within VECMOD_MAX_WAIT, or X-Vecmod-Timeout; send it again later"
    )


@dataclass(eq=False)
class Waiting(Generic[Input, Output]):
    """An item that waits since a time; cancelling its answer takes it out."""

    item: Input
    turn: Turn
    since: float
    answer: Future[Output] = field(default_factory=Future)


Entry = Waiting[Input, Output]


class Lanes(Generic[Input, Output]):
    """Two queues with one end: whatever is taken has left them. Not to be used by several threads at once."""

    def __init__(self) -> None:
        self._queues: dict[Priority, deque[Entry[Input, Output]]] = {priority: deque() for priority in Priority}
        self._places = 0

    def __len__(self) -> int:
        """How many wait, those who left among them."""
        return sum(map(len, self._queues.values()))

    def put(self, waiting: Entry[Input, Output]) -> None:
        """Line up behind all of the same priority."""
        self._queues[waiting.turn.priority].append(waiting)

    def take(self, most: int, now: float) -> tuple[list[Entry[Input, Output]], list[Entry[Input, Output]]]:
        """The next items, and those that are too late; neither can be cancelled any more.

        Args:
            most: items to take; those that are too late, or whose callers have left, are not counted.
            now: the time.
        """
        present: list[Entry[Input, Output]] = []
        late: list[Entry[Input, Output]] = []
        while len(present) < most and (queue := self._next(now)):
            waiting = queue.popleft()
            if not waiting.answer.set_running_or_notify_cancel():
                continue
            if waiting.turn.deadline < now:
                late.append(waiting)
            else:
                present.append(waiting)
                self._places += 1
        return present, late

    def take_late(self, now: float) -> list[Entry[Input, Output]]:
        """Those that are too late, wherever they stand."""
        late = []
        for priority, queue in self._queues.items():
            late += [waiting for waiting in queue if waiting.turn.deadline < now]
            self._queues[priority] = deque(waiting for waiting in queue if waiting.turn.deadline >= now)
        return [waiting for waiting in late if waiting.answer.set_running_or_notify_cancel()]

    def _next(self, now: float) -> deque[Entry[Input, Output]] | None:
        """The queue whose turn it is."""
        queries, imports = self._queues[Priority.QUERY], self._queues[Priority.IMPORT]
        aged = bool(imports) and now - imports[0].since >= _AGED
        first = (imports, queries) if aged and self._places % _EVERY == 0 else (queries, imports)
        return next(filter(None, first), None)
