"""What a vector database must be able to do, and the words for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """One stored object.

    Attributes:
        id: unique in its class, at most 255 characters.
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
        """The records that exist, in any order."""
        ...

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete records; ids that do not exist are ignored."""
        ...

    def search(self, name: str, vector: Vector, limit: int) -> list[Hit]:
        """The nearest records, nearest first; sees everything this store wrote before."""
        ...

    def count(self, name: str) -> int:
        """Number of records."""
        ...

    def close(self) -> None:
        """Let go of the database; files are unlocked."""
        ...


_MAX_ID = 255


def sift(records: Sequence[Record], dim: int) -> tuple[list[Record], list[Rejection]]:
    """Records that every database can take, and the others with the reason.

    Databases differ in what they do with a zero vector or NaN (some store it and answer nonsense), so these are
    refused here, for all alike.
    """
    faults = [(record, _fault(record, dim)) for record in records]
    good = [record for record, fault in faults if not fault]
    return good, [Rejection(record.id, fault) for record, fault in faults if fault]


def _fault(record: Record, dim: int) -> str:
    if not 0 < len(record.id) <= _MAX_ID:
        return f"its id has {len(record.id)} characters; 1 to {_MAX_ID} are possible"
    if record.vector.shape != (dim,):
        return (
            f"its vector has {record.vector.size} numbers, those of the class have {dim}: another model made it; "
            "start the service with the model that filled the class, or drop the class"
        )
    if not np.isfinite(record.vector).all():
        return "its vector has numbers that are not finite"
    if not record.vector.any():
        return "its vector is all zeros, which has no direction to compare"
    return ""


def clamp_distance(distance: float) -> float:
    """Databases return values a few millionths outside 0 to 2 for equal and opposite vectors."""
    return min(2.0, max(0.0, distance))
