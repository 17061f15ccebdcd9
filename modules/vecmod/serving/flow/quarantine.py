"""Inputs that the model failed on, by their names: sent again, they are refused before they reach a batch."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from vecmod.contract.errors import EngineFault

# Those longest ago make room.
_MOST = 1000
_SECONDS = 3600.0


class _Held(NamedTuple):
    message: str
    until: float


class Quarantine:
    """Inputs that were the only fault; used from the event loop only.

    Whoever fails right after another is let go: it may well be the engine that is broken, and good inputs would be held
    for an hour on its account.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._sound = True

    def __len__(self) -> int:
        """How many are held, or were until not long ago."""
        return len(self._held)

    def fault_of(self, key: bytes) -> EngineFault | None:
        """What the model said of this input, if that is not long ago."""
        held = self._held.get(key)
        if held is None or held.until <= self._clock():
            return None
        return EngineFault(held.message)

    def passed(self) -> None:
        """The model has embedded something."""
        self._sound = True

    def failed(self, key: bytes, fault: EngineFault) -> None:
        """The model has failed on this input alone."""
        if self._sound:
            self._held.pop(key, None)
            self._held[key] = _Held(fault.message, self._clock() + _SECONDS)
            if len(self._held) > _MOST:
                self._held.popitem(last=False)
        self._sound = False
