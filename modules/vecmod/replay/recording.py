"""A recording: one JSON line for each request, ``{"method", "path", "content_type", "body"}``.

Bodies are text with the bytes that are no UTF-8 as lone surrogates (PEP 383), so that every body comes back exactly.
"""

import json
import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vecmod.replay.replay_errors import ReplayError

_FOR_OWNER = 0o600
_FOR_OTHERS = 0o077
_TARGET = re.compile(r"/[!-~]*")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")


class RecordedRequest(NamedTuple):
    """A POST as it came; ``content_type`` is None where the client sent none."""

    path: str
    content_type: str | None
    body: bytes

    def headers(self) -> list[tuple[str, str]]:
        """The headers that it is sent with again."""
        return [] if self.content_type is None else [("Content-Type", self.content_type)]


class Recorded(NamedTuple):
    """A request and the number of its line, from 1."""

    line: int
    request: RecordedRequest


def is_target(text: str) -> bool:
    """Whether this is a path that can be sent as it is."""
    return _TARGET.fullmatch(text) is not None


def size_now(path: Path) -> int:
    """Bytes of a recording that may still grow; of what has no size, such as a pipe, all that comes.

    Raises:
        ReplayError: if the file cannot be read.
    """
    try:
        return path.stat().st_size if path.is_file() else sys.maxsize
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from error


def read_requests(
    path: Path, size: int, on_corrupt: Callable[[int, str], None] = lambda _line, _reason: None
) -> Iterator[Recorded]:
    """The requests in the first ``size`` bytes, one at a time; empty lines are skipped, corrupt ones told.

    Raises:
        ReplayError: if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file, size), start=1):
                if line.strip():
                    try:
                        yield Recorded(number, _parse(line))
                    except (ValueError, RecursionError) as error:
                        on_corrupt(number, str(error))
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from error


def _lines(file: BinaryIO, size: int) -> Iterator[bytes]:
    while line := file.readline(size):
        size -= len(line)
        yield line


def _parse(line: bytes) -> RecordedRequest:
    """Raises ValueError with what is wrong."""
    said = json.loads(line)
    if not isinstance(said, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 -- of what a line may be wrong in, one kind of fault
    method, path, content_type, body = (said.get(name) for name in ("method", "path", "content_type", "body"))
    if method != "POST":
        raise ValueError(f"method is {method!r}, not POST")
    if not isinstance(path, str) or not is_target(path):
        raise ValueError("path is not one, such as /vectors")
    if content_type is not None and not (isinstance(content_type, str) and _HEADER_VALUE.fullmatch(content_type)):
        raise ValueError("content_type is neither null nor the value of a header")
    if not isinstance(body, str):
        raise ValueError("body is not a string")  # noqa: TRY004 -- as above
    return RecordedRequest(path, content_type, body.encode("utf-8", "surrogateescape"))


class Recording:
    """Requests appended to a file; safe to use from many threads.

    Args:
        path: made if it is missing; readable for its owner alone from now on: it will hold what people sent.
        limit: requests to write; further ones are left out.

    Attributes:
        count: requests written.
        fault: why nothing more can be written, empty if all is well.

    Raises:
        ReplayError: if the file cannot be written, or is another user's that others may read.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self.count = 0
        self.fault = ""
        self._limit = limit
        self._lock = threading.Lock()
        try:
            path.touch(mode=_FOR_OWNER)
            cut_off = _ends_in_a_line(path)
            self._file = path.open("ab")
            _keep_private(self._file, path)
            self._file.write(b"\n" if cut_off else b"")
        except OSError as error:
            raise ReplayError(f"{path} cannot be written: {error.strerror}; choose another with --output") from error

    def add(self, request: RecordedRequest) -> None:
        """Write a request; a full disk ends the recording, not the traffic."""
        said = {
            "method": "POST",
            "path": request.path,
            "content_type": request.content_type,
            "body": request.body.decode("utf-8", "surrogateescape"),
        }
        line = json.dumps(said).encode() + b"\n"
        with self._lock:
            if self.fault or self._file.closed or (self._limit is not None and self.count >= self._limit):
                return
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                self.fault = str(error.strerror)
            else:
                self.count += 1

    def close(self) -> None:
        """Nothing is written from here on."""
        with self._lock, suppress(OSError):
            self._file.close()


def _ends_in_a_line(path: Path) -> bool:
    """Whether the file was cut off in the middle of a line, which must not spoil the next one."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _keep_private(file: BinaryIO, path: Path) -> None:
    """Takes from others what they may do with a file that was there before; raises ReplayError if it is not ours."""
    found = os.fstat(file.fileno())
    # What is no file, such as /dev/null, keeps nothing.
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & _FOR_OTHERS:
        return
    if found.st_uid != os.geteuid():
        file.close()
        raise ReplayError(f"{path} belongs to another user, and others may read it; choose another with --output")
    os.fchmod(file.fileno(), _FOR_OWNER)
