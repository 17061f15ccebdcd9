"""Pages for people: ``/``, the service and a form to try it, and ``/docs``, its routes. They ask no other server."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

# What these pages do themselves, and nothing else.
_ALLOWED = (
    "default-src 'none'; connect-src 'self'; img-src 'self' blob: data:; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(name: str) -> Callable[[Request], Awaitable[Response]]:
    """The route that answers with a page, read once."""
    text = files("vecmod.serving.http").joinpath(name).read_text("utf-8")

    async def answer(_: Request) -> Response:
        return HTMLResponse(text, headers={"Content-Security-Policy": _ALLOWED, "X-Content-Type-Options": "nosniff"})

    return answer
