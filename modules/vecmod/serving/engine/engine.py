"""What a runtime must be able to do."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class Engine(Protocol):
    """One network, loaded and ready; called from one thread at a time."""

    name: str
    device: str
    precision: str
    threads: int

    def run(self, batch: FloatArray) -> FloatArray:
        """Vectors float32 ``[n, dim]`` of the inputs float32 ``[n, ...]``."""
        ...

    def close(self) -> None:
        """Free what the runtime holds."""
        ...


class EngineUnavailable(Exception):
    """The engine asked for cannot run here; the message says what can."""
