"""A class with several named vectors: one collection for each vector, filled together."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from vecmod.host.collection import Collection
from vecmod.host.host_errors import InvalidQuery, NothingToVectorize, StoreError
from vecmod.host.ingest import IngestReport
from vecmod.host.prepare import name_of
from vecmod.host.reading import media_of, read_media

# What is held at once: objects, and characters of their media.
_OBJECTS = 256
_CHARACTERS = 64 << 20


class NamedVectors:
    """The collections of a class's vectors, by the vectors' names: ``articles["title"].near_text("cats")``."""

    def __init__(self, collections: Mapping[str, Collection]) -> None:
        self._collections = dict(collections)
        self._media = frozenset().union(*(one.config.media() for one in collections.values()))

    def __getitem__(self, vector: str) -> Collection:
        """The collection to search by one of the vectors.

        Raises:
            InvalidQuery: naming those there are.
        """
        if vector not in self._collections:
            raise InvalidQuery(f"there is no vector {vector!r}; the class has {', '.join(self)}")
        return self._collections[vector]

    def __iter__(self) -> Iterator[str]:
        return iter(self._collections)

    def insert(self, properties: Mapping[str, Any], object_id: str | None = None) -> str:
        """Store one object under every vector it has fields for; its id, a new UUID if none is given.

        Raises:
            HostError: with the reason, if one of the vectors cannot be made, or none.
        """
        name = str(uuid.uuid4() if object_id is None else object_id)
        for report in self.insert_many([{"id": name, "properties": properties}]).values():
            report.raise_first()
        return name

    def insert_many(self, objects: Iterable[Mapping[str, Any]]) -> dict[str, IngestReport]:
        """Store many objects, each under every vector it has fields for; a report for each vector.

        That an object has nothing for one vector is no failure, unless it has nothing for any; what was stored under
        that vector before is deleted. An iterable that raises ends the run, once the objects that it gave before are
        stored.
        """
        totals = {name: IngestReport() for name in self}
        chunk: dict[str, Mapping[str, Any]] = {}
        size = 0
        try:
            for given in objects:
                one = read_media(given, self._media)
                name, more = name_of(one), sum(len(medium) for medium in media_of(one, self._media).values())
                # Never an id twice: of its two objects the later one counts, under all vectors.
                if name in chunk or len(chunk) == _OBJECTS or size + more > _CHARACTERS:
                    full, chunk, size = chunk, {}, 0
                    self._store(list(full.values()), totals)
                    if any(report.stopped for report in totals.values()):
                        break
                chunk[name] = one
                size += more
        finally:
            self._store(list(chunk.values()), totals)
        return totals

    def delete(self, object_ids: Sequence[str]) -> None:
        """Delete objects under all vectors; ids that do not exist are ignored."""
        for collection in self._collections.values():
            collection.delete(object_ids)

    def _store(self, chunk: Sequence[Mapping[str, Any]], totals: Mapping[str, IngestReport]) -> None:
        if not chunk:
            return
        reports = {name: collection.insert_many(chunk) for name, collection in self._collections.items()}
        gaps = _forgive_gaps(reports)
        # A run that stopped has not seen all objects, so that a gap may be a fault; the next run tells.
        if not any(report.stopped for report in reports.values()):
            for name, ids in gaps.items():
                try:
                    self._collections[name].delete(sorted(ids))
                except StoreError as error:
                    reports[name].stopped = error
        for name, report in reports.items():
            totals[name].add(report)


def _forgive_gaps(reports: Mapping[str, IngestReport]) -> dict[str, set[str]]:
    """Take out the failures of objects that have nothing for one vector but something for another; their ids."""
    nothing = {
        name: {one.id for one in report.failed if isinstance(one.error, NothingToVectorize)}
        for name, report in reports.items()
    }
    hopeless = set.intersection(*nothing.values())
    for name, report in reports.items():
        report.failed = [one for one in report.failed if one.id not in nothing[name] - hopeless]
    return {name: ids - hopeless for name, ids in nothing.items() if ids - hopeless}
