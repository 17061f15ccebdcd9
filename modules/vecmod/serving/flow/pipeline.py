"""One request: fetch what is a URL, decode each item, prepare it, batch it with everybody else's, keep the order."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from vecmod.contract.errors import EngineFault, UnsupportedInput, VecmodError
from vecmod.contract.modality import TEXT
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.flow.background import yield_to_others
from vecmod.serving.flow.batcher import Batcher
from vecmod.serving.flow.lanes import Priority, Turn, too_late
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.remote_turns import FetchShare, RemoteTurns
from vecmod.serving.flow.terms import Terms
from vecmod.serving.media.decode import Decoder, Opened
from vecmod.serving.media.remote import RemoteFiles
from vecmod.serving.media.remote_url import is_url
from vecmod.serving.model.model import Model
from vecmod.serving.model.steps import Prepared

Result = TypeVar("Result")

# So that a timer finds what it was set for, though the event loop's clock counts in milliseconds.
_TIMER_SLACK = 0.005


class Item(NamedTuple):
    """One input: its modality, its value on the wire, and its place for messages, e.g. ``images[6]``."""

    modality: str
    value: str
    where: str


class _Source(NamedTuple):
    """What is decoded for an item: its value, or the file that its value, a URL, leads to; and where that came from."""

    modality: str
    content: str | bytes
    where: str


class Embedded(NamedTuple):
    """A vector float32 ``[dim]``, what its sender should know (empty if nothing), tokens that were read."""

    vector: FloatArray
    warning: str
    tokens: int = 0


class _Share(NamedTuple):
    """What one request may have at once, so that a long list leaves room for a short one; and its terms."""

    items: Mapping[str, asyncio.Semaphore]
    fetches: FetchShare
    terms: Terms


@dataclass(frozen=True)
class _Lane:
    """What one modality has to itself, so that none waits for another: threads, memory for prepared items, a queue.

    Queries have threads and memory of their own, so that they do not wait for imports. Large media are decoded by one
    thread of their own, so that they neither add up nor hold up the small ones.
    """

    pools: Mapping[Priority, ThreadPoolExecutor]
    large: ThreadPoolExecutor
    slots: Mapping[Priority, asyncio.Semaphore]
    batcher: Batcher[Inputs, FloatArray]

    @asynccontextmanager
    async def place(self, turn: Turn) -> AsyncIterator[None]:
        """Memory for one prepared item; raises Unavailable if there is none in time."""
        slots = self.slots[turn.priority]
        try:
            async with asyncio.timeout(turn.deadline - time.monotonic()):
                await slots.acquire()
        except TimeoutError:
            raise too_late() from None
        try:
            yield
        finally:
            slots.release()

    def close(self) -> None:
        for pool in (*self.pools.values(), self.large):
            pool.shutdown(cancel_futures=True)
        self.batcher.close()


class Pipeline:
    """The road from wire values to vectors, shared by all requests.

    Args:
        model: loaded and warm.
        decoder: wire text to medium.
        metrics: told what happens.
        workers: threads that decode and prepare.
        remote: fetches media that are given as URLs.
    """

    def __init__(self, model: Model, decoder: Decoder, metrics: Metrics, workers: int, remote: RemoteFiles) -> None:
        self.model = model
        self._decoder = decoder
        self._metrics = metrics
        self._remote = RemoteTurns(remote, metrics)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._lanes = {modality: self._lane(modality, workers) for modality in model.dimensions}

    def _lane(self, modality: str, workers: int) -> _Lane:
        # Words are answered first: whoever searches waits for them, and they cost little.
        begin = yield_to_others if TEXT.name in self.model.dimensions and modality != TEXT.name else None
        # Enough slots that a full batch is always prepared while another runs; more would only hold memory.
        slots = 3 * self.model.batch_sizes[modality] + workers
        return _Lane(
            {
                priority: ThreadPoolExecutor(workers, f"decode-{modality}-{priority}", initializer=begin)
                for priority in Priority
            },
            ThreadPoolExecutor(1, f"decode-large-{modality}", initializer=begin),
            {priority: asyncio.Semaphore(slots) for priority in Priority},
            self._batcher(modality, begin),
        )

    def _batcher(self, modality: str, begin: Callable[[], None] | None) -> Batcher[Inputs, FloatArray]:
        batcher: Batcher[Inputs, FloatArray] = Batcher(
            lambda items: list(self.model.embed(modality, items)),
            self.model.batch_sizes[modality],
            partial(self._metrics.batch, modality),
            name=f"batcher-{modality}",
            initializer=begin,
        )
        self._metrics.watch_queue(modality, batcher.depth)
        return batcher

    async def embed(self, items: Sequence[Item], terms: Terms) -> list[Embedded]:
        """Vectors, one for each item, in order.

        Raises:
            VecmodError: of the first item that failed, naming it; the rest is given up.
            Unavailable: if the terms cannot be kept.
        """
        self._check_modalities(items)
        items_at_once = {name: asyncio.Semaphore(2 * size) for name, size in self.model.batch_sizes.items()}
        share = _Share(items_at_once, self._remote.share(), terms)
        with self._remote.counted(any(map(_is_remote, items))):
            try:
                async with asyncio.timeout(terms.timeout) as limit:
                    return await self._embed_all(items, share)
            except TimeoutError:
                if limit.expired():
                    raise too_late() from None
                raise

    async def _embed_all(self, items: Sequence[Item], share: _Share) -> list[Embedded]:
        tasks = [asyncio.create_task(self._embed_item(item, share)) for item in items]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            # A fault holds this frame, the frame its tasks, they the fault: a circle that would keep every item.
            tasks.clear()

    async def in_pool(self, work: Callable[[], Result]) -> Result:
        """Run something slow beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Finish what was submitted, then free the model."""
        self._pool.shutdown()
        self._remote.close()
        for lane in self._lanes.values():
            lane.close()
        self.model.close()

    def _check_modalities(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.modality not in self._lanes:
                have = ", ".join(self._lanes)
                advice = self.model.advice.get(item.modality)
                what_to_do = f"; {advice}" if advice else ""
                raise UnsupportedInput(f"{item.where}: this model embeds {have}, not {item.modality}{what_to_do}")

    async def _embed_item(self, item: Item, share: _Share) -> Embedded:
        lane = self._lanes[item.modality]
        run = asyncio.get_running_loop().run_in_executor
        with ExitStack() as fetched:
            # Before it takes anything that those who brought their bytes need.
            source = await self._source(item, share, fetched)
            async with share.items[item.modality]:
                turn = share.terms.turn()
                async with lane.place(turn):
                    prepared = await run(lane.pools[turn.priority], self._open, source, turn)
                    if isinstance(prepared, Prepared):
                        del source
                        fetched.close()
                        return await self._run(lane, item, prepared, turn)
                # It waits without a slot: what it holds is counted at the door, or by its turn to be fetched.
                prepared = await run(lane.large, self._prepare_large, source, prepared, turn)
                del source
                fetched.close()
                # That was work, not waiting.
                turn = share.terms.turn()
                async with lane.place(turn):
                    return await self._run(lane, item, prepared, turn)

    async def _source(self, item: Item, share: _Share, fetched: ExitStack) -> _Source:
        """What to decode; if it has to be fetched, that takes one of the few turns there are until it is closed."""
        if not _is_remote(item):
            return _Source(*item)
        with _working_on(item.where):
            file, sender = await self._remote.fetch(item.value, item.modality, share.fetches, fetched)
        return _Source(item.modality, file, f"{item.where}: what {sender} sent")

    async def _run(self, lane: _Lane, item: Item, prepared: Prepared, turn: Turn) -> Embedded:
        answer = lane.batcher.submit(prepared.content, turn)
        # The batcher looks at deadlines when the engine is free, which may be long after.
        seconds = max(0.0, turn.deadline - time.monotonic()) + _TIMER_SLACK
        timer = asyncio.get_running_loop().call_later(seconds, lane.batcher.refuse_late)
        try:
            vector = await asyncio.wrap_future(answer)
        finally:
            timer.cancel()
            # A fault holds this frame, which must not hold the fault.
            del answer
        if not np.isfinite(vector).all():
            raise EngineFault(f"{item.where}: the model gave a vector that is not finite; please report this")
        if prepared.warning:
            self._metrics.truncated.inc()
        return Embedded(vector, f"{item.where}: {prepared.warning}" if prepared.warning else "", prepared.tokens)

    def _open(self, source: _Source, turn: Turn) -> Prepared | Opened:
        """The prepared item, or, if that would take much memory, the opened one."""
        _check_time(turn)
        with _working_on(source.where), self._metrics.stage("decode"):
            opened = self._decoder.open(self.model.kinds[source.modality], source.content)
            return opened if opened.large else self._decode(source, opened)

    def _prepare_large(self, source: _Source, opened: Opened, turn: Turn) -> Prepared:
        _check_time(turn)
        with _working_on(source.where), self._metrics.stage("decode"):
            return self._decode(source, opened)

    def _decode(self, source: _Source, opened: Opened) -> Prepared:
        with opened.decode() as medium:
            return self.model.prepare(source.modality, medium)


def _check_time(turn: Turn) -> None:
    if time.monotonic() > turn.deadline:
        raise too_late()


@contextmanager
def _working_on(where: str) -> Iterator[None]:
    try:
        yield
    except VecmodError as error:
        raise error.at_item(where) from error


def _is_remote(item: Item) -> bool:
    return item.modality != TEXT.name and is_url(item.value)
