"""Typesense, since 0.24. The one door to its client.

Nothing here asks which server it is: newer ones have more to offer, but all understand what is asked here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from typing import Any

import httpx
import numpy as np
from typesense import Client
from typesense.exceptions import (
    ObjectAlreadyExists,
    ObjectNotFound,
    RequestForbidden,
    RequestUnauthorized,
    TypesenseClientError,
)

from vecmod.host.host_errors import StoreError
from vecmod.host.stores.filter import Filter, meets
from vecmod.host.stores.store import (
    FINGERPRINT,
    Hit,
    Record,
    Rejection,
    StoredClass,
    Vector,
    clamp_distance,
    id_fault,
    sift,
)
from vecmod.host.stores.typesense_address import Address
from vecmod.host.stores.typesense_documents import (
    VECTOR,
    field_types,
    filter_by,
    is_ours,
    one_of,
    schema_of,
    to_line,
    to_record,
)

# A collection of ours with the definitions of all classes: before 26, a collection itself cannot keep its own.
_CLASSES = "vecmod_classes"
# An import that outlives the limit of its request would be sent again while the server still works on the first, so it
# is given time, and is not repeated. A hundred vectors take it half a second.
_READING: Mapping[str, Any] = {"connection_timeout_seconds": 30, "num_retries": 2, "retry_interval_seconds": 0.5}
_WRITING: Mapping[str, Any] = {"connection_timeout_seconds": 300, "num_retries": 0}
# The ids that are deleted stand in the URL, of which the client takes 64 KiB; the longest have 341 characters.
_BATCH = 100
_PAGE = 250
# The index looks at this many candidates more than are wanted: of the ten nearest among 6000 random directions of 512
# numbers, which is the hardest case, 100 find 7.1 and 500 find 9.8, in 40 ms.
_MORE_CANDIDATES = 500
# Of fewer, all are compared, 25 ms for 10,000 vectors of 512 numbers; Typesense does so only where there is a filter.
_COMPARE_ALL = 12_000
_EVERY_ONE = 10**9
_SERVER_FAULT = 500


class TypesenseStore:
    """A class is a collection, with its definition in a collection of definitions; see ``typesense_documents``.

    A definition is written before its collection is made, and counts only together with it, so that an interruption
    between the two leaves nothing that is in the way. May be used by several threads.

    Args:
        url: ``typesense://KEY@host:8108``, or ``typesense+https://`` for TLS (port 443).
        key: used if the URL has none.

    Raises:
        InvalidSettings: if the URL cannot be read or there is no key.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self._place = Address.of(url, key)
        node: Any = {"protocol": self._place.protocol, "host": self._place.host, "port": self._place.port}
        reading: Any = {"nodes": [node], "api_key": self._place.key, **_READING}
        writing: Any = {**reading, **_WRITING}
        self._reader, self._writer = Client(reading), Client(writing)

    def create_class(self, name: str, stored: StoredClass) -> None:
        """Make a collection, and check that the server understood all of its schema."""
        schema = schema_of(name, stored)
        kept = json.dumps({"definition": stored.definition, "dim": stored.dim})
        with self._translated(f"creating class {name}"):
            if name in self._collections():
                raise StoreError(f"a collection named {name} exists already")
            classes: Any = {
                "name": _CLASSES,
                "fields": [{"name": "class", "type": "string", "index": False, "optional": True}],
            }
            with suppress(ObjectAlreadyExists):
                self._writer.collections.create(classes)
            self._writer.collections[_CLASSES].documents.upsert({"id": name, "class": kept})
            try:
                made: Any = self._writer.collections.create(schema)  # type: ignore[arg-type]
            except ObjectAlreadyExists as error:
                raise StoreError(f"a collection named {name} exists already") from error
        # What a server does not know in a schema, it leaves out without a word.
        understood = {one["name"]: one for one in made["fields"]}
        for wanted in schema["fields"]:
            if wanted.items() - understood.get(wanted["name"], {}).items():
                self.drop_class(name)
                raise StoreError(f"{self._place} does not know fields such as {wanted}; use Typesense 0.24 or newer")

    def get_class(self, name: str) -> StoredClass | None:
        """The class, or None if there is no collection of ours with that name."""
        with self._translated(f"reading class {name}"):
            try:
                kept: Any = self._reader.collections[_CLASSES].documents[name].retrieve()
                made: Any = self._reader.collections[name].retrieve()
            except ObjectNotFound:
                return None
        return StoredClass(**json.loads(kept["class"])) if is_ours(made) else None

    def class_names(self) -> list[str]:
        """Names of our collections, sorted."""
        with self._translated("listing classes"):
            there = self._collections()
            if _CLASSES not in there:
                return []
            lines = self._reader.collections[_CLASSES].documents.export({"include_fields": "id"})
        defined = {json.loads(line)["id"] for line in lines.splitlines()}
        return sorted(name for name in defined & there.keys() if is_ours(there[name]))

    def drop_class(self, name: str) -> None:
        """Delete a collection, if it is one of ours."""
        if self.get_class(name) is None:
            return
        with self._translated(f"dropping class {name}"), suppress(ObjectNotFound):
            self._writer.collections[name].delete()
            self._writer.collections[_CLASSES].documents[name].delete()

    def upsert(self, name: str, records: Sequence[Record]) -> list[Rejection]:
        """Store records, naming the bad ones."""
        stored = self.get_class(name)
        if stored is None:
            raise StoreError(f"there is no class {name} in this store")
        types = field_types(stored.definition)
        sifted, rejected = sift(records, stored.dim)
        lines: dict[str, str] = {}  # by id, as of one that comes twice the last counts
        for record in sifted:
            try:
                lines[record.id] = to_line(record, types)
            except ValueError as error:
                rejected.append(Rejection(record.id, f"has a property that is no JSON value: {error}"))
        for start in range(0, len(lines), _BATCH):
            rejected += self._replace(name, dict(islice(lines.items(), start, start + _BATCH)))
        return rejected

    def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
        """The records that exist."""
        possible = [one for one in ids if not id_fault(one)]
        what = {} if vectors else {"include_fields": f"id,{FINGERPRINT}"}
        with self._translated(f"reading from {name}"):
            return [
                to_record(hit["document"])
                for start in range(0, len(possible), _PAGE)
                for hit in self._ask(name, {"filter_by": one_of(possible[start : start + _PAGE]), **what})
            ]

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete records."""
        possible = [one for one in ids if not id_fault(one)]
        with self._translated(f"deleting from {name}"):
            for start in range(0, len(possible), _BATCH):
                batch = {"filter_by": one_of(possible[start : start + _BATCH])}
                self._writer.collections[name].documents.delete(batch)  # type: ignore[arg-type]

    def search(self, name: str, vector: Vector, limit: int, condition: Filter | None = None) -> list[Hit]:
        """The nearest records that meet the condition."""
        with self._translated(f"searching {name}"):
            found = list(islice(self._pages(name, limit, condition, vector), limit))
        hits = [Hit(record.id, clamp_distance(hit["vector_distance"]), record.properties) for record, hit in found]
        return sorted(hits, key=lambda hit: hit.distance)

    def find(self, name: str, condition: Filter | None, limit: int) -> list[Record]:
        """Records that meet the condition."""
        with self._translated(f"reading from {name}"):
            return [record for record, _ in islice(self._pages(name, limit, condition), limit)]

    def page(self, name: str, limit: int, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Records, the last that were stored first."""
        query: dict[str, Any] = {"filter_by": filter_by(None).text, **({} if vectors else {"exclude_fields": VECTOR})}
        first, skipped = divmod(offset, _PAGE)
        records: list[Record] = []
        with self._translated(f"reading from {name}"):
            for page in count(first + 1):
                hits = self._ask(name, {**query, "page": page})
                records += [to_record(hit["document"]) for hit in hits]
                if len(hits) < _PAGE or len(records) >= skipped + limit:
                    return records[skipped : skipped + limit]
        return []

    def count(self, name: str) -> int:
        """Number of records."""
        with self._translated(f"counting {name}"):
            return int(self._reader.collections[name].retrieve()["num_documents"])

    def close(self) -> None:
        """Close the connections."""
        for client in (self._reader, self._writer):
            client.api_call.close()

    def _replace(self, name: str, lines: Mapping[str, str]) -> list[Rejection]:
        """Import documents, given by id; those that are there are deleted before.

        Of documents that are replaced for the second time, 0.24 finds some by the vector they had before, and loses
        others where a filter leaves few. If the import fails, its objects are not there, and inserted by the next run.
        """
        self.delete(name, list(lines))
        with self._translated(f"writing to {name}"):
            text = self._writer.collections[name].documents.import_("\n".join(lines.values()), {"action": "upsert"})
            answers = [json.loads(line) for line in text.split("\n") if line]
        if len(answers) != len(lines):
            raise StoreError(f"writing to {name} failed: {len(answers)} answers for {len(lines)} objects")
        rejected = []
        for object_id, answer in zip(lines, answers, strict=True):
            if answer.get("code", 0) >= _SERVER_FAULT:
                raise StoreError(f"writing to {name} failed: {answer['error']}")
            if not answer["success"]:
                rejected.append(Rejection(object_id, answer["error"]))
        return rejected

    def _collections(self) -> dict[str, Any]:
        return {one["name"]: one for one in self._reader.collections.retrieve()}

    def _pages(
        self, name: str, limit: int, condition: Filter | None, vector: Vector | None = None
    ) -> Iterator[tuple[Record, Mapping[str, Any]]]:
        """Records that meet the condition, with their hits, page after page; others may write meanwhile.

        Of a clause that is not whole, any number of hits may not meet the condition: small pages would be many, and
        the index, which is asked anew for each and finds nearly all, might leave some out.
        """
        clause = filter_by(condition)
        size = min(limit, _PAGE) if clause.is_whole else _PAGE
        query: dict[str, Any] = {"filter_by": clause.text, "exclude_fields": VECTOR, "per_page": size}
        if vector is not None:
            query["vector_query"] = _near(vector, limit, _COMPARE_ALL if clause.is_whole else _EVERY_ONE)
        seen: set[str] = set()
        for page in count(1):
            hits = self._ask(name, {**query, "page": page})
            for hit in hits:
                record = to_record(hit["document"])
                if record.id not in seen and (condition is None or meets(record.properties, condition)):
                    seen.add(record.id)
                    yield record, hit
            if len(hits) < size:
                return

    def _ask(self, name: str, query: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The hits of one query. It is posted, as vectors are too long for a URL; its error comes in a good answer."""
        search: Any = {"collection": name, "q": "*", "per_page": _PAGE, **query}
        answer: Any = self._reader.multi_search.perform({"searches": [search]}, {})["results"][0]
        if "error" in answer:
            raise TypesenseClientError(answer.get("code"), answer["error"])
        hits: Sequence[Mapping[str, Any]] = answer["hits"]
        return hits

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except (RequestUnauthorized, RequestForbidden) as error:
            raise StoreError(
                f"{action} failed: {self._place} refuses the key; give another, in VECMOD_STORE_KEY or in the URL"
            ) from error
        except TypesenseClientError as error:
            raise StoreError(f"{action} failed: {error.args[-1] if error.args else error}") from error
        except httpx.HTTPError as error:
            raise StoreError(
                f"{action} failed: {self._place} does not answer ({str(error) or type(error).__name__}); is it running?"
            ) from error
        except json.JSONDecodeError as error:
            raise StoreError(f"{action} failed: {self._place} answers as something else than Typesense") from error


def _near(vector: Vector, limit: int, compare_all: int) -> str:
    """What a vector query is; ``compare_all``: how many are compared one by one, without the index."""
    numbers = ",".join(map(str, (vector / np.linalg.norm(vector)).tolist()))
    return f"{VECTOR}:([{numbers}], k:{limit + _MORE_CANDIDATES}, flat_search_cutoff:{compare_all})"
