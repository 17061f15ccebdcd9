"""One request: fetch what is a URL, embed each item together with everybody else's, keep the order."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

from vecmod.contract.errors import EngineFault, UnsupportedInput, VecmodError
from vecmod.contract.modality import TEXT
from vecmod.contract.priority import Priority
from vecmod.serving.flow.content import Content
from vecmod.serving.flow.embedder import Embedder
from vecmod.serving.flow.in_flight import InFlight
from vecmod.serving.flow.lanes import TooLate, too_late
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.quarantine import Quarantine
from vecmod.serving.flow.remote_turns import FetchShare, RemoteTurns
from vecmod.serving.flow.terms import Terms
from vecmod.serving.flow.vector_cache import Embedded, VectorCache
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.remote import RemoteFiles
from vecmod.serving.media.remote_url import is_url
from vecmod.serving.model.model import Model

Result = TypeVar("Result")

# Letters, or bytes, that are read and hashed on the event loop, which takes about a millisecond: a photo of 640x480 is
# below it, for which a thread would cost as much again.
_INLINE = 256 * 1024


class Item(NamedTuple):
    """One input: its modality, its value on the wire, and its place for messages, e.g. ``images[6]``."""

    modality: str
    value: str
    where: str


class _Share(NamedTuple):
    """What one request may have at once, so that a long list leaves room for a short one.

    Attributes:
        items: by modality.
        fetches: of URLs.
        terms: of the request.
        admitted: modalities that had room for it.
    """

    items: Mapping[str, asyncio.Semaphore]
    fetches: FetchShare
    terms: Terms
    admitted: set[str]


class Pipeline:
    """The road from wire values to vectors, shared by all requests.

    Args:
        model: loaded and warm.
        decoder: wire text to medium.
        metrics: told what happens.
        workers: threads that decode and prepare, for each modality and priority.
        remote: fetches media that are given as URLs.
        cache: of vectors of this model.
    """

    def __init__(
        self,
        model: Model,
        decoder: Decoder,
        metrics: Metrics,
        workers: int,
        remote: RemoteFiles,
        cache: VectorCache,
    ) -> None:
        self.model = model
        self._metrics = metrics
        self._remote = RemoteTurns(remote, metrics)
        self._cache = cache
        self._quarantine = Quarantine()
        self._works: InFlight[tuple[Priority, bytes], Embedded | VecmodError] = InFlight()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._readers = ThreadPoolExecutor(workers, thread_name_prefix="identify")
        self._embedders = {
            modality: Embedder(model, modality, decoder, metrics, workers) for modality in model.dimensions
        }

    async def embed(self, items: Sequence[Item], terms: Terms) -> list[Embedded]:
        """Vectors, one for each item, in order.

        Raises:
            VecmodError: of the first item that failed, naming it; the rest is given up.
            Unavailable: if the terms cannot be kept; if that is clear beforehand, at once.
        """
        self._check_modalities(items)
        items_at_once = {name: asyncio.Semaphore(2 * one.batch_size) for name, one in self._embedders.items()}
        share = _Share(items_at_once, self._remote.share(), terms, set())
        with self._remote.counted(any(map(_is_remote, items))):
            try:
                async with asyncio.timeout(terms.timeout) as limit:
                    return await self._embed_all(items, share)
            except TimeoutError:
                if limit.expired():
                    raise too_late() from None
                raise

    async def in_pool(self, work: Callable[[], Result]) -> Result:
        """Run something slow beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def oldest_run(self) -> float:
        """Seconds that the model has been busy with one batch without coming back."""
        return max(embedder.oldest_run() for embedder in self._embedders.values())

    def give_up(self, why: str) -> None:
        """Answer everybody, as the model does not come back: 500 to those in its hands, 503 to all others."""
        for embedder in self._embedders.values():
            embedder.give_up(why)

    def close(self) -> None:
        """Finish what was submitted, then free the model."""
        self._pool.shutdown()
        self._readers.shutdown(cancel_futures=True)
        self._remote.close()
        for embedder in self._embedders.values():
            embedder.close()
        if self._cache.shared is not None:
            self._cache.shared.close()
        self.model.close()

    def _check_modalities(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.modality not in self._embedders:
                have = ", ".join(self._embedders)
                advice = self.model.advice.get(item.modality)
                what_to_do = f"; {advice}" if advice else ""
                raise UnsupportedInput(f"{item.where}: this model embeds {have}, not {item.modality}{what_to_do}")

    async def _embed_all(self, items: Sequence[Item], share: _Share) -> list[Embedded]:
        tasks = [asyncio.create_task(self._embed_item(item, share)) for item in items]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            # A fault holds this frame, the frame its tasks, they the fault: a circle that would keep every item.
            tasks.clear()

    async def _embed_item(self, item: Item, share: _Share) -> Embedded:
        with ExitStack() as held:
            # Before it takes anything that those who brought their bytes need.
            content = await self._source(item, share, held)
            async with share.items[item.modality]:
                with _working_on(content.where):
                    key = await self._identify(content)
                embedded = await self._embed_once(key, content, share)
        if not embedded.warning:
            return embedded
        self._metrics.truncated.inc()
        return embedded._replace(warning=f"{item.where}: {embedded.warning}")

    async def _source(self, item: Item, share: _Share, held: ExitStack) -> Content:
        """What to decode; if it has to be fetched, that is one of the few turns there are until ``held`` is closed."""
        if not _is_remote(item):
            return Content(*item, held)
        with _working_on(item.where):
            file, sender = await self._remote.fetch(item.value, item.modality, share.fetches, held)
        return Content(item.modality, file, f"{item.where}: what {sender} sent", held)

    async def _identify(self, content: Content) -> bytes:
        identify = partial(content.key, self._cache, is_text=content.modality == TEXT.name)
        if len(content.value) <= _INLINE:
            return identify()
        return await asyncio.get_running_loop().run_in_executor(self._readers, identify)

    async def _embed_once(self, key: bytes, content: Content, share: _Share) -> Embedded:
        """The vector, from the cache, from whoever computes it just now, or computed."""
        # A query does not wait for an import.
        name = (share.terms.priority, key)
        until = time.monotonic() + share.terms.max_wait
        if (fault := self._quarantine.fault_of(key)) is not None:
            self._metrics.lookups.labels("quarantined").inc()
            raise fault.at_item(content.where)
        while (known := self._cache.get(key)) is None:
            work = self._works.find(name) if self._cache.reuses else None
            mine = work is None
            if work is None:
                self._admit(content.modality, share)
                content.take_over()
                terms = share.terms._replace(max_wait=max(0.0, until - time.monotonic()))
                work = self._works.start(name, self._compute(key, content, terms), content.release)
            self._metrics.lookups.labels("miss" if mine else "joined").inc()
            outcome = await self._works.wait(name, work)
            if isinstance(outcome, Embedded):
                return outcome
            # The time of others may have been shorter.
            if mine or not isinstance(outcome, TooLate) or time.monotonic() >= until:
                raise outcome.at_item(content.where) from outcome
        self._metrics.lookups.labels("hit").inc()
        return known

    def _admit(self, modality: str, share: _Share) -> None:
        """Refuses a request that would wait too long; asked once, as half of a list is of no use."""
        if modality not in share.admitted:
            self._embedders[modality].backlog.check(share.terms.priority, share.terms.max_wait)
            share.admitted.add(modality)

    async def _compute(self, key: bytes, content: Content, terms: Terms) -> Embedded | VecmodError:
        shared = self._cache.shared
        if shared is not None and (known := await shared.get(key, self.model.dimensions[content.modality])) is not None:
            self._cache.put(key, known)
            return known
        try:
            embedded = await self._embedders[content.modality].embed(content, terms)
        except VecmodError as fault:
            if isinstance(fault, EngineFault):
                self._quarantine.failed(key, fault)
            return fault
        self._quarantine.passed()
        self._cache.put(key, embedded)
        if shared is not None:
            shared.put(key, embedded)
        return embedded


@contextmanager
def _working_on(where: str) -> Iterator[None]:
    try:
        yield
    except VecmodError as error:
        raise error.at_item(where) from error


def _is_remote(item: Item) -> bool:
    return item.modality != TEXT.name and is_url(item.value)
