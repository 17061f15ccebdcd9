"""Queries: by a medium or by a vector; with offset and a distance limit, on every store alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from vecmod.contract.modality import Modality
from vecmod.host.classconfig import ClassConfig
from vecmod.host.client import ServiceClient
from vecmod.host.host_errors import InvalidQuery
from vecmod.host.media_input import MediaInput, to_wire
from vecmod.host.narrow import narrow
from vecmod.host.stores.filter import Filter
from vecmod.host.stores.store import Hit, Record, Store, Vector, direction_fault

# The largest window that every store can answer.
_MAX_WINDOW = 16384
# Equal vectors are up to two millionths apart, as databases compute in float32; a limit must not cut them off.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Page:
    """Which part of the results is wanted.

    Attributes:
        limit: hits at most.
        offset: nearest hits to skip.
        distance: cosine distance (0 to 2) beyond which nothing is a hit; None for no limit.
        filter: what hits must have, see :mod:`vecmod.host.narrow`; None for anything.
        properties: which ones hits come with; None for all.
    """

    limit: int = 10
    offset: int = 0
    distance: float | None = None
    filter: Mapping[str, Any] | None = None
    properties: Sequence[str] | None = None

    def check(self) -> None:
        """Raise InvalidQuery unless the page can be asked for."""
        if type(self.limit) is not int or type(self.offset) is not int:
            raise InvalidQuery(f"limit and offset are whole numbers, not {self.limit!r} and {self.offset!r}")
        if isinstance(self.properties, str):
            raise InvalidQuery(f"properties is a list of names: [{self.properties!r}]")
        if self.limit < 1 or self.offset < 0:
            raise InvalidQuery(f"limit must be at least 1 and offset at least 0, not {self.limit} and {self.offset}")
        if self.limit + self.offset >= _MAX_WINDOW:
            raise InvalidQuery(f"limit and offset together must stay below {_MAX_WINDOW}; narrow the query instead")
        if self.distance is not None and not 0 <= self.distance <= 2:  # noqa: PLR2004 -- the range of the measure
            raise InvalidQuery(f"distance is a cosine distance from 0 to 2, not {self.distance:g}")

    def is_near(self, hit: Hit) -> bool:
        """Whether a hit is within the distance that is wanted."""
        return self.distance is None or hit.distance <= self.distance + _ROUNDING

    def cut(self, hit: Hit) -> Hit:
        """The hit with the properties that are wanted."""
        if self.properties is None:
            return hit
        return replace(hit, properties={key: hit.properties[key] for key in self.properties if key in hit.properties})


class PageOptions(TypedDict, total=False):
    """The parts of a :class:`Page` as keywords of a query."""

    limit: int
    offset: int
    distance: float | None
    filter: Mapping[str, Any] | None
    properties: Sequence[str] | None


class Search:
    """Queries to one class, whose vectors have ``dim`` numbers."""

    def __init__(self, config: ClassConfig, store: Store, dim: int) -> None:
        self._config = config
        self._store = store
        self._dim = dim

    def check(self, page: Page) -> Filter | None:
        """The page's filter; raises InvalidQuery unless the page can be asked for."""
        page.check()
        return narrow(self._config, page.filter)

    def find(self, given: Mapping[str, Any] | None, limit: int) -> list[Record]:
        """Objects that meet a filter, in any order, without vectors."""
        condition = self.check(Page(limit, filter=given))
        return self._store.find(self._config.name, condition, limit)

    def near_media(self, client: ServiceClient, modality: Modality, medium: MediaInput, page: Page) -> list[Hit]:
        """Objects like a picture, a sound, ...; nearest first."""
        self.check(page)
        if modality not in client.module.modalities:
            raise InvalidQuery(f"{client.module.name} embeds no {modality.name}; choose a class whose module does")
        return self.near_vector(client.vectorize_query(modality, to_wire(medium)), page)

    def near_vector(self, vector: Sequence[float] | Vector, page: Page, without: str | None = None) -> list[Hit]:
        """Objects near a vector; nearest first. ``without`` names one that is never a hit.

        Limits are applied here, not in the database: its own limits on distance miss hits
        (Milvus: identical vectors at 1.0000001; approximate indexes: anything near the border).
        """
        condition = self.check(page)
        query = self._checked(vector)
        window = page.offset + page.limit + (without is not None)
        hits = [hit for hit in self._store.search(self._config.name, query, window, condition) if hit.id != without]
        near = [hit for hit in hits if page.is_near(hit)]
        return [page.cut(hit) for hit in near[page.offset : page.offset + page.limit]]

    def _checked(self, vector: Sequence[float] | Vector) -> Vector:
        try:
            query = np.asarray(vector, np.float32)
        except (TypeError, ValueError) as error:
            raise InvalidQuery(f"the query vector must be {self._dim} numbers: {error}") from error
        if query.shape != (self._dim,):
            raise InvalidQuery(
                f"the query has {query.size} numbers, the vectors of class {self._config.name} have {self._dim}: "
                "it comes from another model than the one that filled the class"
            )
        if fault := direction_fault(query):
            raise InvalidQuery(f"the query vector {fault}")
        return query
