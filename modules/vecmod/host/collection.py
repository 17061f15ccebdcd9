"""One class in one store: insert objects, ask for the nearest."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vecmod.host.classconfig import ClassConfig
from vecmod.host.client import ServiceClient
from vecmod.host.host_errors import UnknownObject
from vecmod.host.ingest import Ingest, IngestReport
from vecmod.host.media_input import MediaInput
from vecmod.host.near_text import Move, TextQuery, text_vector
from vecmod.host.search import Page, Search
from vecmod.host.stores.store import Hit, Record, Store, Vector


class Collection:
    """A class, the service that vectorises it, and the store that keeps it.

    Args:
        config: the class.
        client: gives the client of the class's module; asked only when something has to be vectorised.
        store: where the objects are.
        dim: length of their vectors.
        concurrency: objects vectorised at once.
    """

    def __init__(
        self, config: ClassConfig, client: Callable[[], ServiceClient], store: Store, dim: int, concurrency: int
    ) -> None:
        self.config = config
        self.dim = dim
        self._client = client
        self._store = store
        self._concurrency = concurrency
        self._search = Search(config, store, dim)

    def insert(self, properties: Mapping[str, Any], object_id: str | None = None) -> str:
        """Store one object, replacing one with the same id; its id, a new UUID if none is given.

        Raises:
            HostError: with the reason, if it is not stored.
        """
        name = object_id or str(uuid.uuid4())
        report = self.insert_many([{"id": name, "properties": properties}])
        for error in (*(one.error for one in report.failed), report.stopped):
            if error:
                raise error
        return name

    def insert_many(
        self, objects: Iterable[Mapping[str, Any]], on_done: Callable[[int], object] = lambda _: None
    ) -> IngestReport:
        """Store many objects, each ``{"id": ..., "properties": {...}}``; ``on_done`` is called as they are done.

        Objects that are there already, equal, are skipped. The report names each object that failed.
        """
        return Ingest(self.config, self._client(), self._store, self._concurrency, on_done).run(objects)

    def get(self, object_id: str) -> Record:
        """A stored object with its vector.

        Raises:
            UnknownObject: if there is none of that id.
        """
        found = self._store.get(self.config.name, [object_id])
        if not found:
            raise UnknownObject(f"class {self.config.name} has no object {object_id!r}")
        return found[0]

    def delete(self, object_ids: Sequence[str]) -> None:
        """Delete objects; ids that do not exist are ignored."""
        self._store.delete(self.config.name, object_ids)

    def count(self) -> int:
        """Number of objects."""
        return self._store.count(self.config.name)

    def near_image(
        self, image: MediaInput, *, limit: int = 10, offset: int = 0, distance: float | None = None
    ) -> list[Hit]:
        """Objects like a picture (path, bytes, binary file, PIL image or base64), nearest first.

        Raises:
            InvalidQuery: if the picture cannot be read or the numbers make no sense.
            ServiceError, ServiceUnreachable: if it cannot be vectorised.
        """
        return self._search.near_image(self._client(), image, Page(limit, offset, distance))

    def near_text(
        self,
        text: str | Sequence[str],
        *,
        to: Move | None = None,
        away: Move | None = None,
        limit: int = 10,
        offset: int = 0,
        distance: float | None = None,
    ) -> list[Hit]:
        """Objects like a text, or like the mean of several, nearest first; ``to`` and ``away`` move the query.

        Raises:
            InvalidQuery: if the module reads no text, or the numbers make no sense.
            ServiceError, ServiceUnreachable: if it cannot be vectorised.
        """
        page = Page(limit, offset, distance)
        page.check()
        query = TextQuery([text] if isinstance(text, str) else text, to, away)
        vector = text_vector(self._client(), query, lambda name: self.get(name).vector)
        return self._search.near_vector(vector, page)

    def near_object(
        self, object_id: str, *, limit: int = 10, offset: int = 0, distance: float | None = None
    ) -> list[Hit]:
        """Objects like a stored one, without that one, nearest first.

        Raises:
            UnknownObject: if there is none of that id.
        """
        return self._search.near_vector(self.get(object_id).vector, Page(limit, offset, distance), without=object_id)

    def near_vector(
        self, vector: Sequence[float] | Vector, *, limit: int = 10, offset: int = 0, distance: float | None = None
    ) -> list[Hit]:
        """Objects near a vector of ``dim`` numbers, nearest first.

        Raises:
            InvalidQuery: if the vector cannot be one of this class.
        """
        return self._search.near_vector(vector, Page(limit, offset, distance))
