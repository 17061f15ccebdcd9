"""A class with several named vectors: one collection for each vector, filled together."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from vecmod.host.classconfig import lower_first
from vecmod.host.collection import Collection
from vecmod.host.host_errors import HostError, InvalidObject, InvalidQuery, NothingToVectorize
from vecmod.host.ingest import IngestReport
from vecmod.host.media_input import to_wire
from vecmod.host.prepare import name_of, properties_of

_CHUNK = 256


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
        name = object_id or str(uuid.uuid4())
        for report in self.insert_many([{"id": name, "properties": properties}]).values():
            report.raise_first()
        return name

    def insert_many(self, objects: Iterable[Mapping[str, Any]]) -> dict[str, IngestReport]:
        """Store many objects, each under every vector it has fields for; a report for each vector.

        That an object has nothing for one vector is no failure, unless it has nothing for any.
        """
        totals = {name: IngestReport() for name in self}
        readable = (self._read_once(given) for given in objects)
        while chunk := list(islice(readable, _CHUNK)):
            reports = {name: collection.insert_many(chunk) for name, collection in self._collections.items()}
            _forgive_gaps(list(reports.values()))
            for name, report in reports.items():
                totals[name].add(report)
            if any(report.stopped for report in reports.values()):
                break
        return totals

    def delete(self, object_ids: Sequence[str]) -> None:
        """Delete objects under all vectors; ids that do not exist are ignored."""
        for collection in self._collections.values():
            collection.delete(object_ids)

    def _read_once(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object with an id, and with media that can be read several times; what is at fault stays as it is."""
        try:
            properties = properties_of(given)
        except InvalidObject:
            return given
        readable = dict(properties)
        for name, value in properties.items():
            if lower_first(str(name)) in self._media and not isinstance(value, str):
                with suppress(HostError):
                    readable[name] = to_wire(value)
        return {"id": name_of(given), "properties": readable}


def _forgive_gaps(reports: Sequence[IngestReport]) -> None:
    """Take out the failures of objects that have nothing for one vector but something for another."""
    gaps = [{one.id for one in report.failed if isinstance(one.error, NothingToVectorize)} for report in reports]
    hopeless = set.intersection(*gaps)
    for report, gap in zip(reports, gaps, strict=True):
        report.failed = [one for one in report.failed if one.id not in gap - hopeless]
