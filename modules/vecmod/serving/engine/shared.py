"""A loaded engine, for many callers."""

import threading
from collections.abc import Mapping

from vecmod.serving.engine.engine import Engine, FloatArray, Inputs


class SharedEngine:
    """An engine that may be called from any number of threads: as many at once as it has streams, the others wait.

    Args:
        engine: the engine.
        batch: inputs in one run beyond which throughput no longer grows, if that was measured.
        measured: what was: inputs a second, for each way that was tried.
    """

    def __init__(self, engine: Engine, batch: int | None = None, measured: Mapping[str, float] | None = None) -> None:
        self.engine = engine
        self.batch = batch
        self.measured = dict(measured or {})
        self._turns = threading.BoundedSemaphore(engine.split.streams)

    def run(self, batch: Inputs) -> FloatArray:
        """Vectors float32 ``[n, dim]`` of the inputs ``[n, ...]``."""
        with self._turns:
            return self.engine.run(batch)

    def close(self) -> None:
        """Free what the engine holds."""
        self.engine.close()
