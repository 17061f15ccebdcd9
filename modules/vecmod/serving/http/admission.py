"""Who may enter, and how much at once: token, body size, permits. What does not fit is refused before it is read."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request

from vecmod.contract.errors import BodyTimeout, TooLarge, Unauthorized, Unavailable
from vecmod.serving.flow.metrics import Metrics


@dataclass(frozen=True)
class DoorLimits:
    """What may enter.

    Attributes:
        token: bearer token, empty for none.
        max_body: bytes of one request.
        max_in_flight: bytes of all admitted requests together.
        max_requests: admitted requests.
        body_timeout: seconds between two parts of a body.
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
        if self._requests >= self._limits.max_requests:
            raise Unavailable(f"{self._requests} requests are being served; send this one again in a moment")
        body = bytearray()
        self._requests += 1
        self._metrics.in_flight.inc()
        reserved = 0
        try:
            reserved += self._reserve(0, int(request.headers.get("content-length") or 0))
            with self._metrics.stage("read"):
                async for part in self._parts(request):
                    body += part
                    reserved += self._reserve(reserved, len(body))
            yield body
        finally:
            self._bytes -= reserved
            self._requests -= 1
            self._metrics.in_flight.dec()

    def _check_token(self, request: Request) -> None:
        if not self._limits.token:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self._limits.token.encode()):
            raise Unauthorized("this service wants the header Authorization: Bearer <VECMOD_API_TOKEN>")

    def _reserve(self, reserved: int, needed: int) -> int:
        """Set memory aside for a body that needs more than is reserved; the number of bytes added."""
        added = max(0, needed - reserved)
        if needed > self._limits.max_body:
            raise TooLarge(
                f"the body is larger than {self._limits.max_body} bytes; send fewer or smaller items, "
                "or raise VECMOD_MAX_BODY_MB"
            )
        if self._bytes + added > self._limits.max_in_flight:
            raise Unavailable("the requests being served fill the memory set aside for them; send this one again later")
        self._bytes += added
        return added

    async def _parts(self, request: Request) -> AsyncIterator[bytes]:
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout(self._limits.body_timeout):
                    part = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise BodyTimeout(
                    f"the body stopped coming for {self._limits.body_timeout:g} s; send the request again, whole"
                ) from error
            yield part
