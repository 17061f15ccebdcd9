"""Who may enter, and how much at once: token, body size, permits. What does not fit is refused before it is read."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from vecmod.contract.errors import BodyTimeout, TooLarge, Unauthorized, Unavailable
from vecmod.serving.flow.metrics import Metrics

# Slower than the slowest line that people send pictures over; who sends less only holds our memory.
_BYTES_PER_SECOND = 64 * 1024


@dataclass(frozen=True)
class DoorLimits:
    """What may enter.

    Attributes:
        token: bearer token, empty for none.
        max_body: bytes of one request.
        max_in_flight: bytes of all admitted requests together.
        max_requests: requests whose body is there and whose answer is not.
        body_timeout: seconds that a body may take, plus one for each 64 KiB of it; and seconds it may pause.
    """

    token: str
    max_body: int
    max_in_flight: int
    max_requests: int
    body_timeout: float


class Door:
    """Counts what is inside; used from the event loop only, so plain numbers do."""

    def __init__(self, limits: DoorLimits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._requests = 0
        self._bytes = 0

    @asynccontextmanager
    async def admit(self, request: Request) -> AsyncIterator[bytearray]:
        """The body of an admitted request; its permit is given back at the end of the block.

        Raises:
            Unauthorized: without the right token.
            TooLarge: if the body passes the limit, by its header or while it comes in.
            Unavailable: if the house is full.
            BodyTimeout: if the client stops sending.
        """
        self._check_token(request)
        self._check_size(int(request.headers.get("content-length") or 0))
        self._check_permits()
        body = bytearray()
        reserved = 0
        try:
            with self._metrics.stage("read"):
                async with self._in_time() as limit:
                    async for part in request.stream():
                        # Memory is taken as it fills: who only announces much takes none from others.
                        self._reserve(len(part))
                        reserved += len(part)
                        self._check_size(reserved)
                        body += part
                        limit.reschedule(self._later(limit, len(part)))
            with self._permit():
                yield body
        finally:
            self._bytes -= reserved

    def _check_token(self, request: Request) -> None:
        if not self._limits.token:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self._limits.token.encode()):
            raise Unauthorized("this service wants the header Authorization: Bearer <VECMOD_API_TOKEN>")

    def _check_permits(self) -> None:
        if self._requests >= self._limits.max_requests:
            raise Unavailable(f"{self._requests} requests are being served; send this one again in a moment")

    @contextmanager
    def _permit(self) -> Iterator[None]:
        # Asked again: the first time was only to spare a full house the body.
        self._check_permits()
        self._requests += 1
        self._metrics.in_flight.inc()
        try:
            yield
        finally:
            self._requests -= 1
            self._metrics.in_flight.dec()

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_body:
            raise TooLarge(
                f"the body is larger than {self._limits.max_body} bytes; send fewer or smaller items, "
                "or raise VECMOD_MAX_BODY_MB"
            )

    def _reserve(self, size: int) -> None:
        if self._bytes + size > self._limits.max_in_flight:
            raise Unavailable("the requests being served fill the memory set aside for them; send this one again later")
        self._bytes += size

    def _later(self, limit: asyncio.Timeout, size: int) -> float:
        """When time is up after one more part; who was fast cannot save up time to be silent in."""
        now = asyncio.get_running_loop().time()
        return min((limit.when() or now) + size / _BYTES_PER_SECOND, now + self._limits.body_timeout)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[asyncio.Timeout]:
        try:
            async with asyncio.timeout(self._limits.body_timeout) as limit:
                yield limit
        except TimeoutError as error:
            raise BodyTimeout(
                f"the body did not come within {self._limits.body_timeout:g} s and one more for each "
                f"{_BYTES_PER_SECOND // 1024} KiB; send the request again, faster or smaller"
            ) from error
