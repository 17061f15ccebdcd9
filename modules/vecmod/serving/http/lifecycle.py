"""Where a service is in its life, and the truth about it: starting, ready, draining, failed."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from vecmod.contract.errors import NotReady
from vecmod.serving.flow.pipeline import Pipeline

_log = logging.getLogger(__name__)
# A picture of the largest size takes seconds to decode, and no thread can be told to stop.
_CLOSE_SECONDS = 5.0
_CLOSE_TICK = 0.01
# Seconds for a model to come back after a process that was stopped goes on.
_GRACE = 2.0


class Phase(StrEnum):
    """The phases, in order."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


class Lifecycle:
    """Loads the pipeline beside the open port and says when it is there.

    Args:
        load: builds the pipeline and proves it with a real batch; runs in a thread.
        on_failure: called once if that fails.
        run_timeout: seconds after which a model that has not come back is lost.
    """

    def __init__(
        self, load: Callable[[], Pipeline], on_failure: Callable[[], None], run_timeout: float = math.inf
    ) -> None:
        self.phase = Phase.STARTING
        self.closed = True
        self._load = load
        self._on_failure = on_failure
        self._run_timeout = run_timeout
        self._pipeline: Pipeline | None = None
        self._lost = ""
        self._suspect_since: float | None = None
        # Not the event loop's own threads, for which its end would wait.
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")

    async def start(self) -> None:
        """Load and turn ready; a fault that an operator can mend is logged as one line, a bug with its traceback."""
        try:
            self._pipeline = await asyncio.get_running_loop().run_in_executor(self._loader, self._load)
        except StartupFault as fault:
            _log.error("cannot start: %s", fault)
        finally:
            self._loader.shutdown(wait=False)
            if not self.closed:
                _log.info("left before the model was loaded")
            elif self._pipeline is None:
                self.phase = Phase.FAILED
                self._on_failure()
            elif self.phase is Phase.STARTING:
                self.phase = Phase.READY
                _log.info("ready")

    def drain(self) -> None:
        """Turn not ready, while requests are still served."""
        if self.phase is not Phase.FAILED:
            self.phase = Phase.DRAINING

    def is_lost(self) -> bool:
        """Whether the model has not come back for so long that the process must end; to be asked now and then.

        All who wait are answered then.
        """
        if self._pipeline is None or self._lost:
            return bool(self._lost)
        seconds = self._pipeline.oldest_run()
        now = time.monotonic()
        if seconds < self._run_timeout:
            self._suspect_since = None
        elif self._suspect_since is None:
            # The process may have been stopped meanwhile, the model with it.
            self._suspect_since = now
        elif now - self._suspect_since > _GRACE:
            self.phase = Phase.FAILED
            self._lost = f"the model has not come back for {seconds:.0f} s (VECMOD_RUN_TIMEOUT); the service ends"
            _log.error("%s", self._lost)
            self._pipeline.give_up(f"{self._lost}; send this again later")
        return bool(self._lost)

    def loaded(self) -> Pipeline | None:
        """The pipeline, if it is there."""
        return self._pipeline

    def pipeline(self) -> Pipeline:
        """The pipeline, ready or draining.

        Raises:
            NotReady: while the model is loading, or if it is lost.
        """
        if self._pipeline is None:
            raise NotReady("the model is still loading; ask GET /.well-known/ready, then send this again")
        if self._lost:
            raise NotReady(f"{self._lost}; send requests to another replica")
        return self._pipeline

    def check_ready(self) -> None:
        """Raise NotReady, with the reason, unless new work is welcome."""
        self.pipeline()
        if self.phase is not Phase.READY:
            raise NotReady(f"the service is {self.phase}; send requests to another replica")

    async def stop(self, starting: asyncio.Task[None]) -> None:
        """Finish what was submitted and free the model; give up if that takes long, as everybody was answered.

        Args:
            starting: :meth:`start`, which may still wait for weights that are fetched for an hour.
        """
        await asyncio.wait({starting}, timeout=_CLOSE_SECONDS)
        self.closed = starting.done()
        if self.closed:
            starting.result()
        if self._pipeline is None:
            return
        closing = threading.Thread(target=self._pipeline.close, daemon=True)
        closing.start()
        until = time.monotonic() + _CLOSE_SECONDS
        while closing.is_alive() and time.monotonic() < until:
            await asyncio.sleep(_CLOSE_TICK)
        self.closed = not closing.is_alive()


class StartupFault(Exception):
    """The service cannot run as it is set up; the message says what to change."""
