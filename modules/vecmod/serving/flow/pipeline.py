"""One request: fetch what is a URL, embed each item together with everybody else's, keep the order."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, TypeVar

from vecmod.contract.errors import UnsupportedInput, VecmodError
from vecmod.contract.modality import TEXT
from vecmod.serving.flow.embedder import Content, Embedded, Embedder
from vecmod.serving.flow.lanes import too_late
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.remote_turns import FetchShare, RemoteTurns
from vecmod.serving.flow.terms import Terms
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.remote import RemoteFiles
from vecmod.serving.media.remote_url import is_url
from vecmod.serving.model.model import Model

Result = TypeVar("Result")


class Item(NamedTuple):
    """One input: its modality, its value on the wire, and its place for messages, e.g. ``images[6]``."""

    modality: str
    value: str
    where: str


class _Share(NamedTuple):
    """What one request may have at once, so that a long list leaves room for a short one; and its terms."""

    items: Mapping[str, asyncio.Semaphore]
    fetches: FetchShare
    terms: Terms


class Pipeline:
    """The road from wire values to vectors, shared by all requests.

    Args:
        model: loaded and warm.
        decoder: wire text to medium.
        metrics: told what happens.
        workers: threads that decode and prepare, for each modality and priority.
        remote: fetches media that are given as URLs.
    """

    def __init__(self, model: Model, decoder: Decoder, metrics: Metrics, workers: int, remote: RemoteFiles) -> None:
        self.model = model
        self._metrics = metrics
        self._remote = RemoteTurns(remote, metrics)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parse")
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
        for modality in {item.modality for item in items}:
            self._embedders[modality].backlog.check(terms.priority, terms.max_wait)
        items_at_once = {name: asyncio.Semaphore(2 * one.batch_size) for name, one in self._embedders.items()}
        share = _Share(items_at_once, self._remote.share(), terms)
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

    def close(self) -> None:
        """Finish what was submitted, then free the model."""
        self._pool.shutdown()
        self._remote.close()
        for embedder in self._embedders.values():
            embedder.close()
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
            value, where = await self._source(item, share, held)
            content = Content(value, held)
            del value
            async with share.items[item.modality]:
                with _working_on(where):
                    embedded = await self._embedders[item.modality].embed(content, share.terms)
        if not embedded.warning:
            return embedded
        self._metrics.truncated.inc()
        return embedded._replace(warning=f"{item.where}: {embedded.warning}")

    async def _source(self, item: Item, share: _Share, held: ExitStack) -> tuple[str | bytes, str]:
        """What to decode, and where that came from, for messages.

        If it has to be fetched, that is one of the few turns there are until ``held`` is closed.
        """
        if not _is_remote(item):
            return item.value, item.where
        with _working_on(item.where):
            file, sender = await self._remote.fetch(item.value, item.modality, share.fetches, held)
        return file, f"{item.where}: what {sender} sent"


@contextmanager
def _working_on(where: str) -> Iterator[None]:
    try:
        yield
    except VecmodError as error:
        raise error.at_item(where) from error


def _is_remote(item: Item) -> bool:
    return item.modality != TEXT.name and is_url(item.value)
