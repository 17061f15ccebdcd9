"""Vectors that replicas share, in a Redis: the one door to its client. No request fails or waits on its account."""

import asyncio
import logging
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import numpy as np
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.vector_cache import Embedded

_log = logging.getLogger(__name__)
# Seconds that an item may spend on it, connecting among them; and for which it is left alone after a fault.
_SECONDS, _PAUSE = 0.02, 5.0
# Questions at once, and vectors on their way there; beyond them it is passed by.
_AT_ONCE = 64
# Before the numbers: what this is, how many numbers there are, and the tokens that were read.
_HEAD = struct.Struct("<4sII")
_MARK = b"vec1"
_PREFIX = b"vecmod:"
_FAULTS = (RedisError, OSError, TimeoutError)


class RedisVectors:
    """A cache beside the process; used from the event loop.

    What is in it is believed if it has the right form, so it must be as trustworthy as the service is. Nothing in it
    expires: Redis forgets by its own rules (``maxmemory-policy allkeys-lru``).

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; never shown, as there may be a password in it.
        metrics: told what came of each question.

    Raises:
        ValueError: if it is no such URL.
    """

    def __init__(self, url: str, metrics: Metrics) -> None:
        self._client = Redis.from_url(
            url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._metrics = metrics
        self._loop: asyncio.AbstractEventLoop | None = None
        self._at_once = 0
        self._pause_until = 0.0
        self._down = False
        self._puts: set[asyncio.Task[None]] = set()

    async def get(self, key: bytes, dim: int) -> Embedded | None:
        """What was put there: a vector float32 ``[dim]``; None if it was not, or if Redis does not tell soon."""
        self._loop = asyncio.get_running_loop()
        value = await self._ask(lambda: self._client.get(_PREFIX + key))
        found = _read(value, dim) if isinstance(value, bytes) else None
        self._metrics.shared.labels("miss" if found is None else "hit").inc()
        return found

    def put(self, key: bytes, embedded: Embedded) -> None:
        """Keep it, some time soon, if Redis takes it."""
        if len(self._puts) < _AT_ONCE:
            value = _written(embedded)
            put = asyncio.create_task(self._put(_PREFIX + key, value))
            self._puts.add(put)
            put.add_done_callback(self._puts.discard)

    def close(self) -> None:
        """Close its connections; from another thread than the event loop's, which must be running."""
        if self._loop is not None:
            with suppress(*_FAULTS):
                asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result(1.0)

    async def _put(self, key: bytes, value: bytes) -> None:
        await self._ask(lambda: self._client.set(key, value))

    async def _ask(self, command: Callable[[], Awaitable[object]]) -> object:
        """Its answer, or None; after a fault it is not asked for a while."""
        if self._at_once >= _AT_ONCE or time.monotonic() < self._pause_until:
            self._metrics.shared.labels("skipped").inc()
            return None
        self._at_once += 1
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await command()
        except _FAULTS as fault:
            self._metrics.shared.labels("fault").inc()
            self._pause_until = time.monotonic() + _PAUSE
            if not self._down:
                self._down = True
                _log.warning(
                    "the Redis of VECMOD_VECTOR_CACHE_URL does not answer within %g s (%s); going on without it",
                    _SECONDS,
                    type(fault).__name__,
                )
            return None
        finally:
            self._at_once -= 1
        if self._down:
            self._down = False
            _log.info("the Redis of VECMOD_VECTOR_CACHE_URL answers again")
        return answer


def _written(embedded: Embedded) -> bytes:
    head = _HEAD.pack(_MARK, len(embedded.vector), embedded.tokens)
    return head + embedded.vector.astype("<f4").tobytes() + embedded.warning.encode()


def _read(value: bytes, dim: int) -> Embedded | None:
    """The vector, unless it is damaged, cut off, or somebody else's."""
    end = _HEAD.size + 4 * dim
    if len(value) < end or value[: len(_MARK)] != _MARK:
        return None
    _, length, tokens = _HEAD.unpack_from(value)
    vector = np.frombuffer(value, "<f4", dim, _HEAD.size).astype(np.float32)
    if length != dim or not np.isfinite(vector).all():
        return None
    return Embedded(vector, value[end:].decode(errors="replace"), tokens)
