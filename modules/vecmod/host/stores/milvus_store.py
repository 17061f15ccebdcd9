"""Milvus: a Milvus Lite file or a server. The one door to pymilvus and milvus-lite."""

import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn, TypeVar

import numpy as np
from milvus_lite.server_manager import server_manager_instance
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from vecmod.host.host_errors import StoreError
from vecmod.host.stores.filter import Filter, meets
from vecmod.host.stores.milvus_filter import expression, one_of_ids, sayable_on_lite
from vecmod.host.stores.store import (
    FINGERPRINT,
    RESERVED,
    Hit,
    Record,
    Rejection,
    StoredClass,
    Vector,
    clamp_distance,
    id_fault,
    in_parts,
    refused_rows,
    sift,
)
from vecmod.host.stores.store_url import shown

# Both log every failed call with a traceback; ours are raised as StoreError, with the reason.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
logging.getLogger("milvus_lite").setLevel(logging.CRITICAL)

_CLASS_PROPERTY = "vecmod.class"
# A request may have 64 MiB on a server; 1000 vectors of 4096 numbers are a quarter of that.
_BATCH = 1000
# Lite compares rows that are not flushed yet a dozen times slower than others, which matters from some thousands on.
_FLUSH_AFTER = 2000
# The largest offset + limit that a server accepts; kept for files too, so that moving to a server changes nothing.
MAX_RESULTS = 16384
# Servers before 2.4 know no default for these; they are the defaults of later ones.
_SERVER_INDEX = {"index_type": "HNSW", "params": {"M": 18, "efConstruction": 240}}

_Found = TypeVar("_Found", Hit, Record)


class MilvusStore:
    """A class is a collection: ``id`` VARCHAR, ``vector`` FLOAT_VECTOR, cosine index, properties as dynamic fields.

    Args:
        uri: name of a file that ends in ``.db`` (Milvus Lite), or ``http(s)://host:port`` (a server).
        key: token of a server, such as ``user:password``.
    """

    def __init__(self, uri: str, key: str = "") -> None:
        self._file = uri if uri.endswith(".db") else ""
        # Milvus Lite does not support concurrent writes to a collection.
        self._writing = threading.Lock()
        self._unseen: set[str] = set()
        self._loaded: set[str] = set()
        self._unflushed: Counter[str] = Counter()
        # Everything but the vector. No server of 2.3 was there to be asked whether it understands the shorter form.
        self._all_properties = ["$meta"] if self._file else ["*"]
        try:
            self._client = MilvusClient(uri=uri, token=key)
        except MilvusException as error:
            # For a file, the library gives no reason.
            advice = "does another process have it open, or may this user not write there?" if self._file else ""
            raise StoreError(f"opening {shown(uri)} failed: {error.message}; {advice or 'is it running?'}") from error

    def create_class(self, name: str, stored: StoredClass) -> None:
        """Make a collection; its definition is kept in the collection's own properties."""
        with _translated(f"creating class {name}"):
            if self._client.has_collection(name):
                raise StoreError(f"a collection named {name} exists already")
            schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
            schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=255)
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=stored.dim)
            index = self._client.prepare_index_params()
            # On Lite, HNSW silently loses hits under a selective filter; FLAT is exact. A server needs no such care.
            kind: dict[str, Any] = {"index_type": "FLAT"} if self._file else _SERVER_INDEX
            index.add_index("vector", metric_type="COSINE", **kind)
            kept = {_CLASS_PROPERTY: json.dumps({"definition": stored.definition, "dim": stored.dim})}
            self._client.create_collection(name, schema=schema, index_params=index, properties=kept)

    def get_class(self, name: str) -> StoredClass | None:
        """The class, or None if there is no collection of ours with that name."""
        with _translated(f"reading class {name}"):
            if not self._client.has_collection(name):
                return None
            kept = self._client.describe_collection(name).get("properties", {}).get(_CLASS_PROPERTY)
        return StoredClass(**json.loads(kept)) if kept else None

    def class_names(self) -> list[str]:
        """Names of our collections, sorted."""
        with _translated("listing classes"):
            names = self._client.list_collections()
        return sorted(name for name in names if self.get_class(name))

    def drop_class(self, name: str) -> None:
        """Delete a collection, if it is one of ours."""
        if self.get_class(name) is None:
            return
        with _translated(f"dropping class {name}"), self._writing:
            self._client.drop_collection(name)
        self._loaded.discard(name)
        self._unseen.discard(name)
        self._unflushed.pop(name, None)

    def upsert(self, name: str, records: Sequence[Record]) -> list[Rejection]:
        """Store records, naming the bad ones."""
        good, rejected = sift(records, self._dim(name))
        rows = [
            {**record.properties, "id": record.id, "vector": record.vector.tolist(), FINGERPRINT: record.fingerprint}
            for record in good
        ]
        with self._write(name):
            for start in range(0, len(rows), _BATCH):
                batch = rows[start : start + _BATCH]
                rejected += refused_rows(batch, partial(self._upsert_rows, name))
                self._unflushed[name] += len(batch)
        return rejected

    def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
        """The records that exist."""
        ids = [one for one in ids if not id_fault(one)]
        if not ids:
            return []
        self._load(name)
        with _translated(f"reading from {name}"):
            rows = self._client.query(
                name,
                filter=one_of_ids(ids),
                output_fields=["*"] if vectors else ["id", FINGERPRINT],
                **self._see(name),
            )
        return [_record(row, with_vector=vectors) for row in rows]

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete records."""
        ids = [one for one in ids if not id_fault(one)]
        if not ids:
            return
        with _translated(f"deleting from {name}"), self._write(name):
            self._client.delete(name, filter=one_of_ids(ids))

    def search(self, name: str, vector: Vector, limit: int, condition: Filter | None = None) -> list[Hit]:
        """The nearest records that meet the condition."""
        self._load(name)

        def ask(words: str, size: int) -> list[Hit]:
            rows = self._client.search(
                name,
                data=[vector.tolist()],
                filter=words,
                limit=size,
                output_fields=self._all_properties,
                search_params={"metric_type": "COSINE", "params": {"ef": max(64, size)}},
                **self._see(name),
            )[0]
            # Milvus calls it distance, but for COSINE it is the similarity.
            return [Hit(row["id"], clamp_distance(1 - row["distance"]), _properties(row["entity"])) for row in rows]

        with _translated(f"searching {name}"):
            return self._met(ask, condition, limit)

    def find(self, name: str, condition: Filter | None, limit: int) -> list[Record]:
        """Records that meet the condition."""
        self._load(name)

        def ask(words: str, size: int) -> list[Record]:
            rows = self._client.query(
                name, filter=words, output_fields=self._all_properties, limit=size, **self._see(name)
            )
            return [_record(row, with_vector=False) for row in rows]

        with _translated(f"reading from {name}"):
            return self._met(ask, condition, limit)

    def page(self, name: str, limit: int, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Records of a class: a server orders them by id, Lite as they came."""
        self._load(name)
        fields = ["*"] if vectors else self._all_properties

        def ask(size: int, start: int) -> list[Record]:
            window = {"limit": size, "offset": start}
            rows = self._client.query(name, filter="", output_fields=fields, **window, **self._see(name))
            return [_record(row, with_vector=vectors) for row in rows]

        with _translated(f"reading from {name}"):
            return in_parts(ask, limit, offset, _BATCH)

    def count(self, name: str) -> int:
        """Number of records, deletions taken into account."""
        self._load(name)
        with _translated(f"counting {name}"):
            return int(
                self._client.query(name, filter="", output_fields=["count(*)"], **self._see(name))[0]["count(*)"]
            )

    def close(self) -> None:
        """Close the client; a file is flushed by that, and can then be opened by another process."""
        self._client.close()
        if self._file:
            server_manager_instance.release_server(os.fspath(self._file))

    def _met(self, ask: Callable[[str, int], list[_Found]], condition: Filter | None, limit: int) -> list[_Found]:
        """What meets the condition; where Lite has no words for it, more and more is asked for and compared here."""
        if condition is None or not self._file or sayable_on_lite(condition):
            return ask(expression(condition), limit)
        size = max(limit, _BATCH)
        while True:
            found = ask("", size)
            met = [one for one in found if meets(one.properties, condition)]
            if len(met) >= limit or len(found) < size:
                return met[:limit]
            size *= 16

    def _load(self, name: str) -> None:
        """A collection must be in memory to be searched, which one that was opened from disk is not; Lite: in order."""
        if name not in self._loaded:
            with _translated(f"loading class {name}"):
                self._client.load_collection(name)
            self._loaded.add(name)
        # While somebody writes, more is to come: whoever reads after that flushes.
        if self._file and self._unflushed[name] >= _FLUSH_AFTER and self._writing.acquire(blocking=False):
            try:
                with _translated(f"flushing class {name}"):
                    self._client.flush(name)
                self._unflushed[name] = 0
            finally:
                self._writing.release()

    @contextmanager
    def _write(self, name: str) -> Iterator[None]:
        """One writer at a time; whoever reads afterwards sees what was written, even if it failed halfway."""
        with self._writing:
            self._unseen.add(name)
            try:
                yield
            finally:
                # Somebody who read meanwhile has taken it away.
                self._unseen.add(name)

    def _see(self, name: str) -> dict[str, str]:
        """Strong consistency costs 0.2 s on a server, so it is asked for only after our own writes."""
        if name not in self._unseen:
            return {}
        self._unseen.discard(name)
        return {"consistency_level": "Strong"}

    def _dim(self, name: str) -> int:
        stored = self.get_class(name)
        if stored is None:
            raise StoreError(f"there is no class {name} in this store")
        return stored.dim

    def _upsert_rows(self, name: str, rows: list[dict[str, Any]]) -> str:
        """Empty, or why the rows were refused."""
        try:
            self._client.upsert(name, rows)
        except MilvusException as error:
            if _is_outage(error):
                _fail(f"writing to {name}", error)
            return str(error.message)
        return ""


def _record(row: dict[str, Any], *, with_vector: bool) -> Record:
    vector = np.array(row["vector"] if with_vector else (), np.float32)
    return Record(row["id"], vector, _properties(row), row.get(FINGERPRINT, ""))


def _properties(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in RESERVED}


@contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except MilvusException as error:
        _fail(action, error)


def _is_outage(error: MilvusException) -> bool:
    return "UNAVAILABLE" in error.message or "DEADLINE_EXCEEDED" in error.message


def _fail(action: str, error: MilvusException) -> NoReturn:
    raise StoreError(f"{action} failed: {error.message}") from error
