"""One modality of a model: what its items need, apart from what others do: threads, memory, a queue."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

import numpy as np

from vecmod.contract.errors import EngineFault
from vecmod.contract.modality import TEXT
from vecmod.contract.priority import Priority
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.flow.background import yield_to_others
from vecmod.serving.flow.backlog import Backlog
from vecmod.serving.flow.batcher import Batcher
from vecmod.serving.flow.content import Content
from vecmod.serving.flow.lanes import Turn, too_late
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.terms import Terms
from vecmod.serving.flow.vector_cache import Embedded
from vecmod.serving.media.decode import Decoder, Opened
from vecmod.serving.model.model import Model
from vecmod.serving.model.steps import Prepared

# So that a timer finds what it was set for, though the event loop's clock counts in milliseconds.
_TIMER_SLACK = 0.005


class Embedder:
    """Decodes, prepares and embeds items of one modality.

    Queries have threads and memory of their own, so that they do not wait for imports. Large media are decoded by one
    thread of their own, so that they neither add up nor hold up the small ones.

    Args:
        model: loaded and warm.
        modality: one that it has.
        decoder: wire text to medium.
        metrics: told what happens.
        threads: that decode and prepare, for each priority.
    """

    def __init__(self, model: Model, modality: str, decoder: Decoder, metrics: Metrics, threads: int) -> None:
        self._model = model
        self._modality = modality
        self._decoder = decoder
        self._metrics = metrics
        self.batch_size = model.batch_sizes[modality]
        self.backlog = Backlog(self.batch_size)
        # Words are answered first: whoever searches waits for them, and they cost little.
        begin = yield_to_others if TEXT.name in model.dimensions and modality != TEXT.name else None
        self._pools = {
            priority: ThreadPoolExecutor(threads, f"decode-{modality}-{priority}", initializer=begin)
            for priority in Priority
        }
        self._large = ThreadPoolExecutor(1, f"decode-large-{modality}", initializer=begin)
        # Enough slots that full batches are always prepared while others run; more would only hold memory.
        slots = (2 + model.streams[modality]) * self.batch_size + threads
        self._slots = {priority: asyncio.Semaphore(slots) for priority in Priority}
        self._batcher: Batcher[Inputs, FloatArray] = Batcher(
            lambda items: list(model.embed(modality, items)),
            self.batch_size,
            partial(metrics.batch, modality),
            name=f"batcher-{modality}",
            workers=model.streams[modality],
            initializer=begin,
        )
        metrics.watch_queue(modality, self._batcher.depth)
        metrics.watch_batch_limit(modality, lambda: self._batcher.max_batch)
        metrics.watch_wait(modality, self.backlog.expected_wait)

    async def embed(self, content: Content, terms: Terms) -> Embedded:
        """The vector of one item, whose content is released as soon as it is prepared.

        Raises:
            VecmodError: if it cannot be decoded, the model fails on it, or its turn does not come in time.
        """
        run = asyncio.get_running_loop().run_in_executor
        turn = terms.turn()
        with self.backlog.counted(turn.priority):
            async with self._slot(turn):
                prepared = await run(self._pools[turn.priority], self._open, content.value, turn)
                if isinstance(prepared, Prepared):
                    content.release()
                    return await self._run(prepared, turn)
            # It waits without a slot: what it holds is counted at the door, or by its turn to be fetched.
            prepared = await run(self._large, self._prepare_large, prepared, turn)
            content.release()
            # That was work, not waiting.
            turn = terms.turn()
            async with self._slot(turn):
                return await self._run(prepared, turn)

    def oldest_run(self) -> float:
        """Seconds that the model has been busy with one batch without coming back."""
        return self._batcher.oldest_run()

    def give_up(self, why: str) -> None:
        """Answer everybody, as the model does not come back."""
        self._batcher.give_up(why)

    def close(self) -> None:
        """Finish what was submitted."""
        for pool in (*self._pools.values(), self._large):
            pool.shutdown(cancel_futures=True)
        self._batcher.close()

    @asynccontextmanager
    async def _slot(self, turn: Turn) -> AsyncIterator[None]:
        """Memory for one prepared item; raises Unavailable if there is none in time."""
        slots = self._slots[turn.priority]
        try:
            async with asyncio.timeout(turn.deadline - time.monotonic()):
                await slots.acquire()
        except TimeoutError:
            raise too_late() from None
        try:
            yield
        finally:
            slots.release()

    async def _run(self, prepared: Prepared, turn: Turn) -> Embedded:
        answer = self._batcher.submit(prepared.content, turn)
        # The batcher looks at deadlines when the engine is free, which may be long after.
        seconds = max(0.0, turn.deadline - time.monotonic()) + _TIMER_SLACK
        timer = asyncio.get_running_loop().call_later(seconds, self._batcher.refuse_late)
        try:
            vector = await asyncio.wrap_future(answer)
        finally:
            timer.cancel()
            # A fault holds this frame, which must not hold the fault.
            del answer
        if not np.isfinite(vector).all():
            raise EngineFault("the model gave a vector that is not finite; please report this")
        return Embedded(vector, prepared.warning, prepared.tokens)

    def _open(self, value: str | bytes, turn: Turn) -> Prepared | Opened:
        """The prepared item, or, if that would take much memory, the opened one."""
        _check_time(turn)
        with self._metrics.stage("decode"):
            opened = self._decoder.open(self._model.kinds[self._modality], value)
            return opened if opened.large else self._decode(opened)

    def _prepare_large(self, opened: Opened, turn: Turn) -> Prepared:
        _check_time(turn)
        with self._metrics.stage("decode"):
            return self._decode(opened)

    def _decode(self, opened: Opened) -> Prepared:
        with opened.decode() as medium:
            return self._model.prepare(self._modality, medium)


def _check_time(turn: Turn) -> None:
    if time.monotonic() > turn.deadline:
        raise too_late()
