"""A Typesense URL to where the server is; what it says of itself never holds the key."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from vecmod.host.host_errors import InvalidSettings

_SCHEMES = {"typesense": ("http", 8108), "typesense+https": ("https", 443)}
_FORM = (
    "the URL of a Typesense store is typesense://KEY@host:8108, or typesense+https://KEY@host for TLS; a key with "
    "other characters than letters and digits is better given in VECMOD_STORE_KEY"
)


@dataclass(frozen=True)
class Address:
    """Where a server is, and the key to it."""

    protocol: str
    host: str
    port: int
    key: str = field(repr=False)

    @classmethod
    def of(cls, url: str, key: str) -> Self:
        """Read ``typesense://KEY@host:8108``; ``key`` counts if the URL has none.

        Raises:
            InvalidSettings: without any part of the URL that may be one of the key.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidSettings(_FORM) from None
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise InvalidSettings(_FORM)
        named, _, _ = parts.netloc.rpartition("@")
        key = (unquote(named) or key).strip()
        if not key:
            raise InvalidSettings(
                "the Typesense store needs a key, in VECMOD_STORE_KEY or in its URL before the host: KEY@"
            )
        if not key.isascii() or not key.isprintable():
            # The HTTP client would refuse it, and print it.
            raise InvalidSettings("the key of the Typesense store has characters other than printable ASCII")
        protocol, usual = _SCHEMES[parts.scheme]
        return cls(protocol, parts.hostname, port or usual, key)

    def __str__(self) -> str:
        return f"Typesense at {self.host}:{self.port}"
