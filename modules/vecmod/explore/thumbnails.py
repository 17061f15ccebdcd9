"""Thumbnails of pictures and films: made by processes that may fail, kept in memory within bounds."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import NamedTuple

from vecmod.explore.media_types import kind_of

_SECONDS = 20.0
_KEPT_BYTES = 64 << 20
# What a file without a thumbnail takes, so that there cannot be any number of them either.
_ENTRY_BYTES = 200
_SHOWN = frozenset({"image", "video"} if find_spec("av") else {"image"})


class Thumbnail(NamedTuple):
    """A JPEG, and a word that changes with its file."""

    jpeg: bytes
    version: str


class _Key(NamedTuple):
    """What a thumbnail depends on."""

    file: Path
    changed: int
    length: int
    size: int


def can_show(place: PurePath) -> bool:
    """Whether a file of this name is of a kind that has thumbnails; films have them where PyAV is installed."""
    return kind_of(place) in _SHOWN


class Thumbnails:
    """May be used by several threads.

    Args:
        processes: files decoded at once.
        seconds: for one; then there is no thumbnail of it.
    """

    def __init__(self, processes: int = 2, seconds: float = _SECONDS) -> None:
        self._makers: queue.SimpleQueue[_Maker] = queue.SimpleQueue()
        self._all = [_Maker(seconds) for _ in range(processes)]
        for maker in self._all:
            self._makers.put(maker)
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, file: Path, size: int) -> Thumbnail | None:
        """A thumbnail of at most ``size`` pixels a side; None if none can be made, or the file is gone."""
        try:
            stat = file.stat()
        except OSError:
            return None
        key = _Key(file, stat.st_mtime_ns, stat.st_size, size)
        with self._lock:
            made = self._kept.get(key)
            if made is not None:
                self._kept.move_to_end(key)
        if made is None:
            made = self._make(key)
        return Thumbnail(made, f"{key.changed:x}-{key.length:x}-{size}") if made else None

    def close(self) -> None:
        """End the processes."""
        for maker in self._all:
            maker.close()

    def _make(self, key: _Key) -> bytes:
        maker = self._makers.get()
        try:
            made = maker.ask(key.file, key.size)
        finally:
            self._makers.put(maker)
        with self._lock:
            self._bytes += len(made) + _ENTRY_BYTES - (len(self._kept[key]) + _ENTRY_BYTES if key in self._kept else 0)
            self._kept[key] = made
            while self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1]) + _ENTRY_BYTES
        return made


class _Maker:
    """One process, started when it is first needed and again when it was lost; used by one thread at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def ask(self, file: Path, size: int) -> bytes:
        """A JPEG, or nothing."""
        began = time.monotonic()
        made = self._ask_once(file, size)
        if made is None and time.monotonic() - began < self._seconds:
            # It was lost before this file came, perhaps.
            made = self._ask_once(file, size)
        return made or b""

    def _ask_once(self, file: Path, size: int) -> bytes | None:
        """None if the process is lost over it."""
        process = self._running()
        if process is None:
            return None
        # Reading has no time limit of its own; it ends with the process.
        timer = threading.Timer(self._seconds, process.kill)
        timer.start()
        try:
            made = _ask(process, file, size)
        finally:
            timer.cancel()
        if made is None:
            self._end()
        return made

    def close(self) -> None:
        """End the process; what it is at is given up."""
        self._closed = True
        self._end()

    def _running(self) -> subprocess.Popen[bytes] | None:
        if self._closed:
            return None
        if self._process is None:
            # -P: a file in the current folder must not be taken for a library. A session of its own: Ctrl-C is for us.
            command = [sys.executable, "-P", "-m", "vecmod.explore.thumbnailer"]
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what was not sent yet has nowhere to go
                        pipe.close()


def _ask(process: subprocess.Popen[bytes], file: Path, size: int) -> bytes | None:
    """A JPEG, or nothing; None if the process is lost."""
    if process.stdin is None or process.stdout is None:
        return None
    try:
        process.stdin.write(json.dumps({"path": str(file), "size": size}).encode() + b"\n")
        process.stdin.flush()
        head = process.stdout.read(4)
        made = process.stdout.read(int.from_bytes(head, "big"))
    except (OSError, ValueError):  # ValueError: somebody has closed the pipes
        return None
    return made if len(head) == 4 and len(made) == int.from_bytes(head, "big") else None  # noqa: PLR2004
