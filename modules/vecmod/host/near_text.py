"""The vector of a text query, moved towards or away from other concepts and objects, as Weaviate does it.

Weaviate: usecases/modulecomponents/arguments/nearText/searcher.go; all in float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vecmod.contract.modality import TEXT
from vecmod.host.client import ServiceClient
from vecmod.host.collect import Piece
from vecmod.host.combine import Vector, mean
from vecmod.host.host_errors import InvalidQuery, ServiceError


@dataclass(frozen=True)
class Move:
    """A movement of the query.

    Attributes:
        force: how far; to a target 0 to 1, away from it as far as you like; 0 is no movement.
        concepts: texts; together they count as one target.
        objects: ids of stored objects, each a target.
    """

    force: float
    concepts: Sequence[str] = ()
    objects: Sequence[str] = ()

    def __post_init__(self) -> None:
        """One text or id alone is a list of one."""
        for name in ("concepts", "objects"):
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, (value,))

    def is_felt(self) -> bool:
        """Whether it changes anything."""
        return self.force > 0 and bool(self.concepts or self.objects)


@dataclass(frozen=True)
class TextQuery:
    """Concepts, and where they are moved."""

    concepts: Sequence[str]
    to: Move | None = None
    away: Move | None = None


def text_vector(client: ServiceClient, query: TextQuery, stored: Callable[[str], Vector]) -> Vector:
    """The vector float32 ``[dim]`` of a query.

    Args:
        client: the service that makes it.
        query: what is asked.
        stored: gives the vector of a stored object by its id.

    Raises:
        InvalidQuery: if there is no concept, or a force that makes no sense.
        ServiceError, ServiceUnreachable: if a text cannot be vectorised.
        UnknownObject: if a target is not stored.
    """
    if TEXT not in client.module.modalities:
        raise InvalidQuery(f"{client.module.name} reads no text; choose a class whose module does")
    if not query.concepts:
        raise InvalidQuery("near_text needs at least one text")
    vector = _concepts(client, query.concepts, "vectorize keywords: ")
    if query.to and query.to.is_felt():
        if query.to.force > 1:
            raise InvalidQuery(f"movement: force must be between 0 and 1: got {query.to.force:f}")
        target = _target(client, query.to, stored, "vectorize move to: ")
        half = np.float32(query.to.force * 0.5)
        vector = vector * (np.float32(1) - half) + target * half
    if query.away and query.away.is_felt():
        target = _target(client, query.away, stored, "vectorize move away from: ")
        vector = vector + np.float32(query.away.force * 0.5) * (vector - target)
    return vector


def _target(client: ServiceClient, move: Move, stored: Callable[[str], Vector], prefix: str) -> Vector:
    targets = [_concepts(client, move.concepts, prefix)] if move.concepts else []
    return mean([*targets, *(stored(one) for one in move.objects)])


def _concepts(client: ServiceClient, concepts: Sequence[str], prefix: str) -> Vector:
    try:
        return mean(client.vectorize([Piece("", TEXT, concept) for concept in concepts], "search"))
    except ServiceError as error:
        raise ServiceError(f"{prefix}{error}", error.code) from error
