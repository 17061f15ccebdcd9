"""The map of a collection: where on a plane its objects lie, made once and again only when it has changed."""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vecmod.explore.items import thumbnail_of, title_of
from vecmod.explore.layout import lay_out
from vecmod.explore.opened import Opened
from vecmod.host.stores.store import Record

MOST_POINTS = 5000


class CollectionMap(NamedTuple):
    """What is sent, and a word that changes with what is on it."""

    body: dict[str, Any]
    version: str


class Maps:
    """Maps by collection; a map is made by one thread, and others who want it wait."""

    def __init__(self) -> None:
        self._made: dict[str, CollectionMap] = {}
        self._making: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, opened: Opened) -> CollectionMap:
        """The map of the first 5,000 objects.

        Raises:
            StoreError: if they cannot be read.
        """
        name, collection = opened
        with self._making[name]:
            count = collection.count()
            version = _version(collection.page(MOST_POINTS), count)
            made = self._made.get(name)
            if made is None or made.version != version:
                records = collection.page(MOST_POINTS, vectors=True)
                made = self._made[name] = CollectionMap(_body(name, records, count), version)
            return made


def _version(records: Sequence[Record], count: int) -> str:
    """Of objects in a store that keeps fingerprints; what was stored without one changes it only by its id."""
    digest = hashlib.sha256(str(count).encode())
    for one in sorted(records, key=lambda record: record.id):
        digest.update(f"\0{one.id}\0{one.fingerprint}".encode())
    return digest.hexdigest()[:32]


def _body(name: str, records: Sequence[Record], count: int) -> dict[str, Any]:
    """An object that has no vector, or one without direction, is not on the map."""
    shown = [one for one in records if one.vector.any() and np.isfinite(one.vector).all()]
    places = lay_out(np.stack([one.vector for one in shown])) if shown else np.zeros((0, 2), np.float32)
    points = [
        {
            "id": one.id,
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            "title": title_of(one),
            "thumbnail": thumbnail_of(name, one),
        }
        for one, (x, y) in zip(shown, places, strict=True)
    ]
    return {"points": points, "shown": len(points), "of": max(count, len(points))}
