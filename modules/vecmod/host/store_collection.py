"""One class in a store that keeps vectors: what is inserted or asked is vectorised here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Unpack

from vecmod.contract.modality import Modality
from vecmod.host.classconfig import ClassConfig
from vecmod.host.client import ServiceClient
from vecmod.host.collection import Collection
from vecmod.host.host_errors import InvalidQuery, UnknownObject
from vecmod.host.ingest import Ingest, IngestReport
from vecmod.host.media_input import MediaInput
from vecmod.host.near_text import Move, TextQuery, text_vector
from vecmod.host.search import Page, PageOptions, Search
from vecmod.host.stores.store import Hit, Record, Store, Vector

_DELETE_BATCH = 1000


class StoreCollection(Collection):
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

    def insert_many(
        self, objects: Iterable[Mapping[str, Any]], on_done: Callable[[int], object] = lambda _: None
    ) -> IngestReport:
        """Vectorise and store many objects; equal ones that are there already are skipped."""
        return Ingest(self.config, self._client(), self._store, self._concurrency, on_done).run(objects)

    def get(self, object_id: str) -> Record:
        """A stored object with its vector."""
        found = self._store.get(self.config.name, [str(object_id)])
        if not found:
            raise UnknownObject(f"class {self.config.name} has no object {object_id!r}")
        return found[0]

    def delete(self, object_ids: Sequence[str]) -> None:
        """Delete objects; ids that do not exist are ignored."""
        if isinstance(object_ids, str):
            raise InvalidQuery(f"delete takes a list of ids: [{object_ids!r}]")
        self._store.delete(self.config.name, [str(one) for one in object_ids])

    def find(self, filter: Mapping[str, Any] | None = None, limit: int = 100) -> list[Record]:  # noqa: A002 -- the field's word
        """Objects that meet a filter, in any order, without their vectors."""
        return self._search.find(filter, limit)

    def delete_many(self, filter: Mapping[str, Any]) -> int:  # noqa: A002
        """Delete all objects that meet a filter, a thousand at a time; their number."""
        if not filter:
            raise InvalidQuery("delete_many needs a filter; to delete everything, drop the class")
        deleted = 0
        while found := self.find(filter, _DELETE_BATCH):
            self.delete([one.id for one in found])
            deleted += len(found)
        return deleted

    def page(self, limit: int = 100, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Objects in an order that stays while nobody writes."""
        Page(limit, offset).check()
        return self._store.page(self.config.name, limit, offset, vectors=vectors)

    def count(self) -> int:
        """Number of objects."""
        return self._store.count(self.config.name)

    def near_text(
        self,
        text: str | Sequence[str],
        *,
        to: Move | None = None,
        away: Move | None = None,
        **page: Unpack[PageOptions],
    ) -> list[Hit]:
        """Objects like a text, or like the mean of several; ``to`` and ``away`` move the query."""
        part = Page(**page)
        self._search.check(part)
        query = TextQuery([text] if isinstance(text, str) else text, to, away)
        vector = text_vector(self._client(), query, lambda name: self.get(name).vector)
        return self._search.near_vector(vector, part)

    def near_object(self, object_id: str, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a stored one, without that one."""
        return self._search.near_vector(self.get(object_id).vector, Page(**page), without=str(object_id))

    def near_vector(self, vector: Sequence[float] | Vector, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects near a vector of ``dim`` numbers."""
        return self._search.near_vector(vector, Page(**page))

    def _near(self, modality: Modality, medium: MediaInput, page: PageOptions) -> list[Hit]:
        return self._search.near_media(self._client(), modality, medium, Page(**page))
