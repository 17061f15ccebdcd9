"""Objects into a store: prepare, vectorise, combine, store; many at once, with errors for each object."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from vecmod.host.classconfig import ClassConfig
from vecmod.host.client import ServiceClient
from vecmod.host.combine import combine
from vecmod.host.host_errors import HostError, ServiceUnreachable, StoreError
from vecmod.host.prepare import PreparedObject, name_of, prepare
from vecmod.host.stores.store import Record, Store

_WRITE_BATCH = 100
# Of media that were read and wait, and again of those at the service: a folder of films does not fit into memory.
_CHARACTERS = 200_000_000
_GONE = "the service is out of reach"


@dataclass(frozen=True)
class ObjectError:
    """An object that was not stored, and why."""

    id: str
    error: HostError

    def __post_init__(self) -> None:
        """The way that an error came holds everything that was in hand there, pictures above all."""
        self.error.__traceback__ = self.error.__cause__ = self.error.__context__ = None

    def __str__(self) -> str:
        return f"{self.id}: {self.error}"


@dataclass
class IngestReport:
    """What became of the objects.

    Attributes:
        stored: new or changed, and now in the store.
        unchanged: were there already, equal.
        failed: one entry for each object that cannot be stored as it is.
        stopped: why the run ended early, service or store being out of reach; None if it did not. Objects in none of
            the other counts are neither stored nor at fault: run again.
    """

    stored: int = 0
    unchanged: int = 0
    failed: list[ObjectError] = field(default_factory=list)
    stopped: HostError | None = None

    def add(self, other: "IngestReport") -> None:
        """Count another run in."""
        self.stored += other.stored
        self.unchanged += other.unchanged
        self.failed += other.failed
        self.stopped = self.stopped or other.stopped

    def raise_first(self) -> None:
        """Raise the first error there is; for runs of a single object."""
        for error in (*(one.error for one in self.failed), self.stopped):
            if error:
                raise error


class Ingest:
    """One run over many objects of one class.

    Args:
        config: the class.
        client: the service that vectorises it.
        store: where it is kept.
        concurrency: objects at the service at once.
        on_done: called with 1 for each object that is done, stored or not.
    """

    def __init__(
        self,
        config: ClassConfig,
        client: ServiceClient,
        store: Store,
        concurrency: int,
        on_done: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._config = config
        self._client = client.importing()
        self._store = store
        self._concurrency = concurrency
        self._on_done = on_done
        self._report = IngestReport()
        self._pending: dict[Future[Record], PreparedObject] = {}
        self._finished: list[Record] = []
        self._unreachable = threading.Event()  # set by the threads that find the service gone

    def run(self, objects: Iterable[Mapping[str, Any]]) -> IngestReport:
        """Store the objects; equal ones that are there already are skipped, without a call to the service.

        An object at fault is named in the report and stops nobody else. Only a service or store out of reach ends
        the run early; an iterable that raises does so too, once the objects that it gave before are stored.
        """
        try:
            with ThreadPoolExecutor(self._concurrency, thread_name_prefix="ingest") as pool:
                self._feed_all(pool, objects)
        except StoreError as error:
            self._report.stopped = error
        return self._report

    def _feed_all(self, pool: ThreadPoolExecutor, objects: Iterable[Mapping[str, Any]]) -> None:
        chunk: list[PreparedObject] = []
        try:
            for given in objects:
                if one := self._prepare(given):
                    chunk.append(one)
                if len(chunk) == self._concurrency or _characters(chunk) > _CHARACTERS:
                    full, chunk = chunk, []
                    self._feed(pool, full)
                if self._unreachable.is_set():
                    break
        finally:
            self._feed(pool, chunk)
            self._settle()

    def _feed(self, pool: ThreadPoolExecutor, chunk: list[PreparedObject]) -> None:
        if self._unreachable.is_set():
            return
        for prepared in _without_doubles(chunk):
            self._feed_prepared(pool, prepared)

    def _feed_prepared(self, pool: ThreadPoolExecutor, prepared: list[PreparedObject]) -> None:
        ids = [one.id for one in prepared]
        if not self._under_way().isdisjoint(ids):
            # What is stored must be the earlier object by then: the later one counts, and is compared with it.
            self._settle()
        records = self._store.get(self._config.name, ids, vectors=False)
        known = {record.id: record.fingerprint for record in records}
        for one in prepared:
            if known.get(one.id) == one.fingerprint:
                self._report.unchanged += 1
                self._on_done(1)
                continue
            while self._pending and not self._has_room_for(one):
                self._take_finished(FIRST_COMPLETED)
            reuse = one.same_vector(known.get(one.id, ""))
            self._pending[pool.submit(self._revise if reuse else self._vectorize, one)] = one

    def _has_room_for(self, one: PreparedObject) -> bool:
        under_way = [one, *self._pending.values()]
        return len(under_way) <= 2 * self._concurrency and _characters(under_way) <= _CHARACTERS

    def _prepare(self, given: Mapping[str, Any]) -> PreparedObject | None:
        try:
            return prepare(self._config, given)
        except HostError as error:
            self._fail(name_of(given), error)
            return None

    def _vectorize(self, one: PreparedObject) -> Record:
        if self._unreachable.is_set():
            raise ServiceUnreachable(_GONE)
        try:
            vector = combine(one.pieces, self._client.vectorize(one.pieces, one.id))
        except ServiceUnreachable:
            self._unreachable.set()
            raise
        return Record(one.id, vector, one.properties, one.fingerprint)

    def _revise(self, one: PreparedObject) -> Record:
        """Only properties that are not vectorised have changed: the vector stays."""
        stored = self._store.get(self._config.name, [one.id])
        if not stored or not one.same_vector(stored[0].fingerprint):  # somebody else was here meanwhile
            return self._vectorize(one)
        return Record(one.id, stored[0].vector, one.properties, one.fingerprint)

    def _under_way(self) -> set[str]:
        return {one.id for one in self._pending.values()} | {record.id for record in self._finished}

    def _settle(self) -> None:
        while self._pending:
            self._take_finished(FIRST_COMPLETED)
        self._write()

    def _take_finished(self, when: str) -> None:
        for future in wait(self._pending, return_when=when).done:
            one = self._pending.pop(future)
            try:
                self._finished.append(future.result())
            except ServiceUnreachable as error:
                if self._report.stopped is None or str(self._report.stopped) == _GONE:
                    self._report.stopped = error
            except HostError as error:
                self._fail(one.id, error)
        if len(self._finished) >= _WRITE_BATCH:
            self._write()

    def _write(self) -> None:
        if not self._finished:
            return
        rejected = self._store.upsert(self._config.name, self._finished)
        self._report.failed += [ObjectError(one.id, StoreError(one.reason)) for one in rejected]
        self._report.stored += len(self._finished) - len(rejected)
        self._on_done(len(self._finished))
        self._finished = []

    def _fail(self, object_id: str, error: HostError) -> None:
        self._report.failed.append(ObjectError(object_id, error))
        self._on_done(1)


def _characters(objects: Sequence[PreparedObject]) -> int:
    return sum(len(piece.value) for one in objects for piece in one.pieces)


def _without_doubles(prepared: Sequence[PreparedObject]) -> Iterator[list[PreparedObject]]:
    """The objects in their order, in parts in which no id is there twice."""
    part: dict[str, PreparedObject] = {}
    for one in prepared:
        if one.id in part:
            yield list(part.values())
            part = {}
        part[one.id] = one
    yield list(part.values())
