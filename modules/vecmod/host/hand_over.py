"""Objects into a store that vectorises by itself: prepared, and handed over in batches, with errors for each object."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from vecmod.host.classconfig import ClassConfig
from vecmod.host.host_errors import HostError, InvalidObject, ServiceUnreachable, StoreError
from vecmod.host.ingest import IngestReport, ObjectError
from vecmod.host.media_input import is_url
from vecmod.host.prepare import PreparedObject, name_of, prepare
from vecmod.host.reading import media_of, read_media
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
        self._batch: dict[str, Handed] = {}
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
        media = self._config.media()
        given = read_media(given, media)
        try:
            one = prepare(self._config, given)
            blobs = media_of(given, media)
            if not self._ours and uuid_of(one.id) != one.id:
                raise InvalidObject("its id is no UUID (lower case), but its class was not made by vecmod; give it one")
            if urls := sorted(name for name, medium in blobs.items() if is_url(medium)):
                raise InvalidObject(f"{urls[0]} is a URL, but Weaviate takes base64 alone: send the bytes of the file")
            texts = (piece.value for piece in one.pieces if piece.field not in media)
            size = sum(len(text) for text in (*texts, *blobs.values()))
            if size > _OBJECT_CHARACTERS:
                raise InvalidObject(
                    f"has {size // 1_000_000} MB of media and text, and Weaviate takes requests of 104 MB"
                )
        except HostError as error:
            self._fail(name_of(given), error)
            return
        if one.id in self._batch or self._size + size > _BATCH_CHARACTERS or len(self._batch) == _BATCH_OBJECTS:
            self._send()
        self._batch[one.id] = self._handed(one, blobs)
        self._size += size

    def _send(self) -> None:
        batch, self._batch, self._size = self._batch, {}, 0
        if not batch or self._report.stopped:
            return
        known = self._store.fingerprints(self._config.name, list(batch)) if self._ours else {}
        changed = [
            one for name, one in batch.items() if not self._ours or known.get(name) != one.properties[FINGERPRINT]
        ]
        self._report.unchanged += len(batch) - len(changed)
        refused = self._store.insert(self._config.name, changed)
        self._report.stored += len(changed) - len(refused)
        self._on_done(len(batch) - len(refused))
        for name, error in refused:
            if isinstance(error, ServiceUnreachable):
                self._report.stopped = error
            else:
                self._fail(name, error)

    def _handed(self, one: PreparedObject, blobs: Mapping[str, str]) -> Handed:
        read = {piece.field for piece in one.pieces}
        fingerprint = _with_kept(one.fingerprint, {name: blob for name, blob in blobs.items() if name not in read})
        ours = {FINGERPRINT: fingerprint} if self._ours else {}
        sent = {name: _as_blob(blob) for name, blob in blobs.items()}
        return Handed(one.id, {**one.properties, **sent, **ours})

    def _fail(self, object_id: str, error: HostError) -> None:
        self._report.failed.append(ObjectError(object_id, error))
        self._on_done(1)


def _with_kept(fingerprint: str, kept: Mapping[str, str]) -> str:
    """A third digest for media that are not vectorised: other stores do not keep them, Weaviate does."""
    if not kept:
        return fingerprint
    return f"{fingerprint}:{hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:32]}"


def _as_blob(text: str) -> str:
    """Base64 as Weaviate checks it: standard alphabet, padded, one line, no data URI; what is none is left to it."""
    data = text.partition(",")[2] if text.startswith("data:") else text
    data = "".join(data.split()).translate(str.maketrans("-_", "+/"))
    return data + "=" * (-len(data) % 4)
