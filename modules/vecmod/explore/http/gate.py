"""Before the routes: who may ask, and what browsers are told about every answer.

A page from elsewhere that is open in the same browser can send requests here. It cannot read the answers, and it cannot
send a header of its own, so what changes something must carry one. A host name that somebody else points at this
machine (DNS rebinding) makes such a page one of ours, so only names of this machine are answered.
"""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vecmod.explore.explore_errors import ExploreFault
from vecmod.explore.http.explore_answers import answer_fault

_SAFE_METHODS = ("GET", "HEAD")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Gate:
    """Lets requests through that this machine's own pages send.

    Args:
        app: what is behind it.
        host: the address that is listened on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on; add what browsers are told."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        fault = self._fault(scope["method"], Headers(scope=scope))
        await (answer_fault(fault) if fault else self._app)(scope, receive, tell)

    def _fault(self, method: str, headers: Headers) -> ExploreFault | None:
        name = _name_in(headers.get("host", ""))
        if not self._is_ours(name):
            return ExploreFault(
                421, "wrong_host", f"this is {self._host}, not {name[:100]!r}; open the address that vecmod printed"
            )
        if method not in _SAFE_METHODS and headers.get("x-requested-with") != "vecmod":
            return ExploreFault(403, "foreign_page", "this needs the header X-Requested-With: vecmod, which pages send")
        return None

    def _is_ours(self, name: str) -> bool:
        if name in _LOCAL or name == self._host:
            return True
        # Who listens everywhere is reached by every address, and by its own name; what is behind an address is no name
        # that somebody could have pointed here.
        everywhere = self._host in ("0.0.0.0", "::")  # noqa: S104
        return everywhere and (_is_address(name) or name == socket.gethostname().lower())


def _name_in(host: str) -> str:
    """Without port and brackets, in lower case; empty if it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
