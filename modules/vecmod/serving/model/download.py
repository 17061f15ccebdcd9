"""A file from its authors' own server, fetched once, checked and kept; what was fetched before a break is not again."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError

from vecmod.serving.model.weights import WeightsNotFound, WeightsPlace

_log = logging.getLogger(__name__)

_PART = 16 * 1024 * 1024
_PARTIAL = 206
_FOUND = 200
_TIMES = 5
_MOUNT = "mount the weights and name them in VECMOD_MODEL_PATH"


@dataclass(frozen=True)
class RemoteWeights:
    """A file on a web server; ``sha256`` and ``size`` (bytes) are what it must be."""

    url: str
    name: str
    sha256: str
    size: int


def fetch_file(place: WeightsPlace, remote: RemoteWeights) -> Path:
    """The file in the cache, downloaded on first use.

    Raises:
        WeightsNotFound: if it cannot be fetched, or is not what was asked for.
    """
    path = place.cache / "weights" / remote.sha256[:16] / remote.name
    if path.is_file() and path.stat().st_size == remote.size:
        return path
    if place.offline:
        raise WeightsNotFound(f"VECMOD_OFFLINE forbids fetching {remote.name}, and {path} is not there; {_MOUNT}")
    partial = path.with_name(f"{remote.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _log.info("fetching %s (%.1f GB) into %s", remote.url, remote.size / 1e9, path.parent)
        _download(remote, partial)
        _check(remote, partial)
        partial.replace(path)
    except (HTTPError, OSError) as error:
        raise WeightsNotFound(
            f"{remote.url} could not be fetched ({type(error).__name__}: {error}); start again to go on, or {_MOUNT}"
        ) from error
    return path


def _download(remote: RemoteWeights, partial: Path) -> None:
    with urllib3.PoolManager(timeout=urllib3.Timeout(connect=30, read=60)) as pool:
        for attempt in range(_TIMES):
            have = partial.stat().st_size if partial.is_file() else 0
            if have >= remote.size:
                return
            try:
                _go_on(pool, remote, partial, have)
            except HTTPError as error:
                if attempt == _TIMES - 1:
                    raise
                _log.warning("the download broke off (%s); going on", type(error).__name__)


def _go_on(pool: urllib3.PoolManager, remote: RemoteWeights, partial: Path, have: int) -> None:
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    answer = pool.request("GET", remote.url, headers=headers, preload_content=False, decode_content=False)
    try:
        if answer.status not in (_FOUND, _PARTIAL):
            raise WeightsNotFound(f"{remote.url} answered with status {answer.status}; {_MOUNT}")
        # A server that knows no ranges sends everything.
        with partial.open("ab" if answer.status == _PARTIAL else "wb") as file:
            for part in answer.stream(_PART, decode_content=False):
                file.write(part)
    finally:
        answer.release_conn()


def _check(remote: RemoteWeights, partial: Path) -> None:
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != remote.sha256:
        partial.unlink()
        raise WeightsNotFound(
            f"{remote.url} is not what it was (sha256 {digest}, not {remote.sha256}); start again, or {_MOUNT}"
        )
