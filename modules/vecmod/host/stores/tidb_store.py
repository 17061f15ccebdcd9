"""TiDB, self-managed or TiDB Cloud, through pytidb's client and sqlalchemy, which comes with it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

import numpy as np
from pytidb import TiDBClient
from pytidb.orm.indexes import VectorIndex
from sqlalchemy import ColumnElement, Executable, Row, Table, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable, DropTable

from vecmod.host.host_errors import StoreError
from vecmod.host.stores.filter import Filter
from vecmod.host.stores.store import (
    Hit,
    Record,
    Rejection,
    StoredClass,
    Vector,
    clamp_distance,
    id_fault,
    refused_rows,
    sift,
)
from vecmod.host.stores.store_url import shown
from vecmod.host.stores.tidb_sql import (
    CLASSES,
    NO_SUCH_FUNCTION,
    NO_SUCH_TABLE,
    TABLE_EXISTS,
    code_of,
    connection_url,
    describe,
    is_about_no_row,
    meeting,
    nearest,
    reason_of,
    table_of,
    upsert,
)

# Rows of one transaction, of which TiDB takes 100 MiB.
_BATCH = 500

_log = logging.getLogger(__name__)


class TiDBStore:
    """A class is a table of its name: ``id``, ``vector``, ``fingerprint``, and ``properties`` as JSON.

    Definitions are in the table ``vecmod_classes``. Statements go through the engine of pytidb's client: pytidb's own
    tables insert row by row, and its sessions are shared by all clients of a thread.

    Args:
        url: ``tidb://user:password@host:4000/database``, or the same with ``mysql://``. As in pytidb, the port is
            4000 and the database ``test`` if they are missing, and TiDB Cloud's serverless hosts are spoken to with
            TLS; elsewhere parameters ask for it: ``?ssl_ca=/path/ca.pem&ssl_verify_identity=true``.
        key: password, if the URL has none.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self._client = TiDBClient.connect(
            connection_url(url, key), pool_pre_ping=True, pool_recycle=300, max_overflow=-1
        )
        self._engine = self._client.db_engine
        try:
            self._ask(select(func.VEC_DIMS("[1]")))
        # The driver's TypeError is about an unknown parameter of the URL, its RuntimeError about a missing package.
        except (SQLAlchemyError, TypeError, RuntimeError) as error:
            self.close()
            is_other = code_of(error) == NO_SUCH_FUNCTION
            advice = "TiDB has vectors since 8.4, MySQL has none" if is_other else "is it running, is the URL right?"
            raise StoreError(f"opening {shown(url)} failed: {reason_of(error)}; {advice}") from error

    def create_class(self, name: str, stored: StoredClass) -> None:
        """Make a table, with a vector index if the server can."""
        table = describe(name, stored.dim)
        kept = {"name": name, "dim": stored.dim, "definition": stored.definition}
        with _translated(f"creating class {name}"):
            self._tell(CreateTable(CLASSES, if_not_exists=True))
            try:
                self._tell(CreateTable(table))
            except SQLAlchemyError as error:
                if code_of(error) != TABLE_EXISTS:
                    raise
                # TiDB compares names of tables without case.
                raise StoreError(f"a table named {name} exists already, perhaps in another case") from error
            self._tell(insert(CLASSES).values(kept))
        self._create_index(table)

    def get_class(self, name: str) -> StoredClass | None:
        """The class, or None if there is none of that name."""
        found = self._classes(CLASSES.c.name == name)
        return StoredClass(found[0].definition, found[0].dim) if found else None

    def class_names(self) -> list[str]:
        """Names, sorted."""
        return sorted(row.name for row in self._classes())

    def drop_class(self, name: str) -> None:
        """Drop the table of a class; one that is no class of ours stays."""
        if self.get_class(name) is None:
            return
        with _translated(f"dropping class {name}"):
            self._tell(DropTable(describe(name), if_exists=True))
            self._tell(delete(CLASSES).where(CLASSES.c.name == name))

    def upsert(self, name: str, records: Sequence[Record]) -> list[Rejection]:
        """Store records, naming the bad ones."""
        stored = self.get_class(name)
        if stored is None:
            raise StoreError(f"there is no class {name} in this store")
        good, rejected = sift(records, stored.dim)
        rows = [
            {"id": one.id, "vector": one.vector, "fingerprint": one.fingerprint, "properties": dict(one.properties)}
            for one in good
        ]
        for start in range(0, len(rows), _BATCH):
            rejected += refused_rows(rows[start : start + _BATCH], partial(self._upsert_rows, name))
        return rejected

    def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
        """The records that exist."""
        table = table_of(name)
        possible = [one for one in ids if not id_fault(one)]
        columns = [column for column in table.c if vectors or column.name != "vector"]
        return self._records(name, select(*columns).where(table.c.id.in_(possible))) if possible else []

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete records."""
        table = table_of(name)
        if possible := [one for one in ids if not id_fault(one)]:
            with _translated(f"deleting from {name}"):
                self._tell(delete(table).where(table.c.id.in_(possible)))

    def search(self, name: str, vector: Vector, limit: int, condition: Filter | None = None) -> list[Hit]:
        """The nearest records that meet the condition."""
        with _translated(f"searching {name}"):
            rows = self._ask(nearest(table_of(name), vector, limit, condition))
        return [Hit(row.id, clamp_distance(row.distance), row.properties) for row in rows]

    def find(self, name: str, condition: Filter | None, limit: int) -> list[Record]:
        """Records that meet the condition."""
        table = table_of(name)
        everything = select(table.c.id, table.c.fingerprint, table.c.properties)
        return self._records(name, meeting(everything, table, condition).limit(limit))

    def page(self, name: str, limit: int, offset: int = 0, *, vectors: bool = False) -> list[Record]:
        """Records ordered by id."""
        table = table_of(name)
        columns = [column for column in table.c if vectors or column.name != "vector"]
        return self._records(name, select(*columns).order_by(table.c.id).limit(limit).offset(offset))

    def count(self, name: str) -> int:
        """Number of records."""
        with _translated(f"counting {name}"):
            return int(self._ask(select(func.count()).select_from(table_of(name)))[0][0])

    def close(self) -> None:
        """Close all connections."""
        self._client.disconnect()

    def _ask(self, query: Executable) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def _tell(self, statement: Executable, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement, rows)

    def _records(self, name: str, query: Executable) -> list[Record]:
        none = np.zeros(0, np.float32)
        with _translated(f"reading from {name}"):
            rows = self._ask(query)
        return [Record(row.id, getattr(row, "vector", none), row.properties, row.fingerprint) for row in rows]

    def _classes(self, *conditions: ColumnElement[bool]) -> Sequence[Row[Any]]:
        with _translated("reading the classes"):
            try:
                return self._ask(select(CLASSES).where(*conditions))
            except SQLAlchemyError as error:
                if code_of(error) != NO_SUCH_TABLE:
                    raise
                return []

    def _create_index(self, table: Table) -> None:
        """HNSW needs a columnar replica (TiFlash), which a self-managed server may not have."""
        # The column is given as text with quotes of its own; pytidb would write none.
        index = VectorIndex("nearest", "`vector`")
        table.append_constraint(index)
        try:
            index.create(self._engine)
        except SQLAlchemyError as error:
            if is_about_no_row(error):
                _fail(f"indexing class {table.name}", error)
            _log.warning("class %s has no vector index, so searches are exact: %s", table.name, reason_of(error))

    def _upsert_rows(self, name: str, rows: list[dict[str, Any]]) -> str:
        """All in one transaction; empty, or why the rows were refused."""
        try:
            self._tell(upsert(table_of(name)), rows)
        except SQLAlchemyError as error:
            if is_about_no_row(error):
                _fail(f"writing to {name}", error)
            return reason_of(error)
        return ""


@contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        _fail(action, error)


def _fail(action: str, error: SQLAlchemyError) -> NoReturn:
    raise StoreError(f"{action} failed: {reason_of(error)}") from error
