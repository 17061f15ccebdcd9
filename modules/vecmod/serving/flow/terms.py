"""On what terms a request is served, and the turn that each of its items gets from them."""

import time
from typing import NamedTuple

from vecmod.contract.priority import Priority
from vecmod.serving.flow.lanes import Turn


class Terms(NamedTuple):
    """What a request may expect.

    Attributes:
        priority: of its items.
        max_wait: seconds that an item may wait for its turn, not counting those in which others of its request have it.
        timeout: seconds in which the whole request must be done; None for no limit.
    """

    priority: Priority
    max_wait: float
    timeout: float | None = None

    def turn(self) -> Turn:
        """The turn of an item that begins to wait now; its deadline is a time of ``time.monotonic``."""
        return Turn(self.priority, time.monotonic() + self.max_wait)
