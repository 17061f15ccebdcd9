"""Media that are given as URLs: fetched in turns, so that slow hosts cost whoever names them, and nobody else."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from vecmod.contract.errors import Unavailable
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.media.remote import Line, RemoteFiles
from vecmod.serving.media.remote_url import RemoteUrl

# Files that are being fetched, or were and are not decoded yet; so many times `VECMOD_URL_MAX_MB` they may take. One
# request gets half, so that it leaves room for another's.
_FETCHES = 32
# Requests with URLs at once, beyond which they are told to come again: they may take long, and there are only so many
# requests at once (`VECMOD_MAX_REQUESTS`) for those that bring their bytes.
_FETCHING_REQUESTS = 64


class FetchShare(NamedTuple):
    """What one request may have at once of all fetches."""

    fetches: asyncio.Semaphore
    asking: asyncio.Lock


class Fetched(NamedTuple):
    """A file, and who sent it: host and port."""

    file: bytes
    sender: str


class RemoteTurns:
    """Who may fetch, and when; used from the event loop.

    Args:
        remote: fetches a file.
        metrics: told how long that takes.
    """

    def __init__(self, remote: RemoteFiles, metrics: Metrics) -> None:
        self._remote = remote
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(_FETCHES, thread_name_prefix="fetch")
        self._turns = asyncio.Semaphore(_FETCHES)
        self._requests = 0

    def share(self) -> FetchShare:
        """What a request may have."""
        return FetchShare(asyncio.Semaphore(_FETCHES // 2), asyncio.Lock())

    @contextmanager
    def counted(self, remote: bool) -> Iterator[None]:
        """Lets in a request, which may have URLs, if there are few enough of them.

        Raises:
            Unavailable: if there are not.
        """
        if remote and self._requests >= _FETCHING_REQUESTS:
            raise Unavailable(f"{self._requests} requests with URLs are being served; send it again")
        self._requests += remote
        try:
            yield
        finally:
            self._requests -= remote

    async def fetch(self, value: str, modality: str, share: FetchShare, turn: ExitStack) -> Fetched:
        """The file that a URL leads to, which is one of the few turns there are until ``turn`` is closed.

        Raises:
            UrlRefused, UrlFailed, UrlUnavailable, TooLarge: as :meth:`RemoteFiles.fetch`.
            Unavailable: if no turn came in time.
        """
        url = self._remote.allowed(value)
        await share.fetches.acquire()
        turn.callback(share.fetches.release)
        # One of a request's files waits at a time, so that requests take turns.
        async with share.asking:
            await self._wait_for_turn()
        with self._metrics.stage("fetch"):
            return Fetched(await self._fetch(url, modality, turn), url.authority)

    def close(self) -> None:
        """Fetch no more."""
        self._threads.shutdown(cancel_futures=True)

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(self._remote.seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable("too many files are being fetched; send it again, or send the file's bytes") from None

    async def _fetch(self, url: RemoteUrl, modality: str, turn: ExitStack) -> bytes:
        line = Line()
        thread = self._threads.submit(self._remote.fetch, url, modality, line)
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
            self._turns.release()
            return

        def release(_: Future[bytes]) -> None:
            with suppress(RuntimeError):  # the service has stopped meanwhile
                loop.call_soon_threadsafe(self._turns.release)

        thread.add_done_callback(release)
