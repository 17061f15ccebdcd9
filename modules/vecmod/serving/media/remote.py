"""Files from other servers: one at a time, from the address that was checked, within a size.

The door to urllib3 in this wing, which here speaks HTTP over a connection that was made before: nothing is looked up,
redirected, decoded or sent again that was not decided on in this file.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from io import BytesIO
from ipaddress import ip_address
from itertools import count
from urllib.parse import urljoin

from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from vecmod import __version__
from vecmod.contract.errors import TooLarge, UrlFailed, UrlRefused, UrlUnavailable
from vecmod.serving.media.remote_url import Address, RemoteUrl, read_url
from vecmod.serving.media.url_rules import UrlRules

_REDIRECTS = 3
_REDIRECTING = (301, 302, 303, 307, 308)
_FOUND = 200
_TOO_MANY = 429
_SERVER_FAULT = 500
# A file in more parts than this must have so many bytes in each.
_FEW_PARTS, _CRUMB = 1000, 64
_READ_BYTES = 1 << 16
# By its type alone: whatever else a server calls its pictures, the decoder knows them by their bytes.
_PAGES = ("text/html", "application/xhtml+xml")
_ACCEPT = {"audio": "audio/*", "video": "video/*", "imu": "*/*"}


@dataclass(frozen=True)
class RemoteLimits:
    """What one fetch may take.

    Attributes:
        max_bytes: of the file.
        seconds: from the name server's answer to the last byte, over all redirects; whoever waits keeps watch over it.
    """

    max_bytes: int
    seconds: float


class Line:
    """The connection that a fetch waits on, for somebody else to cut: a thread cannot be told to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cut = False
        self._handle: socket.socket | None = None

    def hold(self, connection: socket.socket) -> None:
        """Let this connection be the one that is cut.

        Raises:
            ConnectionAbortedError: if nobody waits for it any more.
        """
        with self._lock:
            self._let_go()
            if self._is_cut:
                raise ConnectionAbortedError
            # Of its own, as TLS takes the other over, and whoever reads may close it at any time.
            self._handle = connection.dup()

    def cut(self) -> None:
        """End the connection, now and in future; whoever reads from it wakes up."""
        with self._lock:
            self._is_cut = True
            if self._handle is not None:
                with suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)
            self._let_go()

    def _let_go(self) -> None:
        if self._handle is not None:
            self._handle.close()
        self._handle = None


class RemoteFiles:
    """Fetches what the rules allow; safe to use from many threads.

    Args:
        rules: what is allowed.
        limits: of one file.
    """

    def __init__(self, rules: UrlRules, limits: RemoteLimits) -> None:
        self._rules = rules
        self._limits = limits

    @property
    def seconds(self) -> float:
        """After which whoever waits for :meth:`fetch` should cut its line."""
        return self._limits.seconds

    def allowed(self, text: str) -> RemoteUrl:
        """The URL, if it may be asked for; without a word to any network.

        Raises:
            UrlRefused: if it is none that can be fetched, or none that the operator allowed.
        """
        url = read_url(text)
        self._rules.check_host(url)
        return url

    def fetch(self, url: RemoteUrl, modality: str, line: Line) -> bytes:
        """The file at an allowed URL.

        Raises:
            UrlRefused: if it, or what it redirects to, leads to where nothing may be fetched from.
            UrlFailed: if it cannot be had.
            UrlUnavailable: if it cannot be had now.
            TooLarge: if it is too large.
        """
        came_from = ""
        for _ in range(_REDIRECTS + 1):
            try:
                with self._ask(url, modality, line) as answer:
                    if answer.status not in _REDIRECTING:
                        return self._read(url, answer)
                    following = self._next(url, answer)
            except UrlRefused as refusal:
                raise (refusal.at_item(f"redirected by {came_from}") if came_from else refusal) from None
            came_from, url = url.authority, following
        raise failed(url, f"it is reached over more than {_REDIRECTS} redirects")

    def too_late(self, url: RemoteUrl) -> UrlUnavailable:
        """The fault of a fetch whose time is up."""
        return unavailable(url, f"it took longer than {self.seconds:g} s (VECMOD_URL_TIMEOUT)")

    @contextmanager
    def _ask(self, url: RemoteUrl, modality: str, line: Line) -> Iterator[HTTPResponse]:
        headers = {
            "Host": url.authority,
            "User-Agent": f"vecmod/{__version__}",
            "Accept": f"{_ACCEPT.get(modality, 'image/*')}, */*;q=0.1",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        with self._faults_of(url), closing(HTTPConnection(url.host, url.port, timeout=self.seconds)) as connection:
            connection.sock = self._connect(url, line)
            connection.request("GET", url.target, headers=headers, preload_content=False, decode_content=False)
            with closing(connection.getresponse()) as answer:
                yield answer

    def _connect(self, url: RemoteUrl, line: Line) -> socket.socket:
        """A connection to the first of the host's addresses that can be reached; all were checked before."""
        *others, last = self._addresses(url)
        seconds = self.seconds / (len(others) + 1)
        for address in others:
            with suppress(OSError):
                return self._secured(url, _connection(address, url.port, seconds, line))
        return self._secured(url, _connection(last, url.port, seconds, line))

    def _addresses(self, url: RemoteUrl) -> list[Address]:
        """Looked up once, so that what is checked is what is connected to."""
        if url.address is not None:
            addresses: list[Address] = [url.address]
        else:
            found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(ip_address(str(entry[4][0])) for entry in found))
        for address in addresses:
            self._rules.check_address(url, address)
        return addresses

    def _secured(self, url: RemoteUrl, connection: socket.socket) -> socket.socket:
        connection.settimeout(self.seconds)
        if url.scheme == "http":
            return connection
        try:
            return self._tls.wrap_socket(connection, server_hostname=url.host)
        except OSError:
            connection.close()
            raise

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Checks certificates and their names; reading the system's list of authorities takes a moment, so once."""
        return ssl.create_default_context()

    def _next(self, url: RemoteUrl, answer: HTTPResponse) -> RemoteUrl:
        try:
            # Headers are read as Latin-1; servers write UTF-8.
            location = answer.headers.get("Location", "").encode("latin-1").decode("utf-8", "replace")
            following = self.allowed(urljoin(url.text, location))
        except UrlRefused as refusal:
            raise refusal.at_item(f"redirected by {url.authority}") from None
        except ValueError:
            raise failed(url, "it redirects to what is no URL") from None
        if url.scheme == "https" and following.scheme == "http":
            raise failed(url, "it redirects from https to http")
        return following

    def _read(self, url: RemoteUrl, answer: HTTPResponse) -> bytes:
        """The file; its bytes are in memory once."""
        self._check_header(url, answer)
        file = BytesIO()
        for parts in count():
            if not (part := answer.read1(_READ_BYTES)):
                break
            self._check_size(url, file.tell() + len(part))
            file.write(part)
            if parts > _FEW_PARTS and file.tell() < parts * _CRUMB:
                # Each takes as long as a kilobyte would, from everybody.
                raise failed(url, "it sent the file in crumbs")
        if not file.tell():
            raise failed(url, "it answered with nothing")
        return file.getvalue()

    def _check_header(self, url: RemoteUrl, answer: HTTPResponse) -> None:
        if answer.status == _TOO_MANY or answer.status >= _SERVER_FAULT:
            raise unavailable(url, f"it answered with status {answer.status}")
        if answer.status != _FOUND:
            raise failed(url, f"it answered with status {answer.status}")
        if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise failed(url, "it sent the file compressed, though asked not to")
        if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGES:
            raise failed(url, "it answered with a web page, not with a file")
        self._check_size(url, answer.length_remaining or 0)

    def _check_size(self, url: RemoteUrl, size: int) -> None:
        if size > self._limits.max_bytes:
            raise TooLarge(
                f"cannot be fetched from {url.authority}: it is larger than {self._limits.max_bytes} bytes; "
                "send a smaller copy, or raise VECMOD_URL_MAX_MB"
            )

    @contextmanager
    def _faults_of(self, url: RemoteUrl) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, HTTPTimeoutError) as error:
            raise self.too_late(url) from error
        except (ssl.SSLError, socket.gaierror) as error:
            is_passing = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            raise (unavailable if is_passing else failed)(url, _words(error)) from error
        except (OSError, HTTPError, HTTPException) as error:
            raise unavailable(url, _words(error)) from error


def failed(url: RemoteUrl, reason: str) -> UrlFailed:
    """The fault of a URL that was allowed and gave no file."""
    return UrlFailed(
        f"cannot be fetched from {url.authority}: {reason}; mend the URL, or send the file's bytes as base64"
    )


def unavailable(url: RemoteUrl, reason: str) -> UrlUnavailable:
    """The fault of a URL whose server may give the file later."""
    return UrlUnavailable(
        f"cannot be fetched from {url.authority} now: {reason}; send it again, or send the file's bytes as base64"
    )


def _connection(address: Address, port: int, seconds: float, line: Line) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 -- the version's name
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        line.hold(connection)
        connection.settimeout(seconds)
        connection.connect((str(address), port))
    except OSError:
        connection.close()
        raise
    return connection


def _words(error: Exception) -> str:
    """What went wrong, without what a server sent: that may be none of the sender's business."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return "no TLS connection could be made"
    if isinstance(error, socket.gaierror):
        return "its name is not known" if error.errno != socket.EAI_AGAIN else "no name server answered"
    if isinstance(error, ConnectionRefusedError):
        return "it refused the connection"
    return "the connection broke off, or its answer was no HTTP"
