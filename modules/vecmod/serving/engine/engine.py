"""What a runtime must be able to do."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IdArray = NDArray[np.int64]
# float32 pixels or int64 token ids
Inputs = NDArray[Any]


class Engine(Protocol):
    """One network, loaded and ready; called from one thread at a time."""

    name: str
    device: str
    precision: str
    threads: int

    def run(self, batch: Inputs) -> FloatArray:
        """Vectors float32 ``[n, dim]`` of the inputs ``[n, ...]``: float32 pixels or int64 token ids."""
        ...

    def close(self) -> None:
        """Free what the runtime holds."""
        ...


class EngineUnavailable(Exception):
    """The engine asked for cannot run here; the message says what can."""
