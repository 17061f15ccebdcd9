"""Objects into a store that vectorises by itself: prepared, and handed over in batches, with errors for each object."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from vecmod.host.classconfig import ClassConfig
from vecmod.host.host_errors import HostError, InvalidObject, ServiceUnreachable, StoreError
from vecmod.host.ingest import IngestReport, ObjectError
from vecmod.host.prepare import PreparedObject, name_of, prepare
from vecmod.host.stores.store import FINGERPRINT
from vecmod.host.stores.vectorizing import Handed, VectorizingStore
from vecmod.host.stores.weaviate_values import uuid_of

_BATCH_OBJECTS = 64
_BATCH_CHARACTERS = 16 << 20
# Weaviate takes requests of 104858000 bytes (GRPC_MAX_MESSAGE_SIZE).
_OBJECT_CHARACTERS = 100_000_000


class Target(NamedTuple):
    """Where objects go.

    Attributes:
        config: the class, with the fields of all its vectors.
        ours: whether it has our two properties: without them nothing is skipped, and ids must be UUIDs.
    """

    config: ClassConfig
    ours: bool


class HandOver:
    """One run over many objects of one class; ``on_done`` is called with the number of objects that are done."""

    def __init__(
        self, target: Target, store: VectorizingStore, on_done: Callable[[int], object] = lambda _: None
    ) -> None:
        self._config = target.config
        self._ours = target.ours
        self._store = store
        self._on_done = on_done
        self._report = IngestReport()
        self._batch: dict[str, PreparedObject] = {}
        self._size = 0

    def run(self, objects: Iterable[Mapping[str, Any]]) -> IngestReport:
        """Store the objects; equal ones that are there already are not sent again.

        An object at fault is named in the report and stops nobody else. Only a service or database out of reach ends
        the run early; an iterable that raises does so too, once the objects that it gave before are stored.
        """
        try:
            try:
                for given in objects:
                    self._take(given)
                    if self._report.stopped:
                        break
            finally:
                self._send()
        except StoreError as error:
            self._report.stopped = error
        return self._report

    def _take(self, given: Mapping[str, Any]) -> None:
        try:
            one = prepare(self._config, given)
            if not self._ours and uuid_of(one.id) != one.id:
                raise InvalidObject("its id is no UUID (lower case), but its class was not made by vecmod; give it one")
            size = sum(len(piece.value) for piece in one.pieces)
            if size > _OBJECT_CHARACTERS:
                raise InvalidObject(f"has {size // 1_000_000} MB to vectorise, and Weaviate takes requests of 104 MB")
        except HostError as error:
            self._fail(name_of(given), error)
            return
        if one.id in self._batch or self._size + size > _BATCH_CHARACTERS or len(self._batch) == _BATCH_OBJECTS:
            self._send()
        self._batch[one.id] = one
        self._size += size

    def _send(self) -> None:
        batch, self._batch, self._size = self._batch, {}, 0
        if not batch or self._report.stopped:
            return
        known = self._store.fingerprints(self._config.name, list(batch)) if self._ours else {}
        changed = {name: one for name, one in batch.items() if known.get(name) != one.fingerprint}
        self._report.unchanged += len(batch) - len(changed)
        refused = self._store.insert(self._config.name, [self._handed(one) for one in changed.values()])
        self._report.stored += len(changed) - len(refused)
        self._on_done(len(batch) - len(refused))
        for name, error in refused:
            if isinstance(error, ServiceUnreachable):
                self._report.stopped = error
            else:
                self._fail(name, error)

    def _handed(self, one: PreparedObject) -> Handed:
        media = self._config.media()
        blobs = {piece.field: _as_blob(piece.value) for piece in one.pieces if piece.field in media}
        ours = {FINGERPRINT: one.fingerprint} if self._ours else {}
        return Handed(one.id, {**one.properties, **blobs, **ours})

    def _fail(self, object_id: str, error: HostError) -> None:
        self._report.failed.append(ObjectError(object_id, error))
        self._on_done(1)


def _as_blob(text: str) -> str:
    """Base64 as Weaviate checks it: standard alphabet, padded, one line, no data URI; what is none is left to it."""
    data = text.partition(",")[2] if text.startswith("data:") else text
    data = "".join(data.split()).translate(str.maketrans("-_", "+/"))
    return data + "=" * (-len(data) % 4)
