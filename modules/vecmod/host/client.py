"""One service over HTTP: kept connections, one time limit for a call, resends only where nothing is done twice."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from itertools import groupby
from typing import Any

import urllib3
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    LocationParseError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
)
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.util import parse_url

from vecmod.contract.modality import Modality
from vecmod.contract.priority import PRIORITY_HEADER, Priority
from vecmod.host.catalog import KnownModule
from vecmod.host.collect import Piece
from vecmod.host.combine import Vector
from vecmod.host.host_errors import HostError, InvalidSettings, ServiceError, ServiceUnreachable
from vecmod.host.service_answers import Answer, as_vector, read_answer, reason_of, retry_after
from vecmod.host.smallest import SMALLEST

# Vectorising is a pure function, so a request whose answer was lost may be sent again.
_RESENDS = (0.1, 0.5, 1.5)
_BUSY = 503
# Go writes these as escapes, so that JSON can stand in a web page; our requests equal Weaviate's.
_GO_ESCAPES = [(character, f"\\u{ord(character):04x}") for character in "<>&\u2028\u2029"]
_READ_BYTES = 1 << 16
_PROBE_SECONDS = 0.5
_TELL_SECONDS = 5.0

_log = logging.getLogger(__name__)


class ServiceClient:
    """Asks one service; safe to use from many threads.

    Args:
        module: how it is asked.
        origin: its URL, with or without a path or trailing slash.
        timeout: seconds of one call with all its resends; zero or less: no limit.

    Attributes:
        priority: told with each request: those of queries go first.
    """

    def __init__(self, module: KnownModule, origin: str, timeout: float) -> None:
        if not _is_url(origin):
            raise InvalidSettings(f"{module.origin_variable}={origin!r} is not a URL; write http://host:port")
        self.module = module
        self.origin = origin.rstrip("/")
        self._timeout = timeout if timeout > 0 else None
        self.priority = Priority.QUERY
        self._pool = urllib3.PoolManager(maxsize=64, retries=False)

    def vectorize(self, pieces: Sequence[Piece], name: str) -> list[Vector]:
        """Vectors float32 ``[dim]``, one for each piece, in order.

        Args:
            pieces: what to embed.
            name: of the object; the service sees it as ``<name>_<number>``.

        Raises:
            ServiceError: if the service refuses, fails, or answers with anything but one finite vector each.
            ServiceUnreachable: if the service cannot be reached.
        """
        if self.module.lists:
            return self._lists(pieces)
        return [self._one(f"{name}_{index}", piece.modality.name, piece.value) for index, piece in enumerate(pieces)]

    def vectorize_query(self, modality: Modality, value: str) -> Vector:
        """The vector of a query; raises as :meth:`vectorize`."""
        try:
            if self.module.lists:
                return self._lists([Piece("", modality, value)])[0]
            return self._one(f"search_{time.time_ns()}", modality.name, value)
        except ServiceError as error:
            raise ServiceError(f"vectorize {modality.name}: {error}", error.code, error.reason) from error

    def dimension(self) -> int:
        """Length of the service's vectors, found by asking for one."""
        samples = [Piece("", modality, value) for modality, value in SMALLEST.items()]
        *first, last = [piece for piece in samples if piece.modality in self.module.modalities]
        for piece in first:
            # A service may run with some of its towers only.
            with suppress(ServiceError):
                return len(self.vectorize([piece], "dimension")[0])
        return len(self.vectorize([last], "dimension")[0])

    def at(self, origin: str) -> "ServiceClient":
        """The same module elsewhere, on the same connections; the URL is taken as it is, as Weaviate does."""
        other = copy(self)
        other.origin = origin
        return other

    def importing(self) -> "ServiceClient":
        """The same service, told with each request that others may go first; the official ones do not listen."""
        other = copy(self)
        other.priority = Priority.IMPORT
        return other

    def is_ready(self) -> str:
        """Empty if the service is ready, else the reason why not."""
        try:
            answer = self._probe("/.well-known/ready")
        except HTTPError as error:
            return _cause(error)
        return "" if answer.status < 300 else f"status {answer.status}{reason_of(answer.body)}"  # noqa: PLR2004

    def meta(self) -> dict[str, Any]:
        """What the service says of itself, in whatever shape; empty if it says nothing."""
        try:
            return read_answer(self._probe("/meta"))
        except (HTTPError, ServiceError):
            return {}

    def wait_until_ready(self, seconds: float) -> None:
        """Return as soon as the service is ready.

        Raises:
            ServiceUnreachable: if it is not within the time, with the last reason.
        """
        deadline = time.monotonic() + seconds
        told = 0.0
        while reason := self.is_ready():
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                _log.warning("waiting for %s at %s: %s", self.module.name, self.origin, reason)
            if time.monotonic() >= deadline:
                raise ServiceUnreachable(
                    f"{self.module.name} at {self.origin} was not ready within {seconds:g} s ({reason}); "
                    f"start it (vecmod serve {self.module.name}), or correct {self.module.origin_variable}"
                )
            time.sleep(0.25)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _probe(self, path: str) -> Answer:
        answer = self._pool.request("GET", f"{self.origin}{path}", timeout=_PROBE_SECONDS, redirect=False)
        return Answer(answer.status, "", answer.data)

    def _lists(self, pieces: Sequence[Piece]) -> list[Vector]:
        """One request with a list for each modality; pieces come ordered by modality."""
        groups = {
            modality: [piece.value for piece in group]
            for modality, group in groupby(pieces, key=lambda piece: piece.modality)
        }
        answer = self._post("/vectorize", {modality.plural: values for modality, values in groups.items()})
        vectors = []
        for modality, values in groups.items():
            found = answer.get(modality.answer) or []
            if not isinstance(found, list) or len(found) != len(values):
                count = len(found) if isinstance(found, list) else "no list of"
                raise ServiceError(f"{count} vectors for {len(values)} inputs in {modality.answer}")
            vectors += [as_vector(one) for one in found]
        return vectors

    def _one(self, name: str, key: str, value: str) -> Vector:
        answer = self._post("/vectors", {"id": name, key: value})
        if not isinstance(answer.get("dim", 0), int):
            raise ServiceError("failed to parse vectorization response (status 200): dim is not an integer")
        return as_vector(answer.get("vector"))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a service that took the request."""
        raw = _as_go_writes(body)
        deadline = time.monotonic() + self._timeout if self._timeout else None
        response = self._send(path, raw, deadline)
        while response.status == _BUSY and (wait := retry_after(response)) and _fits(wait, deadline):
            time.sleep(wait)
            response = self._send(path, raw, deadline)
        return read_answer(response)

    def _send(self, path: str, raw: bytes, deadline: float | None) -> Answer:
        for pause in (*_RESENDS, None):
            left = None if deadline is None else max(0.001, deadline - time.monotonic())
            try:
                response = self._pool.request(
                    "POST",
                    f"{self.origin}{path}",
                    body=raw,
                    headers=self._headers(),
                    timeout=urllib3.Timeout(total=left),
                    redirect=False,
                    preload_content=False,
                )
                return Answer(response.status, response.headers.get("Retry-After", ""), _read_all(response, deadline))
            except NewConnectionError as error:
                fault: HTTPError = error
            except HTTPTimeoutError as error:
                raise self._too_late() from error
            except DecodeError as error:
                raise ServiceError(f"failed to parse vectorization response: {error}") from error
            except (ProtocolError, MaxRetryError) as error:
                fault = error
            if pause is None or not _fits(pause, deadline):
                break
            time.sleep(pause)
        raise ServiceUnreachable(
            f"{self.module.name} at {self.origin} cannot be reached ({_cause(fault)}); is it running?"
        ) from fault

    def _headers(self) -> dict[str, str]:
        said = {"Content-Type": "application/json"} if self.module.says_json else {}
        return {**said, PRIORITY_HEADER: self.priority}

    def _too_late(self) -> HostError:
        """One slow answer is that object's fault; a service that does not answer its probe either is out of reach."""
        late = f"{self.module.name} at {self.origin} did not answer within {self._timeout:g} s (MODULES_CLIENT_TIMEOUT)"
        reason = self.is_ready()
        return ServiceUnreachable(f"{late}, nor its probe ({reason})") if reason else ServiceError(late, "timeout")


def _is_url(text: str) -> bool:
    try:
        url = parse_url(text)
    except LocationParseError:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _as_go_writes(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _GO_ESCAPES:
        # On megabytes of base64 this takes milliseconds; str.translate takes a second once one letter is not ASCII.
        text = text.replace(character, escape)
    return text.encode()


def _fits(pause: float, deadline: float | None) -> bool:
    return deadline is None or time.monotonic() + pause < deadline


def _read_all(response: urllib3.BaseHTTPResponse, deadline: float | None) -> bytes:
    """The whole body; urllib3's own limit is for each read, and a server that drips would never meet it."""
    parts = []
    while part := response.read1(_READ_BYTES):
        parts.append(part)
        if not _fits(0, deadline):
            response.close()
            raise HTTPTimeoutError("the body took too long")
    response.release_conn()
    return b"".join(parts)


def _cause(error: HTTPError) -> str:
    """The innermost words, without the library's own objects in them."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return str(cause) or type(cause).__name__
