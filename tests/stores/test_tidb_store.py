"""What the TiDB adapter adds to the conformance suite: SQL, outages, servers without TiFlash, what may be shown."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stand_in_tidb
from stand_in_tidb import StandIn
from vecmod.host.host_errors import InvalidSettings, StoreError, UnknownClass
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order, meets
from vecmod.host.stores.open_store import open_store
from vecmod.host.stores.store import Record, Store, StoredClass
from vecmod.host.stores.store_url import shown
from vecmod.host.stores.tidb_sql import connection_url

DIM = 8
NAME = "TidbOnly"
CLASS = StoredClass({"class": NAME, "vectorizer": "img2vec-neural"}, DIM)
RANDOM = np.random.default_rng(5)
CLOUD = "gateway01.eu-central-1.prod.aws.tidbcloud.com"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    with stand_in_tidb.running(tmp_path / "tidb.sqlite") as started:
        yield started


@pytest.fixture
def store(server: StandIn) -> Iterator[Store]:
    opened = open_store(server.url)
    opened.create_class(NAME, CLASS)
    yield opened
    opened.close()


@pytest.fixture
def any_store(tidb_url: str) -> Iterator[Store]:
    opened = open_store(tidb_url)
    opened.drop_class(NAME)
    opened.create_class(NAME, CLASS)
    yield opened
    opened.drop_class(NAME)
    opened.close()


def records(count: int, **properties: object) -> list[Record]:
    vectors = RANDOM.normal(size=(count, DIM)).astype(np.float32)
    return [Record(f"r{number}", vector, properties, "f") for number, vector in enumerate(vectors)]


def test_many_rows_are_few_statements(store: Store, server: StandIn) -> None:
    server.statements.clear()
    assert store.upsert(NAME, records(1000)) == []
    assert len(server.sent("INSERT")) == 2
    assert len(server.sent("SELECT")) == 1, "the class is read once, no row is"
    assert "ON DUPLICATE KEY UPDATE" in server.sent("INSERT")[0]


def test_rows_that_the_server_refuses_are_found(store: Store) -> None:
    given = records(100)
    given[13] = Record("long name", given[13].vector, {"x" * 70000: 1})
    given[77] = Record("no number", given[77].vector, {"x": float("nan")})
    rejected = {one.id: one.reason for one in store.upsert(NAME, given)}
    assert rejected.keys() == {"long name", "no number"}
    assert "Invalid" in rejected["no number"]
    assert "INSERT" not in rejected["no number"], "the reason, not the statement with its values"
    assert store.count(NAME) == 98


@pytest.mark.parametrize(
    "answer",
    [(1142, "INSERT command denied"), (9002, "TiKV server timeout"), (1213, "Deadlock found"), (1290, "read-only")],
)
def test_what_would_befall_every_row_is_no_rows_fault(answer: tuple[int, str], store: Store, server: StandIn) -> None:
    server.refused["INSERT"] = answer
    with pytest.raises(StoreError, match=f"^writing to {NAME} failed: {answer[1]}$"):
        store.upsert(NAME, records(100))
    assert len(server.sent("INSERT INTO `")) == 1


def test_a_lost_connection_is_replaced(store: Store, server: StandIn) -> None:
    store.upsert(NAME, records(3))
    server.hang_up()
    assert store.count(NAME) == 3


def test_an_outage_is_said_and_survived(tmp_path: Path) -> None:
    with stand_in_tidb.running(tmp_path / "kept.sqlite") as server:
        store, port = open_store(server.url), server.server_address[1]
        store.create_class(NAME, CLASS)
        store.upsert(NAME, records(3))
    for attempt in (
        lambda: store.upsert(NAME, records(1)),
        lambda: store.search(NAME, np.ones(DIM, np.float32), 1),
        lambda: store.get(NAME, ["a"]),
        lambda: store.count(NAME),
        store.class_names,
    ):
        with pytest.raises(StoreError, match="connect"):
            attempt()
    with stand_in_tidb.running(tmp_path / "kept.sqlite", port):
        assert store.count(NAME) == 3
        store.close()


@pytest.mark.usefixtures("store")
def test_the_index_is_made_where_the_server_can(server: StandIn) -> None:
    assert server.sent("ALTER TABLE") == [f"ALTER TABLE `{NAME}` SET TIFLASH REPLICA 1"]
    assert server.sent("CREATE VECTOR INDEX") == [
        f"CREATE VECTOR INDEX nearest ON `{NAME}` ((VEC_COSINE_DISTANCE(`vector`))) USING HNSW"
    ]


def test_a_server_without_tiflash_searches_exactly_and_says_so(
    server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    words = "the tiflash replica count: 1 should be less than the total tiflash server count: 0"
    server.refused["ALTER TABLE"] = (1105, words)
    store = open_store(server.url)
    with caplog.at_level(logging.WARNING, "vecmod"):
        store.create_class(NAME, CLASS)
    assert caplog.messages == [f"class {NAME} has no vector index, so searches are exact: {words}"]
    store.upsert(NAME, given := records(5))
    assert store.search(NAME, given[3].vector, 1)[0].id == "r3"
    store.close()


def test_a_table_that_is_no_class_is_left_alone(server: StandIn) -> None:
    store: Any = open_store(server.url)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE `Theirs` (id INTEGER)")
    for name in ("Theirs", "THEIRS"):
        with pytest.raises(StoreError, match="exists already, perhaps in another case"):
            store.create_class(name, CLASS)
    store.drop_class("Theirs")
    assert store.class_names() == []
    assert store.count("Theirs") == 0
    store.close()


VALUES: list[Any] = [
    "a",
    "A",
    "á",
    "a ",
    "1",
    "true",
    "",
    0,
    1,
    -3,
    2**62,
    2**62 + 1,
    0.0,
    1.0,
    1e-9,
    -2.5,
    True,
    False,
]


def random_condition(depth: int = 2) -> Filter:
    kind = RANDOM.integers(5 if depth else 3)
    name = f"p{RANDOM.integers(3)}"
    values = tuple(VALUES[one] for one in RANDOM.integers(len(VALUES), size=2))
    if kind == 0:
        return OneOf(name, values, is_list=bool(RANDOM.integers(2)))
    if kind == 1:
        return NoneOf(name, values, is_list=bool(RANDOM.integers(2)))
    if kind == 2:
        bounds = [one for one in VALUES if type(one) in (int, float)]
        return Order(name, RANDOM.choice(["<", "<=", ">", ">="]).item(), bounds[RANDOM.integers(len(bounds))])
    parts = tuple(random_condition(depth - 1) for _ in range(RANDOM.integers(1, 4)))
    return And(parts) if kind == 3 else Or(parts)


def random_value() -> Any:
    if RANDOM.integers(3) == 0:
        return [VALUES[one] for one in RANDOM.integers(len(VALUES), size=RANDOM.integers(3))]
    return VALUES[RANDOM.integers(len(VALUES))]


def test_conditions_mean_what_they_mean_in_memory(any_store: Store) -> None:
    given = [
        Record(one.id, one.vector, {f"p{number}": random_value() for number in range(3) if RANDOM.integers(4)})
        for one in records(60)
    ]
    assert any_store.upsert(NAME, given) == []
    for _ in range(150):
        condition = random_condition()
        expected = {one.id for one in given if meets(one.properties, condition)}
        assert {one.id for one in any_store.find(NAME, condition, 100)} == expected, condition


@pytest.mark.parametrize("names", [("a", "A"), ("a", "á"), ("a", "a "), ("é", "e\u0301"), ("1", "01"), ("ß", "ss")])
def test_ids_are_the_same_only_if_every_byte_is(names: tuple[str, str], any_store: Store) -> None:
    assert any_store.upsert(NAME, [Record(name, np.ones(DIM, np.float32), {"is": name}) for name in names]) == []
    assert any_store.count(NAME) == 2
    assert [one.properties["is"] for one in any_store.get(NAME, [names[1]])] == [names[1]]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("tidb://root:hush@127.0.0.1:1/test", r"opening tidb://\*\*\*@127.0.0.1:1/test failed: .*is it running"),
        ("tidb://root:hush@127.0.0.1:{port}/test?foo=1", "unexpected keyword argument 'foo'"),
        ("tidb://stranger:hush@127.0.0.1:{port}/test", "Access denied for user 'stranger'.*is the URL right"),
    ],
)
def test_what_cannot_be_opened(url: str, message: str, server: StandIn) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url.format(port=server.server_address[1]))
    assert "hush" not in str(caught.value)


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StoreError, match="timed out"):
        open_store(f"tidb://127.0.0.1:{silent.getsockname()[1]}?read_timeout=1")


def test_a_database_without_vectors(server: StandIn) -> None:
    server.refused["SELECT VEC_DIMS"] = (1305, "FUNCTION test.VEC_DIMS does not exist")
    with pytest.raises(StoreError, match=r"does not exist; TiDB has vectors since 8\.4, MySQL has none"):
        open_store(server.url)


@pytest.mark.parametrize(
    "url",
    [
        "tidb://root:hush@:x/hush",
        "tidb://root:pw@host:hush/db",
        "tidb:///hush",
        "mysql://root:p@hush@host/db",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InvalidSettings, match="write tidb://user:password@host:4000/database") as caught:
        open_store(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tidb://host", "mysql+pymysql://root@host:4000/test?"),
        ("mysql://me:p%40ss%2Fword@host:3306/db", "mysql+pymysql://me:p%40ss%2Fword@host:3306/db?"),
        (f"tidb://x.root:p@{CLOUD}/db", f"mysql+pymysql://x.root:p@{CLOUD}:4000/db?"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    found = connection_url(url)
    assert found.startswith(expected)
    assert ("ssl_verify_cert=true&ssl_verify_identity=true" in found) is (CLOUD in url)


def test_parameters_of_the_url_win() -> None:
    found = connection_url(f"tidb://{CLOUD}/db?ssl_ca=/ca.pem&read_timeout=5&ssl_verify_identity=false")
    for part in ("ssl_ca=%2Fca.pem", "read_timeout=5", "ssl_verify_identity=false", "ssl_verify_cert=true"):
        assert part in found.replace("ssl_ca=/", "ssl_ca=%2F")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("photos.db", "photos.db"),
        ("memory://", "memory://"),
        ("http://host:19530", "http://host:19530"),
        ("https://me:hush@host:19530", "https://***@host:19530"),
        ("tidb://me:hush@host:4000/db", "tidb://***@host:4000/db"),
        ("tidb://me:hu/s@h@host:4000/db", "tidb://***@host:4000/db"),
        ("tidb://:hush@host/db", "tidb://***@host/db"),
        ("tidb://me@host/db?ssl_key_password=hush&x=1", "tidb://***@host/db?ssl_key_password=***&x=1"),
        ("other://host?api_key=hush", "other://host?api_key=***"),
    ],
)
def test_secrets_are_not_shown(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_messages_and_settings_show_no_password(server: StandIn) -> None:
    settings = HostSettings.read({"VECMOD_STORE": server.url})
    assert "secret" not in repr(settings)
    with ModuleHost(settings) as host, pytest.raises(UnknownClass, match=r"tidb://\*\*\*@127") as caught:
        host.get_class("Missing")
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidSettings, match=r"'other://\*\*\*@host' is not a store"):
        open_store("other://me:secret@host")
