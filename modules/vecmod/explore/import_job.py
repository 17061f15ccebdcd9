"""One import: files come in one by one, and become objects in small batches meanwhile."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from vecmod.explore.explore_errors import ExploreFault
from vecmod.explore.media_folders import MediaFolders
from vecmod.explore.opened import Opened
from vecmod.host.folder import FileFields, is_hidden
from vecmod.host.host_errors import HostError
from vecmod.host.ingest import IngestReport

# A batch is stored before the next one begins: large enough to keep a service busy, small enough to watch.
_BATCH_FILES, _BATCH_BYTES = 32, 64 << 20
# Files on disk that wait; whoever sends more has to wait, too.
_WAITING = 64
_WAIT_SECONDS = 30.0
# An import whose page has gone is ended.
_SILENCE_SECONDS = 120.0
_FAILURES = 2000


class Received(NamedTuple):
    """A file that came in: where its sender says that it lies, where it is for now, and its bytes."""

    place: PurePosixPath
    staged: Path
    size: int


@dataclass
class Progress:
    """What became of the files so far; ``failed`` has the first 2,000 of ``failures``, with paths and reasons."""

    received: int = 0
    stored: int = 0
    unchanged: int = 0
    left_alone: int = 0
    failures: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    stopped: str = ""
    busy_seconds: float = 0.0

    def fail(self, place: PurePosixPath, reason: str) -> None:
        """Count a file that was not stored."""
        self.failures += 1
        if len(self.failed) < _FAILURES:
            self.failed.append({"path": str(place), "error": reason})

    def speed(self) -> float | None:
        """Files a second, while there were any to work at; None before the first batch is done."""
        done = self.stored + self.unchanged + self.failures
        return round(done / self.busy_seconds, 1) if done and self.busy_seconds else None


class ImportJob:
    """An import into one collection, worked at by one thread.

    A file that is stored, or was there unchanged, is moved to where files of the collection are looked for. One that
    fails is listed and removed. To go on after an interruption, send everything again: what is stored is skipped.

    Args:
        opened: the collection.
        folders: where files go.

    Raises:
        InvalidClass: if the class has no field for files.
    """

    def __init__(self, opened: Opened, folders: MediaFolders) -> None:
        self._opened = opened
        self._folders = folders
        self._fields = FileFields(opened.collection.config)
        self._progress = Progress()
        self._waiting: deque[Received] = deque()
        self._changed = threading.Condition()
        self._ended = self._cancelled = self._done = False
        self._last_sign = time.monotonic()
        # No daemon: the threads that it starts would be daemons, too, and yet be waited for when Python ends, unseen.
        self._thread = threading.Thread(target=self._run, name="import", daemon=False)
        self._thread.start()

    def takes(self, place: PurePosixPath) -> bool:
        """Whether a file of this name goes into the class; one that does not is counted as left alone."""
        self._sign()
        if place.suffix.lower() in self._fields.takes and not is_hidden(place):
            return True
        with self._changed:
            self._refuse_after_the_end()
            self._progress.left_alone += 1
        return False

    def add(self, received: Received) -> int:
        """Take a file in, which belongs to the import from here on; how many there were so far.

        Raises:
            ExploreFault: if nothing more is taken in, or not in time.
        """
        self._sign()
        with self._changed:
            room = self._changed.wait_for(self._has_room, _WAIT_SECONDS)
            self._refuse_after_the_end()
            if not room:
                raise ExploreFault(503, "busy", "the import has enough to do for now; send the file again")
            self._waiting.append(received)
            self._progress.received += 1
            self._changed.notify_all()
            return self._progress.received

    def end(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Stop after the batch that is under way."""
        with self._changed:
            self._cancelled = self._ended = True
            self._changed.notify_all()

    def is_done(self) -> bool:
        """Whether nothing more happens."""
        return self._done

    def wait(self, seconds: float) -> bool:
        """Wait until nothing more happens; whether that is so."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def speed(self) -> float | None:
        """Files a second."""
        return self._progress.speed()

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        self._sign()
        with self._changed:
            now = self._progress
            return {
                "received": now.received,
                "stored": now.stored,
                "unchanged": now.unchanged,
                "failed": list(now.failed),
                "failures": now.failures,
                "left_alone": now.left_alone,
                "stopped": now.stopped,
                "done": self._done,
                "items_per_second": now.speed(),
            }

    def _sign(self) -> None:
        self._last_sign = time.monotonic()

    def _has_room(self) -> bool:
        return len(self._waiting) < _WAITING or self._ended

    def _refuse_after_the_end(self) -> None:
        if self._progress.stopped:
            raise ExploreFault(409, "import_stopped", self._progress.stopped)
        if self._ended:
            raise ExploreFault(409, "import_ended", "this import has ended; begin another one")

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._work_at(batch)
        finally:
            with self._changed:
                self._ended = self._done = True
                left, self._waiting = list(self._waiting), deque()
                self._changed.notify_all()
            _remove(left)

    def _next_batch(self) -> list[Received]:
        """The next files, when there are some; none at the end."""
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait(1.0)
                if time.monotonic() - self._last_sign > _SILENCE_SECONDS:
                    self._ended = True
            batch: list[Received] = []
            size = 0
            while self._waiting and not self._cancelled and len(batch) < _BATCH_FILES and size < _BATCH_BYTES:
                batch.append(self._waiting.popleft())
                size += batch[-1].size
            self._changed.notify_all()
            return batch

    def _work_at(self, batch: Sequence[Received]) -> None:
        """Store a batch; of two files of one place the later counts."""
        began = time.monotonic()
        places = {one.place: one for one in batch}
        objects = {one.place: self._fields.object_of(one.place, one.staged) for one in places.values()}
        try:
            report = self._opened.collection.insert_many(objects.values())
        except HostError as error:
            report = IngestReport(stopped=error)
        _remove([one for one in batch if places[one.place] is not one])
        self._settle(report, {one["id"]: places[place] for place, one in objects.items()})
        with self._changed:
            self._progress.busy_seconds += time.monotonic() - began

    def _settle(self, report: IngestReport, files: dict[str, Received]) -> None:
        """Keep the files of what was stored, remove those of what was not, and count."""
        reasons = {one.id: one.error.reason for one in report.failed}
        kept = {name: one for name, one in files.items() if name not in reasons}
        if report.stopped:
            kept = {name: one for name, one in kept.items() if self._is_there(name)}
        unkept: dict[str, str] = {}
        for name, one in kept.items():
            try:
                self._folders.keep(one.staged, self._opened.folder, one.place)
            except OSError as error:
                unkept[name] = f"it is stored, but its file could not be kept: {error.strerror or error}"
        _remove(list(files.values()))
        with self._changed:
            self._progress.stored += report.stored
            self._progress.unchanged += report.unchanged
            for name, reason in {**reasons, **unkept}.items():
                self._progress.fail(files[name].place, reason)
            if report.stopped:
                self._progress.stopped = (
                    f"{report.stopped.reason}. Nothing is lost: import the same files again to go on"
                )
                self._ended = self._cancelled = True

    def _is_there(self, object_id: str) -> bool:
        try:
            self._opened.collection.get(object_id)
        except HostError:
            return False
        return True


def _remove(files: Sequence[Received]) -> None:
    for one in files:
        one.staged.unlink(missing_ok=True)
