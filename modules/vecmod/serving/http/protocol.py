"""One connection: uvicorn's, with an end to headers that never end, and errors in the form of all others."""

import asyncio

import h11
import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

from vecmod.contract.errors import ErrorBody, RequestFault

# From the first byte of a request's header to its last, and from the opening of a connection to its first byte.
_HEADER_SECONDS = 30.0
# Bytes to a line end in a chunked body, below which it is crumbs: a chunk has two line ends. Small bodies may be so.
_CRUMB, _CRUMBS_FROM = 8, 16 * 1024
# In which somebody who is sent an answer must take some of it.
_READ_SECONDS = 30.0


class Connection(H11Protocol):
    """A connection that is closed when no request has begun on it, or a header has not ended, for half a minute."""

    _header_timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._header_timer = self.loop.call_later(_HEADER_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """An answer waits for its reader, who must take some of it now and then: it is held in memory."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The reader has taken nearly all."""
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def _watch(self, left: int) -> None:
        self._answer_timer = self.loop.call_later(_READ_SECONDS, self._expect_less_than, left)

    def _expect_less_than(self, left: int) -> None:
        now = self.transport.get_write_buffer_size()
        if now < left:
            self._watch(now)
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in what came; the wait goes on while it is part of a header."""
        if self._is_crumbs(data):
            # Nobody sends so, and each crumb takes the event loop as long as a kilobyte would.
            self.transport.abort()
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._header_timer is None and self.conn.trailing_data[0]:
            self._header_timer = self.loop.call_later(_HEADER_SECONDS, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        fault = RequestFault(f"{msg} This is a plain HTTP/1.1 server.")
        body = orjson.dumps(ErrorBody(error=fault.message, code=fault.code).model_dump())
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        for event in (
            h11.Response(status_code=fault.status, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_crumbs(self, data: bytes) -> bool:
        """Whether it is a body in chunks of a few bytes each."""
        chunked = self.conn.their_state is h11.SEND_BODY and (b"transfer-encoding", b"chunked") in (self.headers or [])
        return chunked and len(data) > _CRUMBS_FROM and data.count(b"\r\n") * _CRUMB > len(data)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
