"""What an examination finds."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How a finding is: as it should be; worth knowing; something that cannot work."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


class Finding(NamedTuple):
    """One line of the answer: what was looked at, and how it is; if that is wrong, with what to do."""

    level: Level
    what: str
    says: str


Environ = Mapping[str, str]
