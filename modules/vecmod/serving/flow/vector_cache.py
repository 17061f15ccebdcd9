"""Vectors that were computed, by what they were computed from, in bounded memory."""

import hashlib
from collections import OrderedDict
from typing import NamedTuple, Protocol

from vecmod.serving.engine.engine import FloatArray

# What Python takes for an entry beside its numbers, about.
_OVERHEAD = 500


class Embedded(NamedTuple):
    """A vector float32 ``[dim]``, what its sender should know (empty if nothing), tokens that were read."""

    vector: FloatArray
    warning: str
    tokens: int = 0


class SharedVectors(Protocol):
    """Vectors that several processes share; nothing that it does fails or takes long."""

    async def get(self, key: bytes, dim: int) -> Embedded | None:
        """What was put there under the key by anybody: a vector float32 ``[dim]``."""
        ...

    def put(self, key: bytes, embedded: Embedded) -> None:
        """Keep it, some time soon."""
        ...

    def close(self) -> None:
        """Free what it holds; from another thread than the event loop's."""
        ...


class VectorCache:
    """The vectors that were asked for last; used from the event loop only.

    Attributes:
        reuses: whether a vector is for more than the one who asked for it; else each item is embedded by itself.

    Args:
        passport: whatever tells this model's vectors from others': a key is made of it.
        max_bytes: that they may take; with zero nothing is reused.
        shared: asked for what is not there, by whoever would have to compute it.
    """

    def __init__(self, passport: str, max_bytes: int, shared: SharedVectors | None = None) -> None:
        self.shared = shared
        self.reuses = max_bytes > 0
        self._passport = passport
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Embedded] = OrderedDict()
        self.size = 0

    def key(self, modality: str, content: bytes) -> bytes:
        """What a vector is found by: SHA-256 of passport, modality and content; safe to call from threads."""
        digest = hashlib.sha256(f"{self._passport}\0{modality}\0".encode())
        digest.update(content)
        return digest.digest()

    def get(self, key: bytes) -> Embedded | None:
        """What was put there, unless it had to make room."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: bytes, embedded: Embedded) -> None:
        """Keep it, in the place of what was not asked for for the longest time."""
        cost = _cost(embedded)
        if cost > self._max_bytes:
            return
        # A row of a batch would keep all of the batch.
        vector = embedded.vector.copy()
        vector.flags.writeable = False
        if (before := self._kept.pop(key, None)) is not None:
            self.size -= _cost(before)
        self._kept[key] = embedded._replace(vector=vector)
        self.size += cost
        while self.size > self._max_bytes:
            self.size -= _cost(self._kept.popitem(last=False)[1])


def _cost(embedded: Embedded) -> int:
    return embedded.vector.nbytes + len(embedded.warning) + _OVERHEAD
