"""One request: fetch what is a URL, decode each item, prepare it, batch it with everybody else's, keep the order."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from vecmod.contract.errors import EngineFault, Unavailable, UnsupportedInput, VecmodError
from vecmod.contract.modality import TEXT
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.flow.batcher import Batcher
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.media.decode import Decoder, Opened
from vecmod.serving.media.remote import Line, RemoteFiles
from vecmod.serving.media.remote_url import RemoteUrl, is_url
from vecmod.serving.model.model import Model
from vecmod.serving.model.steps import Prepared

Result = TypeVar("Result")

# Files that are being fetched, or were and are not decoded yet; so many times `VECMOD_URL_MAX_MB` they may take. One
# request gets half, so that it leaves room for another's.
_FETCHES = 32
# Requests with URLs at once, beyond which they are told to come again: they may take long, and there are only so many
# requests at once (`VECMOD_MAX_REQUESTS`) for those that bring their bytes.
_FETCHING_REQUESTS = 64


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
    """What one request may have at once, so that a long list leaves room for a short one."""

    items: Mapping[str, asyncio.Semaphore]
    fetches: asyncio.Semaphore
    asking: asyncio.Lock


@dataclass(frozen=True)
class _Lane:
    """What one modality has to itself, so that none waits for another: threads, memory for prepared items, a queue.

    Large media are decoded by one thread of their own, so that they neither add up nor hold up the small ones.
    """

    pool: ThreadPoolExecutor
    large: ThreadPoolExecutor
    slots: asyncio.Semaphore
    batcher: Batcher[Inputs, FloatArray]

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)
        self.large.shutdown(cancel_futures=True)
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
        self._remote = remote
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._fetchers = ThreadPoolExecutor(_FETCHES, thread_name_prefix="fetch")
        self._fetches = asyncio.Semaphore(_FETCHES)
        self._fetching = 0
        self._lanes = {modality: self._lane(modality, workers) for modality in model.dimensions}

    def _lane(self, modality: str, workers: int) -> _Lane:
        # Enough slots that a full batch is always prepared while another runs; more would only hold memory.
        slots = asyncio.Semaphore(3 * self.model.batch_sizes[modality] + workers)
        pool = ThreadPoolExecutor(workers, thread_name_prefix=f"decode-{modality}")
        large = ThreadPoolExecutor(1, thread_name_prefix=f"decode-large-{modality}")
        return _Lane(pool, large, slots, self._batcher(modality))

    def _batcher(self, modality: str) -> Batcher[Inputs, FloatArray]:
        batcher: Batcher[Inputs, FloatArray] = Batcher(
            lambda items: list(self.model.embed(modality, items)),
            self.model.batch_sizes[modality],
            partial(self._metrics.batch, modality),
            name=f"batcher-{modality}",
        )
        self._metrics.watch_queue(modality, batcher.depth)
        return batcher

    async def embed(self, items: Sequence[Item]) -> list[Embedded]:
        """Vectors, one for each item, in order.

        Raises:
            VecmodError: of the first item that failed, naming it; the rest is given up.
        """
        self._check_modalities(items)
        items_at_once = {name: asyncio.Semaphore(2 * size) for name, size in self.model.batch_sizes.items()}
        share = _Share(items_at_once, asyncio.Semaphore(_FETCHES // 2), asyncio.Lock())
        with self._counted(items):
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
        self._fetchers.shutdown(cancel_futures=True)
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
        with ExitStack() as turn:
            # Before it takes anything that those who brought their bytes need.
            source = await self._source(item, share, turn)
            async with share.items[item.modality]:
                async with lane.slots:
                    prepared = await run(lane.pool, self._open, source)
                    if isinstance(prepared, Prepared):
                        del source
                        turn.close()
                        return await self._run(lane, item, prepared)
                # It waits without a slot: what it holds is counted at the door, or by its turn to be fetched.
                prepared = await run(lane.large, self._prepare_large, source, prepared)
                del source
                turn.close()
                async with lane.slots:
                    return await self._run(lane, item, prepared)

    async def _source(self, item: Item, share: _Share, turn: ExitStack) -> _Source:
        """What to decode; if it has to be fetched, that is one of the few turns there are until ``turn`` is closed."""
        if not _is_remote(item):
            return _Source(*item)
        with self._working_on(item.where):
            url = self._remote.allowed(item.value)
            await share.fetches.acquire()
            turn.callback(share.fetches.release)
            # One of a request's files waits at a time, so that requests take turns.
            async with share.asking:
                await self._wait_for_turn()
            with self._metrics.stage("fetch"):
                file = await self._fetch(url, item.modality, turn)
        return _Source(item.modality, file, f"{item.where}: what {url.authority} sent")

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(self._remote.seconds):
                await self._fetches.acquire()
        except TimeoutError:
            raise Unavailable("too many files are being fetched; send it again, or send the file's bytes") from None

    async def _fetch(self, url: RemoteUrl, modality: str, turn: ExitStack) -> bytes:
        line = Line()
        thread = self._fetchers.submit(self._remote.fetch, url, modality, line)
        turn.callback(self._give_back, thread, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(self._remote.seconds):
                return await asyncio.wrap_future(thread)
        except TimeoutError:
            raise self._remote.too_late(url) from None
        finally:
            # Whoever left, or ran out of time, lets the thread go: it only waits for what comes over the line.
            line.cut()
            # A fault holds this frame, which must not hold the fault.
            del thread

    def _give_back(self, thread: Future[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """The turn, once its thread is free: one that asks a name server cannot be called back."""
        if thread.done():
            self._fetches.release()
            return

        def release(_: Future[bytes]) -> None:
            with suppress(RuntimeError):  # the service has stopped meanwhile
                loop.call_soon_threadsafe(self._fetches.release)

        thread.add_done_callback(release)

    @contextmanager
    def _counted(self, items: Sequence[Item]) -> Iterator[None]:
        """Lets in a request with URLs if there are few enough of them."""
        remote = any(map(_is_remote, items))
        if remote and self._fetching >= _FETCHING_REQUESTS:
            raise Unavailable(f"{self._fetching} requests with URLs are being served; send it again")
        self._fetching += remote
        try:
            yield
        finally:
            self._fetching -= remote

    async def _run(self, lane: _Lane, item: Item, prepared: Prepared) -> Embedded:
        vector = await asyncio.wrap_future(lane.batcher.submit(prepared.content))
        if not np.isfinite(vector).all():
            raise EngineFault(f"{item.where}: the model gave a vector that is not finite; please report this")
        if prepared.warning:
            self._metrics.truncated.inc()
        return Embedded(vector, f"{item.where}: {prepared.warning}" if prepared.warning else "", prepared.tokens)

    def _open(self, source: _Source) -> Prepared | Opened:
        """The prepared item, or, if that would take much memory, the opened one."""
        with self._working_on(source.where), self._metrics.stage("decode"):
            opened = self._decoder.open(self.model.kinds[source.modality], source.content)
            return opened if opened.large else self._decode(source, opened)

    def _prepare_large(self, source: _Source, opened: Opened) -> Prepared:
        with self._working_on(source.where), self._metrics.stage("decode"):
            return self._decode(source, opened)

    def _decode(self, source: _Source, opened: Opened) -> Prepared:
        with opened.decode() as medium:
            return self.model.prepare(source.modality, medium)

    @contextmanager
    def _working_on(self, where: str) -> Iterator[None]:
        try:
            yield
        except VecmodError as error:
            raise error.at_item(where) from error


def _is_remote(item: Item) -> bool:
    return item.modality != TEXT.name and is_url(item.value)
