"""What a runtime must be able to do."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IdArray = NDArray[np.int64]
# float32 pixels or int64 token ids
Inputs = NDArray[Any]


class Split(NamedTuple):
    """How cores are shared: so many runs at once, each of so many threads."""

    streams: int
    threads: int


class Engine(Protocol):
    """One network, loaded and ready; called from as many threads at once as it has streams."""

    name: str
    device: str
    precision: str
    split: Split

    def run(self, batch: Inputs) -> FloatArray:
        """Vectors float32 ``[n, dim]`` of the inputs ``[n, ...]``: float32 pixels or int64 token ids."""
        ...

    def close(self) -> None:
        """Free what the runtime holds."""
        ...


class EngineUnavailable(Exception):
    """The engine asked for cannot run here; the message says what can."""
