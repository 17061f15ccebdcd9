"""One service over HTTP, sent exactly what is given: no header added, no redirect followed, connections kept."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationParseError, ProtocolError, SSLError
from urllib3.util import SKIP_HEADER, parse_url

from vecmod.replay.replay_errors import NoAnswer, NotReached, ReplayError

Headers = Sequence[tuple[str, str]]
_CONNECT_SECONDS = 10.0
# urllib3 writes these of its own accord unless it is told not to.
_OWN_HEADERS = ("User-Agent", "Accept-Encoding")


class Reply(NamedTuple):
    """An answer, whole."""

    status: int
    reason: str
    headers: Headers
    body: bytes


class Upstream:
    """A service; safe to use from many threads.

    Args:
        url: with or without a path or trailing slash.
        connections: to keep.
        seconds: that the service may be silent while it is waited for.

    Raises:
        ReplayError: if that is not a URL.
    """

    def __init__(self, url: str, connections: int, seconds: float) -> None:
        if not _is_url(url):
            raise ReplayError(f"{url!r} is not a URL; write http://host:port")
        self.url = url.rstrip("/")
        self._prefix = (parse_url(url).path or "").rstrip("/")
        # A pool, not a manager of pools: that one would tidy up paths.
        self._pool = urllib3.connection_from_url(
            url, maxsize=connections, timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=seconds)
        )

    def send(
        self, method: str, target: str, headers: Headers, body: bytes | Iterable[bytes] | None, *, decode: bool = True
    ) -> Reply:
        """The answer to a request, its Content-Encoding undone or left as it is.

        Raises:
            NotReached: if the service takes no connection.
            NoAnswer: if it does not answer, or not in time.
        """
        for last in (False, True):
            try:
                return self._send(method, target, headers, body, decode=decode)
            except (ConnectTimeoutError, SSLError) as error:
                raise NotReached(f"{self.url} cannot be reached ({_cause(error)}); is it running?") from error
            except HTTPError as error:
                # A kept connection may be closed at the moment it is used again; vectorising twice does no harm.
                if last or not isinstance(error, ProtocolError) or not isinstance(body, bytes | None):
                    raise NoAnswer(f"{self.url} did not answer ({_cause(error)})") from error
        raise AssertionError  # the second turn returns or raises

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _send(
        self, method: str, target: str, headers: Headers, body: bytes | Iterable[bytes] | None, *, decode: bool
    ) -> Reply:
        given = urllib3.HTTPHeaderDict(headers)
        for name in _OWN_HEADERS:
            given.setdefault(name, SKIP_HEADER)
        response = self._pool.urlopen(
            method,
            self._prefix + target,
            body=body,
            headers=given,
            retries=False,
            redirect=False,
            decode_content=decode,
        )
        return Reply(response.status, response.reason or "", list(response.headers.iteritems()), response.data)


def _is_url(text: str) -> bool:
    try:
        url = parse_url(text)
    except LocationParseError:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _cause(error: BaseException) -> str:
    """The innermost reason: urllib3 wraps it, and names its own objects around it."""
    inner = error.__cause__ or next((one for one in error.args if isinstance(one, BaseException)), None)
    return _cause(inner) if inner is not None else str(error) or type(error).__name__
