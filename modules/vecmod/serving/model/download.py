"""A file from its authors' own server, fetched once, checked and kept; what was fetched before a break is not again."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError

from vecmod.serving.model.weights import WeightsFile, WeightsNotFound, WeightsPlace

_log = logging.getLogger(__name__)

# What a break loses at most.
_PART = 1024 * 1024
_GB = 1e9
_FOUND, _PARTIAL, _NO_SUCH_RANGE = 200, 206, 416
# A server that says so may say something else in a while.
_PASSING = (408, 429, 500, 502, 503, 504)
# Breaks in a row without anything new, and seconds before it goes on, doubled with each of them.
_MISSES = 5
_PAUSE = 1.0
_REDIRECTS = 5
_NEWS = 10  # times that progress is told of
_MOUNT = "mount the weights and name them in VECMOD_MODEL_PATH"


@dataclass(frozen=True)
class RemoteWeights:
    """A file on a web server; ``sha256`` and ``size`` (bytes) are what it must be."""

    url: str
    name: str
    sha256: str
    size: int


class BrokenOff(HTTPError):
    """It may go on."""


def fetch_file(place: WeightsPlace, remote: RemoteWeights) -> WeightsFile:
    """The file in the cache, downloaded on first use; its SHA-256 is checked at every start.

    Processes that share a cache take turns, so it is downloaded once.

    Raises:
        WeightsNotFound: if it cannot be fetched, or is not what was asked for.
    """
    path = place.cache / "weights" / remote.sha256[:16] / remote.name
    if not _is_there(path, remote):
        if place.offline:
            raise WeightsNotFound(f"VECMOD_OFFLINE forbids fetching {remote.name}, and {path} is not there; {_MOUNT}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _turn(path):
                if not _is_there(path, remote):
                    return _fetched(remote, path)
        except (HTTPError, OSError) as error:
            raise WeightsNotFound(
                f"{remote.url} could not be fetched ({type(error).__name__}: {error}); start again to go on, "
                f"or {_MOUNT}"
            ) from error
    file = WeightsFile.at(path)
    if file.digest != remote.sha256:
        raise WeightsNotFound(f"{path} is damaged (sha256 {file.digest}, not {remote.sha256}); delete it, start again")
    return file


def _is_there(path: Path, remote: RemoteWeights) -> bool:
    return path.is_file() and path.stat().st_size == remote.size


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        with suppress(ImportError, OSError):  # not every system can lock, nor every file system
            from fcntl import LOCK_EX, flock  # noqa: PLC0415 -- as above

            flock(lock, LOCK_EX)
        yield


def _fetched(remote: RemoteWeights, path: Path) -> WeightsFile:
    partial = path.with_name(f"{path.name}.partial")
    _log.info("fetching %s (%.1f GB) into %s", remote.url, remote.size / _GB, path.parent)
    _download(remote, partial)
    digest = WeightsFile.at(partial).digest
    if digest != remote.sha256:
        partial.unlink()
        raise _other_file(remote, f"sha256 {digest}, not {remote.sha256}")
    partial.replace(path)
    return WeightsFile(path, digest)


def _download(remote: RemoteWeights, partial: Path) -> None:
    retries = urllib3.Retry(None, connect=0, read=0, redirect=_REDIRECTS, status=0, other=0)
    partial.touch()
    most, misses = partial.stat().st_size, 0
    with urllib3.PoolManager(timeout=urllib3.Timeout(connect=30, read=60), retries=retries) as pool:
        while partial.stat().st_size < remote.size:
            try:
                _go_on(pool, remote, partial)
            except HTTPError as error:
                size = partial.stat().st_size
                # A server that knows no ranges begins anew: new is only what was never reached before.
                misses = 0 if size > most else misses + 1
                most = max(most, size)
                if misses == _MISSES:
                    raise
                reason = type(getattr(error, "reason", error)).__name__
                _log.warning("the download broke off at %.2f GB (%s); going on", size / _GB, reason)
                time.sleep(_PAUSE * 2**misses)


def _go_on(pool: urllib3.PoolManager, remote: RemoteWeights, partial: Path) -> None:
    """One request for what is missing.

    Raises:
        HTTPError: if it breaks off.
        WeightsNotFound: if it is no use to ask again.
    """
    have = partial.stat().st_size
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    answer = pool.request("GET", remote.url, headers=headers, preload_content=False, decode_content=False)
    with closing(answer), partial.open("r+b") as file:
        # Before anything is thrown away: a page that asks for a password is an answer, too.
        start = _start(remote, answer, have)
        file.seek(start)
        told = start * _NEWS // remote.size
        for part in answer.stream(_PART, decode_content=False):
            file.write(part)
            if file.tell() > remote.size:
                file.truncate(0)
                raise _other_file(remote, f"more than {remote.size} bytes")
            if (reached := file.tell() * _NEWS // remote.size) > told:
                told = reached
                _log.info("fetched %.1f of %.1f GB", file.tell() / _GB, remote.size / _GB)
    if partial.stat().st_size < remote.size:
        raise BrokenOff("the answer ended early")


def _start(remote: RemoteWeights, answer: urllib3.BaseHTTPResponse, have: int) -> int:
    """Where in the file the answer's body begins: at what was asked for, or at the beginning."""
    if answer.status in _PASSING:
        raise BrokenOff(f"the server answered with status {answer.status}")
    if answer.status not in (_FOUND, _PARTIAL, _NO_SUCH_RANGE):
        raise WeightsNotFound(f"{remote.url} answered with status {answer.status}; {_MOUNT}")
    said = answer.headers.get("Content-Range", "")
    size = answer.headers.get("Content-Length", "") if answer.status == _FOUND else said.rpartition("/")[2]
    if answer.status == _NO_SUCH_RANGE or (size.isdecimal() and int(size) != remote.size):
        raise _other_file(remote, f"{size or 'fewer'} bytes, not {remote.size}")
    if answer.status == _FOUND:
        return 0
    begins = re.match(r"bytes (\d+)-", said)
    if begins is None or int(begins[1]) > have:
        raise BrokenOff(f"the server sent another part than was asked for: {said!r}")
    return int(begins[1])


def _other_file(remote: RemoteWeights, what: str) -> WeightsNotFound:
    return WeightsNotFound(f"{remote.url} is not what it was ({what}); start again, or {_MOUNT}")
