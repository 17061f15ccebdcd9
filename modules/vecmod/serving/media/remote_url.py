"""The text of a URL to what a request needs, so strictly that no other reader could find another host in it."""

import re
import string
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

from vecmod.contract.errors import UrlRefused

Address = IPv4Address | IPv6Address

_DEFAULT_PORTS = {"http": 80, "https": 443}
# What RFC 9110 asks every server to take.
_LONGEST = 8000
_LONGEST_NAME = 253
LAST_PORT = 65535
_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*)://", re.IGNORECASE | re.ASCII)
_SCHEME_WITHIN = 64
# Programs disagree on what these mean, and hosts are smuggled in between.
_AMBIGUOUS = re.compile(r"[\s\\\x00-\x1f\x7f-\x9f]")
_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.ASCII)
_AUTHORITY = re.compile(r"(\[[^\[\]@]*\]|[^:@\[\]]*)(?::([0-9]{1,5}))?")
# With underscores, which names of containers have.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# Whoever parses addresses as C did, takes a name that ends so for an address: 0x7f.1, 2130706433, 0177.0.0.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class RemoteUrl:
    """Where a file is.

    Attributes:
        scheme: ``http`` or ``https``.
        host: a name in small letters, or an address in its usual form, without brackets.
        port: said, or the scheme's.
        target: path and query, as they stand in the first line of a request.
        address: the host, if it is an address.
    """

    scheme: str
    host: str
    port: int
    target: str
    address: Address | None

    @property
    def authority(self) -> str:
        """The header ``Host``: the port only if it is not the scheme's."""
        return self.written_host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self.written_host}:{self.port}"

    @property
    def written_host(self) -> str:
        """The host as it is written where a port may follow."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def text(self) -> str:
        """The URL without its fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"


def is_url(value: str) -> bool:
    """Whether a value on the wire is meant as a URL, of whatever scheme: base64 has no colon."""
    return _SCHEME.match(value[:_SCHEME_WITHIN]) is not None


def read_url(text: str) -> RemoteUrl:
    """The parts of an ``http`` or ``https`` URL.

    Raises:
        UrlRefused: if it is another kind of URL, or one that two programs could read in two ways.
    """
    if (scheme := _SCHEME.match(text[:_SCHEME_WITHIN])) and scheme[1].lower() not in _DEFAULT_PORTS:
        raise _refused("is a URL, but only http:// and https:// are ever fetched")
    if len(text) > _LONGEST:
        raise _refused(f"is a URL of more than {_LONGEST} characters")
    if _AMBIGUOUS.search(text):
        raise _refused(r"is a URL with white space, control characters or a \ in it")
    if not (parts := _URL.fullmatch(text)):
        raise _refused("is no URL such as http://host/path or https://host/path")
    scheme_name, authority, target = parts[1].lower(), parts[2], parts[3]
    if "@" in authority:
        raise _refused("is a URL with a user or password in it, which is not sent anywhere")
    if not (host_and_port := _AUTHORITY.fullmatch(authority)):
        raise _refused("is a URL whose host cannot be read, as in http://host:port/path")
    host, address = read_host(host_and_port[1])
    port = int(host_and_port[2] or _DEFAULT_PORTS[scheme_name])
    if not 0 < port <= LAST_PORT:
        raise _refused(f"is a URL with the port {port}, which there is not")
    # Letters of other scripts are common in paths and mean their UTF-8; what is ASCII stays as it was signed.
    path = quote(target, safe=string.punctuation, errors="replace")
    return RemoteUrl(scheme_name, host, port, path if path.startswith("/") else f"/{path}", address)


def read_host(text: str) -> tuple[str, Address | None]:
    """A host in its usual form, and the address that it is, if it is one.

    Raises:
        UrlRefused: unless it is a plain name, a dotted IPv4 address or an IPv6 address in brackets.
    """
    if text.startswith("["):
        address = _as_address(text[1:-1]) if "%" not in text else None
        if address is None or address.version != 6:  # noqa: PLR2004 -- the version's name
            raise _refused("is a URL with brackets, but no IPv6 address in them")
        return str(address), address
    name = text.lower()
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        if (address := _as_address(name)) is None:
            raise _refused("is a URL whose host is a number, not a name or an address such as 192.0.2.1")
        return name, address
    if not text.isascii() or len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise _refused("is a URL whose host is no plain name (other scripts are written as xn--..., and no dot last)")
    return name, None


def _as_address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _refused(reason: str) -> UrlRefused:
    return UrlRefused(f"{reason}; mend it, or send the file's bytes as base64")
