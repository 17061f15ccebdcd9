"""One class in Weaviate: Weaviate keeps the objects, asks the service for vectors, and searches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from vecmod.contract.modality import TEXT, Modality
from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import ClassConfig
from vecmod.host.collection import Collection
from vecmod.host.hand_over import HandOver, Target
from vecmod.host.host_errors import InvalidQuery, UnknownObject
from vecmod.host.ingest import IngestReport
from vecmod.host.media_input import MediaInput, to_wire
from vecmod.host.narrow import narrow
from vecmod.host.near_text import Move
from vecmod.host.search import Page, PageOptions
from vecmod.host.stores.filter import Filter
from vecmod.host.stores.store import Hit, Record, Vector, direction_fault
from vecmod.host.stores.vectorizing import (
    Near,
    NearMedia,
    NearObject,
    NearText,
    NearVector,
    Pull,
    VectorizingStore,
    Window,
)
from vecmod.host.weaviate_definition import HIDDEN


class WeaviateCollection(Collection):
    """A class of a store that vectorises by itself, asked by one of its vectors.

    Hits and objects come without media, which Weaviate keeps, unless a query names them in ``properties``. Distances,
    limits on them and the meaning of filters are Weaviate's.

    Args:
        config: the class as far as that vector goes.
        target: the class as a whole, which objects are handed to.
        store: where it is.
        vector: name of the vector; empty if the class has one without a name.
    """

    def __init__(self, config: ClassConfig, target: Target, store: VectorizingStore, vector: str) -> None:
        self.config = config
        self._target = target
        self._store = store
        self._vector = vector

    def insert_many(
        self, objects: Iterable[Mapping[str, Any]], on_done: Callable[[int], object] = lambda _: None
    ) -> IngestReport:
        """Store many objects under all vectors of the class, for which Weaviate asks the services."""
        return HandOver(self._target, self._store, on_done).run(objects)

    def get(self, object_id: str) -> Record:
        """A stored object with its vector, without media."""
        found = self._store.get(self.config.name, object_id, self._vector)
        if found is None:
            raise UnknownObject(f"class {self.config.name} has no object {object_id!r}")
        return found

    def delete(self, object_ids: Sequence[str]) -> None:
        """Delete objects; ids that do not exist are ignored."""
        self._store.delete(self.config.name, object_ids)

    def find(self, filter: Mapping[str, Any] | None = None, limit: int = 100) -> list[Record]:  # noqa: A002
        """Objects that meet a filter, in any order, without vectors and media."""
        return self._store.find(self.config.name, self._check(Page(limit, filter=filter)), limit)

    def delete_many(self, filter: Mapping[str, Any]) -> int:  # noqa: A002
        """Delete all objects that meet a filter; their number."""
        condition = narrow(self.config, filter)
        if condition is None:
            raise InvalidQuery("delete_many needs a filter; to delete everything, drop the class")
        return self._store.delete_meeting(self.config.name, condition)

    def page(self, limit: int = 100, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Objects in an order that stays while nobody writes, without media; Weaviate gives the first 10,000."""
        Page(limit, offset).check()
        return self._store.page(self.config.name, limit, offset, self._vector if vectors else None)

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
        """Objects like a text, or like the mean of several; moved by Weaviate."""
        concepts = [text] if isinstance(text, str) else list(text)
        self._must_read(TEXT)
        if not concepts:
            raise InvalidQuery("near_text needs at least one text")
        return self._ask(NearText(concepts, _pull(to), _pull(away)), Page(**page))

    def near_object(self, object_id: str, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects like a stored one, without that one."""
        part = Page(**page)
        self._check(part)
        self.get(object_id)
        # Weaviate finds the object itself, too.
        hits = self._ask(NearObject(object_id), part, Page(part.offset + part.limit + 1))
        return [hit for hit in hits if hit.id != object_id][part.offset : part.offset + part.limit]

    def near_vector(self, vector: Sequence[float] | Vector, **page: Unpack[PageOptions]) -> list[Hit]:
        """Objects near a vector."""
        try:
            query = np.asarray(vector, np.float32)
        except (TypeError, ValueError) as error:
            raise InvalidQuery(f"the query vector must be numbers: {error}") from error
        fault = direction_fault(query) if query.ndim == 1 else f"has the shape {query.shape}, not [dim]"
        if fault:
            raise InvalidQuery(f"the query vector {fault}")
        return self._ask(NearVector(query), Page(**page))

    def _near(self, modality: Modality, medium: MediaInput, page: PageOptions) -> list[Hit]:
        part = Page(**page)
        self._check(part)
        self._must_read(modality)
        return self._ask(NearMedia(modality.name, to_wire(medium)), part)

    def _ask(self, query: Near, page: Page, window: Page | None = None) -> list[Hit]:
        """Hits of a page; ``window`` where another part of the results is to be asked for."""
        condition, part = self._check(page), window or page
        wanted = Window(part.limit, part.offset, page.distance, condition, self._named(page), self._vector)
        hits = self._store.near(self.config.name, query, wanted)
        return [page.cut(hit) for hit in hits]

    def _named(self, page: Page) -> list[str] | None:
        """Properties by name only if there are media among them: a name that Weaviate does not know is an error."""
        media = self._target.config.media()
        if page.properties is None or not media & set(page.properties):
            return None
        known = media | self._target.config.types.keys()
        return [*(known & set(page.properties)), *(HIDDEN if self._target.ours else ())]

    def _must_read(self, modality: Modality) -> None:
        if modality not in known_modules()[self.config.module].modalities:
            raise InvalidQuery(f"{self.config.module} embeds no {modality.name}; choose a class whose module does")

    def _check(self, page: Page) -> Filter | None:
        page.check()
        return narrow(self.config, page.filter)


def _pull(move: Move | None) -> Pull | None:
    return Pull(move.force, move.concepts, move.objects) if move and move.is_felt() else None
