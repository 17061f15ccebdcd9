"""TiDB in sqlalchemy's words: address, tables, conditions, failures. Every value is bound, none is written into SQL."""

import json
import operator
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pytidb.orm.types import VECTOR
from pytidb.utils import TIDB_SERVERLESS_HOST_PATTERN
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Float,
    Insert,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    make_url,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.sql import quoted_name

from vecmod.host.host_errors import InvalidSettings
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order, Value
from vecmod.host.stores.store import Vector

_FORM = "write tidb://user:password@host:4000/database, with %40 for an @ in the password"
_TLS = {"ssl_verify_cert": "true", "ssl_verify_identity": "true"}
# Without them the driver waits for ever for a server that went silent.
_WAIT = {"read_timeout": "120", "write_timeout": "120"}
# Equal only if every byte is: no case, no accents, and no padding with blanks as in utf8mb4_bin.
_EXACT = mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_0900_bin")
_SIGNS: Mapping[str, Any] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

TABLE_EXISTS = 1050
NO_SUCH_TABLE = 1146
NO_SUCH_FUNCTION = 1305
# Refused for want of a right; too many, stopping, waited for a lock in vain, deadlock, read-only.
_OTHER_FAULTS = {1044, 1045, 1142, 1143, NO_SUCH_TABLE, 1227, 1040, 1053, 1205, 1213, 1290}

CLASSES = Table(
    "vecmod_classes",
    MetaData(),
    Column("name", _EXACT, primary_key=True),
    Column("dim", Integer, nullable=False),
    Column("definition", JSON, nullable=False),
)


def connection_url(url: str, password: str = "") -> str:
    """A store URL as pytidb's client takes it, with a password if it has none.

    Raises:
        InvalidSettings: if it is none; the message does not show it, for it may have a password in it.
    """
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidSettings(f"VECMOD_STORE is no URL of a TiDB: {_FORM}") from None
    if not given.host:
        raise InvalidSettings(f"VECMOD_STORE names no host: {_FORM}")
    if "@" in given.host:
        # What stands before it is the rest of a password, which the driver would show as part of the host's name.
        raise InvalidSettings(f"VECMOD_STORE has an @ too many: {_FORM}")
    is_serverless = TIDB_SERVERLESS_HOST_PATTERN.match(given.host)
    given = given.set(
        drivername="mysql+pymysql",
        username=given.username or "root",
        password=given.password or password or None,
        port=given.port or 4000,
        database=given.database or "test",
        query={**_WAIT, **(_TLS if is_serverless else {}), **given.query},
    )
    return given.render_as_string(hide_password=False)


def describe(name: str, dim: int | None = None) -> Table:
    """The table of a class."""
    return Table(
        quoted_name(name, quote=True),
        MetaData(),
        Column("id", _EXACT, primary_key=True),
        # VECTOR is a keyword as well.
        Column(quoted_name("vector", quote=True), VECTOR(dim), nullable=False),
        Column("fingerprint", _EXACT, nullable=False),
        Column("properties", JSON, nullable=False),
    )


# For statements: sqlalchemy keeps what it compiled with the table object.
table_of = lru_cache(maxsize=1000)(describe)


def upsert(table: Table) -> Insert:
    """Rows with new ids are inserted, others replaced; the driver sends many rows as one statement."""
    # Not the alias for new rows that sqlalchemy takes for newer MySQL: TiDB does not know it.
    new: dict[str, Any] = {
        column.name: literal_column(f"VALUES(`{column.name}`)") for column in table.c if column.name != "id"
    }
    return mysql.insert(table).on_duplicate_key_update(new)


def nearest(table: Table, vector: Vector, limit: int, condition: Filter | None) -> Select[Any]:
    """``id``, ``properties`` and ``distance`` of the nearest that meet a condition: exact with one, by index without.

    The condition stands inside. pytidb's default, to filter the nearest few afterwards, loses rare matches.
    """
    distance = func.VEC_COSINE_DISTANCE(table.c.vector, literal(vector, VECTOR()), type_=Float()).label("distance")
    return meeting(select(table.c.id, table.c.properties, distance), table, condition).order_by(distance).limit(limit)


def meeting(query: Select[Any], table: Table, condition: Filter | None) -> Select[Any]:
    """The query for those rows only whose properties meet a condition."""
    return query if condition is None else query.where(_clause(table.c.properties, condition))


def _clause(properties: ColumnElement[Any], condition: Filter) -> ColumnElement[bool]:
    match condition:
        case And(parts):
            return and_(*(_clause(properties, part) for part in parts))
        case Or(parts):
            return or_(*(_clause(properties, part) for part in parts))
        case OneOf(name, values):
            return or_(*(_has(properties, name, value) for value in values))
        case NoneOf(name, values):
            return not_(or_(*(_has(properties, name, value) for value in values)))
        case Order():
            return _is_on_the_side(properties, condition)


def _has(properties: ColumnElement[Any], name: str, value: Value) -> ColumnElement[bool]:
    """Equal, or a list that has it: JSON_CONTAINS asks both, by JSON's types; NULL if there is no such property."""
    wanted = json.dumps(value, ensure_ascii=False)
    return func.coalesce(func.JSON_CONTAINS(properties, wanted, _path(name)), literal(0)) == literal(1)


def _is_on_the_side(properties: ColumnElement[Any], order: Order) -> ColumnElement[bool]:
    found = func.JSON_EXTRACT(properties, _path(order.name), type_=Float())
    # Each kind of number by itself: compared as JSON, TiDB takes an integer and a float within 1e-8 for equal.
    # The sum makes a double; sqlalchemy leaves out CAST AS DOUBLE for a server that calls itself MySQL 8.0.11.
    numbers = {"INTEGER": cast(found, Integer), "DOUBLE": found + literal(0.0)}
    met = {kind: _SIGNS[order.sign](number, literal(order.bound)) for kind, number in numbers.items()}
    return func.coalesce(case(met, value=func.JSON_TYPE(found)), literal(0)) == literal(1)


def _path(name: str) -> str:
    return f'$."{name}"'


def is_about_no_row(error: SQLAlchemyError) -> bool:
    """Whether other rows would fare the same: no connection, no right, an unwell server."""
    if not isinstance(error, DBAPIError):
        return not isinstance(error, StatementError)
    code = code_of(error)
    # 0 and 2000s: the driver; 9000s: TiDB's storage cannot be reached or is busy.
    return code in _OTHER_FAULTS or code == 0 or 2000 <= code < 3000 or 9000 <= code < 10000  # noqa: PLR2004


def code_of(error: BaseException) -> int:
    """The number of a failure, the server's or the driver's; 0 if it has none."""
    arguments = error.orig.args if isinstance(error, DBAPIError) and error.orig else ()
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def reason_of(error: BaseException) -> str:
    """What the server or the driver said, without the statement and its values."""
    arguments = error.orig.args if isinstance(error, StatementError) and error.orig else error.args
    return str(arguments[-1]) if arguments else type(error).__name__
