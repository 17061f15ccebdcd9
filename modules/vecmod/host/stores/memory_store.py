"""Exact search in numpy: for tests, small sets, and as the yardstick of the other stores."""

import threading
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np

from vecmod.host.host_errors import StoreError
from vecmod.host.stores.filter import Filter, meets
from vecmod.host.stores.store import Hit, Record, Rejection, StoredClass, Vector, clamp_distance, sift


@dataclass
class _Shelf:
    stored: StoredClass
    records: dict[str, Record] = field(default_factory=dict)


class MemoryStore:
    """Everything in this process, gone with it."""

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}
        self._lock = threading.Lock()

    def create_class(self, name: str, stored: StoredClass) -> None:
        """Make an empty class."""
        with self._lock:
            if name in self._shelves:
                raise StoreError(f"class {name} exists already")
            self._shelves[name] = _Shelf(stored)

    def get_class(self, name: str) -> StoredClass | None:
        """The class, or None."""
        shelf = self._shelves.get(name)
        return shelf.stored if shelf else None

    def class_names(self) -> list[str]:
        """Names, sorted."""
        return sorted(self._shelves)

    def drop_class(self, name: str) -> None:
        """Delete a class."""
        with self._lock:
            self._shelves.pop(name, None)

    def upsert(self, name: str, records: Sequence[Record]) -> list[Rejection]:
        """Store records, naming the bad ones."""
        shelf = self._shelf(name)
        good, rejected = sift(records, shelf.stored.dim)
        with self._lock:
            shelf.records.update((record.id, record) for record in good)
        return rejected

    def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
        """The records that exist."""
        records = self._shelf(name).records
        found = [_copied(records[one]) for one in ids if one in records]
        return found if vectors else [_bare(record) for record in found]

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete records."""
        with self._lock:
            for one in ids:
                self._shelf(name).records.pop(one, None)

    def search(self, name: str, vector: Vector, limit: int, condition: Filter | None = None) -> list[Hit]:
        """The nearest records that meet the condition."""
        records = self._meeting(name, condition)
        if not records:
            return []
        matrix = np.stack([record.vector for record in records])
        distances = 1 - matrix @ (vector / np.linalg.norm(vector)) / np.linalg.norm(matrix, axis=1)
        nearest = np.argsort(distances, kind="stable")[:limit]
        return [
            Hit(records[index].id, clamp_distance(float(distances[index])), deepcopy(records[index].properties))
            for index in nearest
        ]

    def find(self, name: str, condition: Filter | None, limit: int) -> list[Record]:
        """Records that meet the condition."""
        return [_bare(_copied(record)) for record in self._meeting(name, condition)[:limit]]

    def page(self, name: str, limit: int, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Records in the order in which they were first stored."""
        found = [_copied(record) for record in self._meeting(name, None)[offset : offset + limit]]
        return found if vectors else [_bare(record) for record in found]

    def count(self, name: str) -> int:
        """Number of records."""
        return len(self._shelf(name).records)

    def close(self) -> None:
        """Forget everything."""
        self._shelves.clear()

    def _meeting(self, name: str, condition: Filter | None) -> list[Record]:
        shelf = self._shelf(name)
        with self._lock:
            records = list(shelf.records.values())
        return [record for record in records if condition is None or meets(record.properties, condition)]

    def _shelf(self, name: str) -> _Shelf:
        if name not in self._shelves:
            raise StoreError(f"there is no class {name} in this store")
        return self._shelves[name]


def _bare(record: Record) -> Record:
    return replace(record, vector=np.zeros(0, np.float32))


def _copied(record: Record) -> Record:
    """What callers get is theirs to change."""
    return replace(record, properties=deepcopy(record.properties))
