"""A database that vectorises by itself, asking the services as Weaviate does, and the words for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from vecmod.host.host_errors import HostError
from vecmod.host.stores.filter import Filter
from vecmod.host.stores.store import Hit, Record, Vector

Json = Mapping[str, Any]


class Handed(NamedTuple):
    """An object for the database to vectorise and to keep; media are base64, standard alphabet, on one line."""

    id: str
    properties: Json


class Refusal(NamedTuple):
    """An object that was not stored, and why."""

    id: str
    error: HostError


@dataclass(frozen=True)
class NearMedia:
    """Like a picture, a sound, ...: ``kind`` is the modality's name, ``value`` base64."""

    kind: str
    value: str


@dataclass(frozen=True)
class Pull:
    """What a text query is moved to or away from: texts and ids of objects; there is at least one."""

    force: float
    concepts: Sequence[str]
    objects: Sequence[str]


@dataclass(frozen=True)
class NearText:
    """Like the mean of texts, moved."""

    concepts: Sequence[str]
    to: Pull | None = None
    away: Pull | None = None


@dataclass(frozen=True)
class NearObject:
    """Like a stored object."""

    id: str


@dataclass(frozen=True)
class NearVector:
    """Like a vector float32 ``[dim]``."""

    vector: Vector


Near = NearMedia | NearText | NearObject | NearVector


@dataclass(frozen=True)
class Window:
    """Which hits of a query are wanted.

    Attributes:
        limit: at most.
        offset: nearest ones to skip.
        distance: cosine distance beyond which nothing is a hit; None for no limit.
        condition: what hits must meet.
        properties: which ones they come with; None for all but media.
        vector: name of the vector that is compared; empty if the class has one without a name.
    """

    limit: int
    offset: int = 0
    distance: float | None = None
    condition: Filter | None = None
    properties: Sequence[str] | None = None
    vector: str = ""


@runtime_checkable
class VectorizingStore(Protocol):
    """Any method raises StoreError if the database fails, and what a service answered as ServiceError."""

    def create_class(self, definition: Json) -> None:
        """Make an empty class of the database's own definition; raises InvalidClass if it is refused."""
        ...

    def get_class(self, name: str) -> Json | None:
        """The definition of a class, or None if there is none of that name."""
        ...

    def class_names(self) -> list[str]:
        """Names of all classes, sorted."""
        ...

    def drop_class(self, name: str) -> None:
        """Delete a class with all its objects; nothing happens if there is none."""
        ...

    def insert(self, name: str, objects: Sequence[Handed]) -> list[Refusal]:
        """Vectorise and store objects of different ids, replacing those with the same id; the bad ones are named."""
        ...

    def get(self, name: str, object_id: str, vector: str = "") -> Record | None:
        """An object with one of its vectors (empty if it has none), or None."""
        ...

    def fingerprints(self, name: str, ids: Sequence[str]) -> dict[str, str]:
        """Fingerprints of those of the objects that are there."""
        ...

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete objects; ids that do not exist are ignored."""
        ...

    def delete_meeting(self, name: str, condition: Filter) -> int:
        """Delete the objects that meet a condition; their number."""
        ...

    def find(self, name: str, condition: Filter | None, limit: int) -> list[Record]:
        """Objects that meet a condition, in any order, without vectors."""
        ...

    def page(self, name: str, limit: int, offset: int, vector: str | None) -> list[Record]:
        """Objects in an order that stays while nobody writes, without media; ``vector`` names which vector they have.

        None: without vectors. An object that has no such vector comes with an empty one.
        """
        ...

    def near(self, name: str, query: Near, window: Window) -> list[Hit]:
        """The nearest objects, nearest first."""
        ...

    def count(self, name: str) -> int:
        """Number of objects."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
