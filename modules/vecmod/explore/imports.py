"""All imports: some at once, the last ones remembered."""

import secrets
import threading
import time

from vecmod.explore.explore_errors import ExploreFault, not_found
from vecmod.explore.import_job import ImportJob
from vecmod.explore.media_folders import MediaFolders
from vecmod.explore.opened import Opened

_AT_ONCE, _REMEMBERED = 4, 20


class Imports:
    """Imports by id; may be used by several threads."""

    def __init__(self, folders: MediaFolders) -> None:
        self._folders = folders
        self._jobs: dict[str, ImportJob] = {}
        self._lock = threading.Lock()

    def begin(self, opened: Opened) -> str:
        """Begin an import into a collection; its id.

        Raises:
            ExploreFault: if there are too many at once.
            InvalidClass: if the class has no field for files.
        """
        with self._lock:
            done = [name for name, job in self._jobs.items() if job.is_done()]
            if len(self._jobs) - len(done) >= _AT_ONCE:
                raise ExploreFault(503, "busy", f"{_AT_ONCE} imports are under way; wait for one, or stop it")
            for name in done[: max(0, len(done) - _REMEMBERED)]:
                del self._jobs[name]
            name = secrets.token_urlsafe(12)
            self._jobs[name] = ImportJob(opened, self._folders)
        return name

    def get(self, name: str) -> ImportJob:
        """An import that runs, or one of the last ones.

        Raises:
            ExploreFault: if there is none of that id.
        """
        try:
            return self._jobs[name]
        except KeyError:
            raise not_found("there is no such import; begin another one") from None

    def speed(self) -> float | None:
        """Files a second: of the last import that runs, else of the last one; None if there was none."""
        jobs = list(self._jobs.values())
        running = [job for job in jobs if not job.is_done()]
        return next((speed for job in reversed(running or jobs) if (speed := job.speed()) is not None), None)

    def close(self, seconds: float) -> bool:
        """Stop all; whether they have stopped within the time."""
        deadline = time.monotonic() + seconds
        jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel()
        return all(job.wait(max(0.0, deadline - time.monotonic())) for job in jobs)
