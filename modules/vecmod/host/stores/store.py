"""What a vector database must be able to do, and the words for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from vecmod.host.classconfig import PROPERTY_NAME
from vecmod.host.stores.filter import Filter

Vector = NDArray[np.float32]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """One stored object.

    Attributes:
        id: unique in its class; see :func:`id_fault`.
        vector: float32 ``[dim]``; empty where it was not asked for.
        properties: JSON values; media are not stored.
        fingerprint: of what the vector was made from, so that unchanged objects are not vectorised again.
    """

    id: str
    vector: Vector
    properties: Json = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True)
class Hit:
    """One result; ``distance`` is the cosine distance, 0 (same direction) to 2 (opposite)."""

    id: str
    distance: float
    properties: Json


@dataclass(frozen=True)
class Rejection:
    """A record that was not stored, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class StoredClass:
    """A class as the store keeps it: its definition, and the length of its vectors."""

    definition: Json
    dim: int


class Store(Protocol):
    """A vector database. Any method raises StoreError if the database fails; classes are named, and must exist."""

    def create_class(self, name: str, stored: StoredClass) -> None:
        """Make an empty class."""
        ...

    def get_class(self, name: str) -> StoredClass | None:
        """The class, or None if there is none of that name."""
        ...

    def class_names(self) -> list[str]:
        """Names of all classes, sorted."""
        ...

    def drop_class(self, name: str) -> None:
        """Delete a class with all its objects; nothing happens if there is none."""
        ...

    def upsert(self, name: str, records: Sequence[Record]) -> list[Rejection]:
        """Store records, replacing those with the same id; the bad ones are named, the others stored."""
        ...

    def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
        """The records that exist, in any order; ids that cannot be stored do not exist."""
        ...

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete records; ids that do not exist are ignored."""
        ...

    def search(self, name: str, vector: Vector, limit: int, condition: Filter | None = None) -> list[Hit]:
        """The nearest records of those that meet the condition, nearest first; sees what this store wrote before."""
        ...

    def find(self, name: str, condition: Filter | None, limit: int) -> list[Record]:
        """Records that meet the condition, in any order, without vectors; sees what this store wrote before."""
        ...

    def page(self, name: str, limit: int, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Records of a class, in an order that stays while nobody writes; sees what this store wrote before.

        ``limit`` and ``offset`` together stay below 16384; without ``vectors``, those of the records are empty.
        """
        ...

    def count(self, name: str) -> int:
        """Number of records."""
        ...

    def close(self) -> None:
        """Let go of the database; files are unlocked."""
        ...


_MAX_ID = 255
_LINE_ENDS = "\r\n"
# What adapters call their own columns, on every store, so that objects can move from one to another.
FINGERPRINT = "vecmod_fingerprint"
ORIGINAL_ID = "vecmod_id"
RESERVED = frozenset({"id", "vector", FINGERPRINT, ORIGINAL_ID})


def sift(records: Sequence[Record], dim: int) -> tuple[list[Record], list[Rejection]]:
    """Records that every database can take, and the others with the reason.

    Databases differ in what they do with a zero vector or NaN (some store it and answer nonsense), so these are
    refused here, for all alike.
    """
    faults = [(record, _fault(record, dim)) for record in records]
    good = [record for record, fault in faults if not fault]
    return good, [Rejection(record.id, fault) for record, fault in faults if fault]


def refused_rows(rows: list[dict[str, Any]], write: Callable[[list[dict[str, Any]]], str]) -> list[Rejection]:
    """Write rows that have an ``id``; those that the database refuses are found by halving.

    ``write`` writes all of its rows and returns an empty string, or none of them and returns why; what is about no row
    it raises.
    """
    if not rows or not (reason := write(rows)):
        return []
    if len(rows) == 1:
        return [Rejection(rows[0]["id"], reason)]
    middle = len(rows) // 2
    return refused_rows(rows[:middle], write) + refused_rows(rows[middle:], write)


def in_parts(ask: Callable[[int, int], list[Record]], limit: int, offset: int, most: int) -> list[Record]:
    """Records of a page for which several requests are needed, each of ``ask(limit, offset)`` for ``most`` at most."""
    records: list[Record] = []
    while (size := min(most, limit - len(records))) > 0:
        part = ask(size, offset + len(records))
        records += part
        if len(part) < size:
            break
    return records


def id_fault(object_id: str) -> str:
    """Why no database can take this id, or an empty string: 1 to 255 bytes, no control character but line ends."""
    if any(category(character) in ("Cc", "Cs") and character not in _LINE_ENDS for character in object_id):
        return "its id has a control character or half a surrogate pair; use printable characters"
    length = len(object_id.encode())
    return "" if 0 < length <= _MAX_ID else f"its id has {length} bytes; 1 to {_MAX_ID} are possible"


def name_fault(names: Iterable[object]) -> str:
    """Why properties of these names cannot be stored, or an empty string; all databases can meet Weaviate's rule."""
    for name in names:
        if not isinstance(name, str) or not PROPERTY_NAME.fullmatch(name):
            return f"has a property named {name!r}; a name is a letter or underscore, then letters, digits, underscores"
        if name in RESERVED:
            return f"has a property named {name!r}, which the store needs itself; give it another name"
    return ""


def _fault(record: Record, dim: int) -> str:
    if fault := id_fault(record.id) or name_fault(record.properties):
        return fault
    if record.vector.shape != (dim,):
        return (
            f"its vector has {record.vector.size} numbers, those of the class have {dim}: another model made it; "
            "start the service with the model that filled the class, or drop the class"
        )
    fault = direction_fault(record.vector)
    return f"its vector {fault}" if fault else ""


def direction_fault(vector: Vector) -> str:
    """Why a vector has no cosine with others, or an empty string; some databases compute its length in float32."""
    if not np.isfinite(vector).all():
        return "has numbers that are not finite"
    with np.errstate(over="ignore"):
        length = np.linalg.norm(vector)
    if not vector.any():
        return "is all zeros, which has no direction to compare"
    return "" if 0 < length < np.inf else "is too short or too long to be compared"


def clamp_distance(distance: float) -> float:
    """Databases return values a few millionths outside 0 to 2 for equal and opposite vectors."""
    return min(2.0, max(0.0, distance))
