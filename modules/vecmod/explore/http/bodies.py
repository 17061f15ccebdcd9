"""Bodies of requests: read as they come, within limits; what is done with them is done in threads."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from vecmod.explore.explore_errors import ExploreFault, malformed

# What is written at once, so that a thread is worth it.
_PIECE = 1 << 20
# Of a body that is refused, so much is read all the same: a browser that cannot finish sending does not see the answer.
_DISCARDED = 1 << 30

Endpoint = Callable[[Request], Awaitable[Response]]


def with_json(handler: Callable[[Request, object], Response], limit: int) -> Endpoint:
    """An endpoint for requests with a JSON body of at most ``limit`` bytes; the handler runs in a thread."""

    async def endpoint(request: Request) -> Response:
        raw = b"".join([part async for part in _parts(request, limit)])
        return await run_in_threadpool(lambda: handler(request, _read_json(raw)))

    return endpoint


async def receive_file(request: Request, target: Path, limit: int) -> int:
    """Write a body to a file; its length.

    Raises:
        ExploreFault: if it has more than ``limit`` bytes, or the disk does not take it.
        ClientDisconnect: if the browser leaves.
    """
    size = 0
    piece = bytearray()
    async for part in _parts(request, limit):
        size += len(part)
        piece += part
        if len(piece) >= _PIECE:
            await run_in_threadpool(_append, target, bytes(piece))
            piece.clear()
    await run_in_threadpool(_append, target, bytes(piece))
    return size


async def ignore_body(request: Request, limit: int) -> None:
    """Read a body that nothing is done with; raises as :func:`receive_file`."""
    async for _ in _parts(request, limit):
        pass


def cannot_write(error: OSError) -> ExploreFault:
    """The fault for a disk that is full, or a folder that may not be written to."""
    reason = error.strerror or error
    advice = "make room, or choose another folder with VECMOD_EXPLORE_FOLDER"
    return ExploreFault(507, "cannot_write", f"the file cannot be kept ({reason}); {advice}")


async def _parts(request: Request, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            yield part
        elif size > limit + _DISCARDED:
            break
    if size > limit:
        raise ExploreFault(
            413,
            "too_large",
            f"this has more than {limit >> 20} MiB; take a smaller file, or raise VECMOD_EXPLORE_MAX_FILE_MB",
        )


def _append(target: Path, data: bytes) -> None:
    try:
        with target.open("ab") as file:
            file.write(data)
    except OSError as error:
        raise cannot_write(error) from error


def _read_json(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise malformed(f"the body is no JSON: {error}") from None
