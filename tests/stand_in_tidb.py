"""A stand-in for TiDB: MySQL's wire protocol in front of sqlite, with those of TiDB's functions that our SQL calls.

No TiDB server comes as a package. What runs against this proves the client side: connections, the text of the SQL, how
values are bound and results read, what is done about errors and outages. It proves nothing about TiDB: neither its
parser, planner, transactions and limits, nor the vector index, TiFlash, and its JSON functions beyond what MySQL's
manual says of them. For that, set TIDB_URL.
"""

import json
import re
import socket
import socketserver
import sqlite3
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

VERSION = "8.0.11-TiDB-v8.5.0-stand-in"
_LITERAL = re.compile(r"'((?:[^'\\]+|\\.|'')*)'", re.DOTALL)
_ESCAPES = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_DONE = re.compile(r"SET |ALTER TABLE .* SET TIFLASH REPLICA|CREATE VECTOR INDEX", re.DOTALL)
_FIXED = {
    "SELECT VERSION()": VERSION,
    "SELECT DATABASE()": "test",
    "SELECT @@transaction_isolation": "REPEATABLE-READ",
    "SELECT @@sql_mode": "STRICT_TRANS_TABLES",
    "SELECT @@lower_case_table_names": 2,
}
# From MySQL's words to sqlite's.
_WORDS = [
    (re.compile(r" NOT NULL AUTO_INCREMENT"), ""),
    (re.compile(r" CHARACTER SET \w+"), ""),
    (re.compile(r"(\S+) JSON NOT NULL"), r"\1 JSON NOT NULL CHECK (CHECK_JSON(\1))"),
    (re.compile(r"(\S+) VECTOR\((\d+)\)"), r"\1 VECTOR CHECK (VEC_DIMS(\1) = \2)"),
    (re.compile(r"ON DUPLICATE KEY UPDATE"), "ON CONFLICT DO UPDATE SET"),
    (re.compile(r"VALUES\((`\w+`)\)"), r"excluded.\1"),
    # sqlite lets WHERE name a result, and HAVING only groups.
    (re.compile(r"WHERE (.*) \nHAVING (.*?) ORDER BY", re.DOTALL), r"WHERE (\1) AND (\2) ORDER BY"),
]
_ERRORS = [
    (re.compile(r"no such table: (?:main\.)?(.*)"), 1146, "42S02", r"Table 'test.\1' doesn't exist"),
    (re.compile(r"table (.*) already exists"), 1050, "42S01", r"Table '\1' already exists"),
    (re.compile(r"no such function: (.*)"), 1305, "42000", r"FUNCTION \1 does not exist"),
    (re.compile(r"CHECK constraint failed: (.*)"), 3140, "22032", r"Invalid value: \1"),
    (re.compile(r"user-defined function raised exception"), 3140, "22032", "Invalid JSON text"),
    (re.compile(r"UNIQUE constraint failed: (.*)"), 1062, "23000", r"Duplicate entry for key '\1'"),
    (re.compile(r"(.*)", re.DOTALL), 1105, "HY000", r"\1"),
]


class StandIn(socketserver.ThreadingTCPServer):
    """Attributes:
    statements: every statement as it crossed the wire.
    refused: what is answered with an error: the beginning of a statement -> number and words.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, file: Path, port: int = 0) -> None:
        self.file = file
        self.statements: list[str] = []
        self.refused: dict[str, tuple[int, str]] = {}
        self._sockets: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    @property
    def url(self) -> str:
        return f"tidb://root:secret@127.0.0.1:{self.server_address[1]}/test"

    def sent(self, beginning: str) -> list[str]:
        return [statement for statement in self.statements if statement.strip().startswith(beginning)]

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = super().get_request()
        self._sockets.add(accepted)
        return accepted, address

    def hang_up(self) -> None:
        """Break every connection, as a server does that restarts."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()


@contextmanager
def running(file: Path, port: int = 0) -> Iterator[StandIn]:
    with StandIn(file, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            server.hang_up()
            thread.join()


class _Connection(socketserver.BaseRequestHandler):
    server: StandIn

    def handle(self) -> None:
        self._number = 0
        self._sqlite = _open(self.server.file)
        try:
            greeting = b"\x0a" + VERSION.encode() + b"\0" + struct.pack("<I", 1) + b"12345678\0"
            # Protocol 4.1, connect with a database, transactions, secure connection, authentication by plugin.
            low, high = divmod(0x8A289, 0x10000)[::-1]
            greeting += struct.pack("<HBHHB", low, 45, 2, high, 21) + bytes(10) + b"123456789012\0"
            self._send(greeting + b"mysql_native_password\0")
            login = self._receive()
            if login[32:].startswith(b"stranger\0"):
                self._refuse(1045, "28000", "Access denied for user 'stranger'")
                return
            self._okay()
            while (packet := self._receive()) and packet[0] != 1:
                self._number = 1
                self._answer(packet[1:].decode()) if packet[0] == 3 else self._okay()
        except OSError:
            return
        finally:
            self._sqlite.close()

    def _answer(self, statement: str) -> None:
        self.server.statements.append(statement)
        text = re.sub(r"DESCRIBE `\w+`\.", "SELECT 'Field' FROM ", statement.strip().rstrip(";"))
        if self._is_scripted(text):
            return
        try:
            found = self._run(_to_sqlite(text))
        except sqlite3.Error as error:
            self._refuse(*_mysql_error(str(error)))
            return
        if found.description:
            self._rows([column[0] for column in found.description], found.fetchall())
        else:
            self._okay(max(found.rowcount, 0), found.lastrowid or 0)

    def _is_scripted(self, text: str) -> bool:
        refused = [answer for beginning, answer in self.server.refused.items() if text.startswith(beginning)]
        if refused:
            self._refuse(refused[0][0], "HY000", refused[0][1])
        elif text in _FIXED:
            self._rows([text], [(_FIXED[text],)])
        elif "tiflash_replica" in text:
            self._rows(["TABLE_SCHEMA"], [])
        elif _DONE.match(text) or (text in ("COMMIT", "ROLLBACK") and not self._sqlite.in_transaction):
            self._okay()
        else:
            return False
        return True

    def _run(self, text: str) -> sqlite3.Cursor:
        verb = text.split(None, 1)[0]
        inside = self._sqlite.in_transaction
        if verb in ("CREATE", "DROP") and inside:
            self._sqlite.execute("COMMIT")
        if verb in ("INSERT", "UPDATE", "DELETE") and not inside:
            self._sqlite.execute("BEGIN IMMEDIATE")
        return self._sqlite.execute(text)

    def _receive(self) -> bytes:
        header = self._exactly(4)
        self._number = header[3] + 1 if header else 0
        return self._exactly(int.from_bytes(header[:3], "little"))

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                return b""
            data += part
        return bytes(data)

    def _send(self, *payloads: bytes) -> None:
        parts = []
        for payload in payloads:
            parts += [len(payload).to_bytes(3, "little"), bytes([self._number % 256]), payload]
            self._number += 1
        self.request.sendall(b"".join(parts))

    def _okay(self, rows: int = 0, last_id: int = 0) -> None:
        self._send(b"\0" + _number(rows) + _number(last_id) + struct.pack("<HH", self._sqlite.in_transaction, 0))

    def _refuse(self, code: int, state: str, words: str) -> None:
        self._send(b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + words.encode())

    def _rows(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        end = b"\xfe" + struct.pack("<HH", 0, 0)
        columns = [_column(name, (row[index] for row in rows)) for index, name in enumerate(names)]
        self._send(_number(len(names)), *columns, end, *(b"".join(map(_value, row)) for row in rows), end)


def _number(number: int) -> bytes:
    return bytes([number]) if number < 251 else b"\xfe" + struct.pack("<Q", number)


def _string(data: bytes) -> bytes:
    return _number(len(data)) + data


def _column(name: str, values: Iterable[Any]) -> bytes:
    first = next((value for value in values if value is not None), "")
    kind, charset = {int: (8, 63), float: (5, 63)}.get(type(first), (253, 45))
    labels = b"".join(map(_string, (b"def", b"", b"", b"", name.encode(), b"")))
    return labels + b"\x0c" + struct.pack("<HIBHB", charset, 2**24, kind, 0, 0) + b"\0\0"


def _value(value: Any) -> bytes:
    return b"\xfb" if value is None else _string(str(value).encode())


def _to_sqlite(text: str) -> str:
    """Literals are kept apart, so that nothing within them is taken for a word."""
    literals: list[str] = []

    def put_away(match: re.Match[str]) -> str:
        plain = re.sub(r"\\(.)|''", lambda one: _ESCAPES.get(one[1], one[1] or "'"), match[1], flags=re.DOTALL)
        literals.append("'" + plain.replace("'", "''") + "'")
        return f"'{len(literals) - 1}'"

    text = _LITERAL.sub(put_away, text)
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return re.sub(r"'(\d+)'", lambda match: literals[int(match[1])], text)


def _mysql_error(message: str) -> tuple[int, str, str]:
    found = ((pattern.fullmatch(message), code, state, words) for pattern, code, state, words in _ERRORS)
    return next((code, state, match.expand(words)) for match, code, state, words in found if match)


def _open(file: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
    opened.execute("PRAGMA journal_mode=WAL")
    opened.create_collation("utf8mb4_0900_bin", lambda one, other: (one > other) - (one < other))
    for name, function in _FUNCTIONS.items():
        opened.create_function(name, function.__code__.co_argcount, function, deterministic=True)
    return opened


def _vector(text: str) -> Any:
    return np.array(json.loads(text), np.float32)


def _cosine_distance(one: str | None, other: str) -> float | None:
    if one is None:
        return None
    a, b = _vector(one), _vector(other)
    return float(1 - np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))


def _l2_distance(one: str | None, other: str) -> float | None:
    return None if one is None else float(np.linalg.norm(_vector(one) - _vector(other)))


def _dims(text: str | None) -> int | None:
    return None if text is None else len(json.loads(text))


def _check_json(text: str) -> bool:
    """Whether TiDB takes it as JSON: no NaN, and no name of more than 65535 bytes."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    value = json.loads(text, parse_constant=refuse)
    return not isinstance(value, dict) or all(len(name.encode()) < 65536 for name in value)


def _find(text: str, path: str) -> list[Any]:
    value = json.loads(text)
    name = path.removeprefix('$."').removesuffix('"')
    return [value[name]] if name in value else []


def _extract(text: str, path: str) -> str | None:
    return next((json.dumps(value) for value in _find(text, path)), None)


def _type(text: str | None) -> str | None:
    names = {dict: "OBJECT", list: "ARRAY", str: "STRING", int: "INTEGER", float: "DOUBLE", bool: "BOOLEAN"}
    return None if text is None else names.get(type(json.loads(text)), "NULL")


def _contains(text: str, wanted: str, path: str) -> bool | None:
    def has(value: Any, other: Any) -> bool:
        if isinstance(value, list):
            return any(has(one, other) for one in value)
        return value == other and isinstance(value, bool) is isinstance(other, bool)

    return next((has(value, json.loads(wanted)) for value in _find(text, path)), None)


_FUNCTIONS: dict[str, Any] = {
    "VEC_COSINE_DISTANCE": _cosine_distance,
    "VEC_L2_DISTANCE": _l2_distance,
    "VEC_DIMS": _dims,
    "CHECK_JSON": _check_json,
    "JSON_EXTRACT": _extract,
    "JSON_TYPE": _type,
    "JSON_CONTAINS": _contains,
}
