"""Where the files of objects are: found by what stands in ``path``, and never outside of the folders that were named.

What is imported lies under the explorer's own folder, in a folder for each collection. There it is looked first, then
in the folders that the operator named, which are never written to.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath
from stat import S_ISREG

from vecmod.explore.explore_errors import ExploreFault

_INCOMING = ".incoming"
# What a process that was killed left behind is cleared away by one that begins so much later.
_STALE_SECONDS = 24 * 3600.0
_LONGEST = 200  # characters of a name: file systems take 255 bytes
_FIRST_PRINTABLE = " "


class MediaFolders:
    """The explorer's own folder and those of the operator; may be used by several threads.

    Args:
        own: made when something is first imported.
        others: looked in, in their order.
    """

    def __init__(self, own: Path, others: Sequence[Path] = ()) -> None:
        self._own = own.expanduser().absolute()
        self._others = tuple(one.expanduser().absolute() for one in others)
        self._staging: Path | None = None

    def find(self, collection: str, place: object) -> Path | None:
        """The file of an object, with all links resolved; None if there is none inside the folders."""
        if not isinstance(place, str) or not place:
            return None
        for root in (self._own / collection, *self._others):
            if (found := _inside(root, place)) is not None:
                return found
        return None

    def staged(self) -> Path:
        """A name for a new file that does not yet count, on the same disk as those that do.

        Raises:
            OSError: if the explorer's own folder cannot be written to.
        """
        if self._staging is None or not self._staging.is_dir():
            incoming = self._own / _INCOMING
            incoming.mkdir(parents=True, exist_ok=True)
            _clear_stale(incoming)
            self._staging = Path(tempfile.mkdtemp(dir=incoming))
        handle, name = tempfile.mkstemp(dir=self._staging)
        os.close(handle)
        return Path(name)

    def keep(self, staged: Path, collection: str, place: PurePosixPath) -> None:
        """Let a staged file count as the one of this place, instead of one that may be there.

        Raises:
            OSError: if it cannot be moved there.
        """
        root = self._own / collection
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(root.resolve()):
            raise OSError(f"{target.parent} leads out of {root}")
        staged.replace(target)

    def close(self) -> None:
        """Clear away what was staged."""
        if self._staging is not None:
            shutil.rmtree(self._staging, ignore_errors=True)


def safe_place(given: str) -> PurePosixPath:
    """Where a file from elsewhere says that it lies: names with slashes between, downwards only.

    Raises:
        ExploreFault: if it is anything else.
    """
    parts = given.split("/")
    for part in parts:
        if part in ("", ".", ".."):
            raise _bad_place(given, "every part must be a name")
        if any(letter < _FIRST_PRINTABLE or letter == "\x7f" for letter in part) or not _encodes(part):
            raise _bad_place(given, "a name has characters that cannot be shown")
        # On Windows also a backslash leads down, and a colon to another disk or stream.
        if PurePath(part).name != part or PurePath(part).drive or len(part) > _LONGEST:
            raise _bad_place(given, f"a name is none for this system, or has more than {_LONGEST} characters")
    return PurePosixPath(*parts)


def _bad_place(given: str, reason: str) -> ExploreFault:
    return ExploreFault(422, "bad_path", f"{given[:200]!r} is no place of a file ({reason}); send one like a/b.jpg")


def _encodes(part: str) -> bool:
    try:
        part.encode()
    except UnicodeEncodeError:
        return False
    return True


def _inside(root: Path, place: str) -> Path | None:
    """The regular file at a place under a folder, unless links or dots lead out of it."""
    try:
        found = (root / place).resolve(strict=True)
        inside = found.is_relative_to(root.resolve(strict=True)) and S_ISREG(found.stat().st_mode)
    except (OSError, ValueError, RuntimeError):  # not there; a null byte; links in a circle
        return None
    return found if inside else None


def _clear_stale(incoming: Path) -> None:
    for folder in incoming.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
