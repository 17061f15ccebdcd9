"""What a store's URL says, and how it is shown: without its key."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from vecmod.host.host_errors import InvalidSettings

# Up to the last @, so that a password with an unescaped one is hidden whole.
_USERINFO = re.compile(r"^([\w+.-]+://)?.*@", re.DOTALL)
_SECRET = re.compile(r"(?i)([?&][^=&]*(?:key|password|secret|token)[^=&]*=)[^&]*")
_WEAVIATE_FORM = (
    "weaviate://host:8080?grpc=50051, weaviate+https://host?grpc=other-host:443 (gRPC needs an address of its own), "
    "with a key weaviate://:KEY@host"
)
_HTTP, _HTTPS, _GRPC = 8080, 443, 50051


class WeaviateUrl(NamedTuple):
    """Where a Weaviate is; ``key`` is its API key, empty for none."""

    host: str
    port: int
    grpc_host: str
    grpc_port: int
    secure: bool
    key: str


def shown(url: str) -> str:
    """The URL for messages and logs, with ``***`` for user, password or key, and for what is named like a secret."""
    return _SECRET.sub(r"\1***", _USERINFO.sub(r"\1***@", url))


def parse_weaviate_url(url: str) -> WeaviateUrl:
    """``weaviate[+https]://[:key@]host[:8080][?grpc=[host:]50051]``; https has port 443.

    Raises:
        InvalidSettings: with what is expected; the key is not in the message.
    """
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "weaviate+https"
        given = parse_qs(parts.query, strict_parsing=bool(parts.query))
        grpc = urlsplit(f"//{_grpc(given)}")
        host, port = parts.hostname or "", parts.port or (_HTTPS if secure else _HTTP)
        place = WeaviateUrl(host, port, grpc.hostname or host, grpc.port or _GRPC, secure, _key(parts))
    except ValueError as error:
        raise InvalidSettings(f"VECMOD_STORE={shown(url)!r} cannot be used; write {_WEAVIATE_FORM}") from error
    one_address = (place.host, place.port) == (place.grpc_host, place.grpc_port)
    if not place.host or parts.path not in ("", "/") or given.keys() - {"grpc"} or one_address:
        raise InvalidSettings(f"VECMOD_STORE={shown(url)!r} cannot be used; write {_WEAVIATE_FORM}")
    return place


def _grpc(given: dict[str, list[str]]) -> str:
    """``host:port`` of the query's value, which may be a port alone."""
    value = given.get("grpc", [""])[-1]
    return f":{value}" if value.isdecimal() else value


def _key(parts: SplitResult) -> str:
    """The password, or the user's name where there is no password; both are written in percent encoding."""
    return unquote(parts.password or parts.username or "")
