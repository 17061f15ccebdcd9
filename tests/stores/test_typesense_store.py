"""What is Typesense's own, on the real server; what all stores share is in the conformance suite."""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import urllib3

from fake_service import Sent, always, fake_service
from typesense_server import KEY, TypesenseServer
from vecmod.host.host_errors import InvalidSettings, StoreError, UnknownClass
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order, meets
from vecmod.host.stores.open_store import open_store
from vecmod.host.stores.store import Record, StoredClass
from vecmod.host.stores.typesense_store import TypesenseStore

DIM = 8
NAME = "Own"
TYPES = {
    "name": "text",
    "tags": "text[]",
    "year": "int",
    "years": "int[]",
    "weight": "number",
    "weights": "number[]",
    "wild": "boolean",
    "flags": "boolean[]",
    "day": "date",
}
CLASS = StoredClass(
    {"class": NAME, "properties": [{"name": name, "dataType": [kind]} for name, kind in TYPES.items()]}, DIM
)
VECTORS = np.random.default_rng(12).normal(size=(2000, DIM)).astype(np.float32)

TEXTS = ["", "a", "A", "á", "`", "a`b", "(", "&&", "||", "a,b", "[a]", "!", "-1", "1", "true", "*", " a", "a b", "漢字"]
TEXTS += ["😀", "\\", '"', "'", "a\0b", "\n", "id:1", "<", "x" * 250, "2020-01-02", "null"]
INTEGERS: list[Any] = [0, 1, -7, 2003, 2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1, -(2**63), 16777216, 16777217]
NUMBERS = [*INTEGERS, -0.0, 1.0, 0.1, 0.3, 0.1 + 0.2, -7.5, float(2**53), 1e300, -1e300, 5e-324, 2003.5]
ODD: list[Any] = [None, "a", 1, 1.5, True, [], ["a", 1, True, None], {"a": None}, [["a"]], {"b": {"c": [None, {}]}}]
SIGNS: list[Literal["<", "<=", ">", ">="]] = ["<", "<=", ">", ">="]
VALUES = {"text": TEXTS, "int": INTEGERS, "number": NUMBERS, "boolean": [True, False], "date": ["2020-01-02", "x"]}


@pytest.fixture
def store(typesense: TypesenseServer) -> Iterator[TypesenseStore]:
    opened = TypesenseStore(typesense.url)
    opened.create_class(NAME, CLASS)
    yield opened
    opened.drop_class(NAME)
    opened.close()


def ask(server: TypesenseServer, method: str, path: str, body: object = None) -> Any:
    """The server itself, without our store."""
    url = f"http://127.0.0.1:{server.port}{path}"
    answer = urllib3.request(method, url, body=json.dumps(body).encode(), headers={"X-TYPESENSE-API-KEY": KEY})
    return answer.json()


def some_properties(chance: random.Random) -> dict[str, Any]:
    def value(kind: str) -> Any:
        if chance.random() < 0.1:
            return chance.choice(ODD)
        pool = VALUES[kind.removesuffix("[]")]
        return chance.choices(pool, k=chance.randrange(4)) if kind.endswith("[]") else chance.choice(pool)

    declared = {name: value(kind) for name, kind in TYPES.items() if chance.random() < 0.7}
    return {**declared, "free": chance.choice(ODD), "other": chance.choice(TEXTS)}


def some_condition(chance: random.Random, depth: int = 0) -> Filter:
    if depth < 3 and chance.random() < 0.35:
        parts = tuple(some_condition(chance, depth + 1) for _ in range(chance.randint(1, 3)))
        return And(parts) if chance.random() < 0.5 else Or(parts)
    name, kind = chance.choice(list(TYPES.items()))
    pool = VALUES[kind.removesuffix("[]")]
    if kind in ("int", "number") and chance.random() < 0.6:
        return Order(name, chance.choice(SIGNS), chance.choice(pool))
    values, is_list = tuple(chance.choices(pool, k=chance.choice([1, 1, 2, 30]))), kind.endswith("[]")
    return OneOf(name, values, is_list) if chance.random() < 0.5 else NoneOf(name, values, is_list)


def test_conditions_and_properties_are_exact_whatever_they_hold(store: TypesenseStore) -> None:
    chance = random.Random(5)  # noqa: S311 -- not for secrets
    records: dict[str, Record] = {}
    for _ in range(3):
        for number in chance.sample(range(150), 100):
            name = f"{TEXTS[1 + number % 20]}{number}".replace("\0", "")
            records[name] = Record(name, VECTORS[chance.randrange(2000)], some_properties(chance), "f")
        assert store.upsert(NAME, list(records.values())) == []
    found = {one.id: one for one in store.get(NAME, list(records))}
    assert found.keys() == records.keys()
    for name, record in records.items():
        # As JSON, since 1, 1.0 and True are equal in Python.
        assert json.dumps(found[name].properties, sort_keys=True) == json.dumps(record.properties, sort_keys=True)
        np.testing.assert_array_equal(found[name].vector, record.vector)
    for _ in range(150):
        condition = some_condition(chance)
        expected = {name for name, record in records.items() if meets(record.properties, condition)}
        assert sorted(one.id for one in store.find(NAME, condition, 1000)) == sorted(expected), condition
        assert sorted(hit.id for hit in store.search(NAME, VECTORS[0], 1000, condition)) == sorted(expected), condition


def test_pages_add_up(store: TypesenseStore) -> None:
    store.upsert(NAME, [Record(f"r{number}", VECTORS[number], {"year": number}) for number in range(1300)])
    far = 1 - VECTORS[:1300] @ VECTORS[5] / np.linalg.norm(VECTORS[:1300], axis=1) / np.linalg.norm(VECTORS[5])
    hits = store.search(NAME, VECTORS[5], 1200)
    assert [hit.id for hit in hits] == [f"r{number}" for number in np.argsort(far)[:1200]]
    assert len({one.id for one in store.find(NAME, Order("year", ">=", 100), 1000)}) == 1000
    assert len({one.id for one in store.find(NAME, Order("year", ">=", 100), 2000)}) == 1200
    assert len(store.get(NAME, [f"r{number}" for number in range(2000)])) == 1300
    store.delete(NAME, [f"r{number}" for number in range(100, 2000)])
    assert store.count(NAME) == 100


def test_long_and_odd_ids_by_the_hundred(store: TypesenseStore) -> None:
    names = [f"{number:03}" + "é`,]" * 48 for number in range(300)]
    assert store.upsert(NAME, [Record(name, VECTORS[0]) for name in names]) == []
    assert {one.id for one in store.get(NAME, names)} == set(names)
    store.delete(NAME, names)
    assert store.count(NAME) == 0


def test_of_an_id_that_comes_twice_the_last_counts(store: TypesenseStore) -> None:
    records = [Record(f"r{number % 50}", VECTORS[number], {"year": number}) for number in range(500)]
    assert store.upsert(NAME, records) == []
    assert store.count(NAME) == 50
    for number in range(450, 500):
        (hit,) = store.search(NAME, VECTORS[number], 1)
        assert (hit.id, hit.properties) == (f"r{number % 50}", {"year": number})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
@pytest.mark.parametrize("name", ["free", "weight"])
def test_what_is_no_json_is_named_and_replaces_nothing(name: str, value: object, store: TypesenseStore) -> None:
    store.upsert(NAME, [Record("a", VECTORS[0], {"year": 1})])
    (rejected,) = store.upsert(NAME, [Record("a", VECTORS[1], {name: value}), Record("b", VECTORS[2])])
    assert (rejected.id, "no JSON value" in rejected.reason) == ("a", True)
    assert store.get(NAME, ["a"])[0].properties == {"year": 1}
    assert store.count(NAME) == 2


def test_many_threads(store: TypesenseStore) -> None:
    def work(thread: int) -> None:
        for turn in range(5):
            names = [f"{thread}-{turn}-{number}" for number in range(20)]
            assert store.upsert(NAME, [Record(name, VECTORS[thread], {"year": thread}) for name in names]) == []
            assert len(store.get(NAME, names, vectors=False)) == 20
            assert len(store.search(NAME, VECTORS[thread], 1, OneOf("year", (thread,), is_list=False))) == 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert store.count(NAME) == 800


def test_declared_properties_are_found_by_typesense_itself(store: TypesenseStore, typesense: TypesenseServer) -> None:
    store.upsert(NAME, [Record("a", VECTORS[0], {"name": "A tabby cat", "tags": ["Pet"]}), Record("b", VECTORS[1])])
    answer = ask(typesense, "GET", f"/collections/{NAME}/documents/search?q=tabby&query_by=name&filter_by=tags:=pet")
    assert [hit["document"]["name"] for hit in answer["hits"]] == ["A tabby cat"]


def test_an_interrupted_creation_is_in_nobodys_way(store: TypesenseStore, typesense: TypesenseServer) -> None:
    row = {"id": "Half", "class": json.dumps({"definition": {"class": "Other"}, "dim": 3})}
    ask(typesense, "POST", "/collections/vecmod_classes/documents", row)
    assert store.get_class("Half") is None
    assert store.class_names() == [NAME]
    store.drop_class("Half")
    store.create_class("Half", CLASS)
    assert store.get_class("Half") == CLASS
    store.drop_class("Half")


def test_collections_of_others_are_left_alone(store: TypesenseStore, typesense: TypesenseServer) -> None:
    fields = [{"name": "title", "type": "string"}]
    ask(typesense, "POST", "/collections", {"name": "Theirs", "fields": fields})
    with pytest.raises(StoreError, match="a collection named Theirs exists already"):
        store.create_class("Theirs", CLASS)
    # A class of ours, dropped and its name taken by others.
    row = {"id": "Theirs", "class": json.dumps({"definition": {}, "dim": 3})}
    ask(typesense, "POST", "/collections/vecmod_classes/documents", row)
    assert store.get_class("Theirs") is None
    assert store.class_names() == [NAME]
    store.drop_class("Theirs")
    assert ask(typesense, "DELETE", "/collections/Theirs")["name"] == "Theirs"


def test_killed_and_started_again_all_is_there(tmp_path: Path) -> None:
    server = TypesenseServer(tmp_path)
    server.start()
    try:
        store = TypesenseStore(server.url)
        assert store.class_names() == []
        store.create_class(NAME, CLASS)
        store.upsert(NAME, [Record(f"r{number}", VECTORS[number], {"year": number}) for number in range(500)])
        store.delete(NAME, ["r17"])
        server.kill()
        for call in (store.count, store.get_class, store.drop_class):
            with pytest.raises(StoreError, match=rf"Typesense at 127.0.0.1:{server.port} does not answer.*running\?"):
                call(NAME)
        with pytest.raises(StoreError, match="reading class Own failed") as caught:
            store.upsert(NAME, [Record("a", VECTORS[0])])
        assert KEY not in str(caught.value)
        server.start()
        wait_until_replayed(store)
        assert store.count(NAME) == 499
        assert store.get_class(NAME) == CLASS
        assert store.search(NAME, VECTORS[30], 1)[0].id == "r30"
        assert [one.id for one in store.find(NAME, OneOf("year", (400,), is_list=False), 5)] == ["r400"]
        assert store.upsert(NAME, [Record("r17", VECTORS[17])]) == []
        assert store.count(NAME) == 500
        store.close()
    finally:
        server.kill()


def wait_until_replayed(store: TypesenseStore) -> None:
    """The server says that it is healthy while it still reads its log: wait until counts stand still."""
    counts = [-2, -1]
    while counts[-1] != counts[-3:][0] or counts[-1] < 0:
        time.sleep(1)
        counts.append(store.count(NAME) if store.get_class(NAME) else -len(counts))
        assert len(counts) < 60, counts


def test_a_wrong_key_is_named_but_not_told(typesense: TypesenseServer) -> None:
    store = TypesenseStore(typesense.url.replace(KEY, "secret-but-wrong"))
    for call in (store.get_class, store.count, store.drop_class):
        with pytest.raises(StoreError, match=r"refuses the key; .*VECMOD_STORE_KEY") as caught:
            call(NAME)
        assert "secret" not in str(caught.value)
    store.close()


def test_the_key_may_be_given_apart(typesense: TypesenseServer) -> None:
    url = typesense.url.replace(f"{KEY}@", "")
    settings = HostSettings.read({"VECMOD_STORE": url, "VECMOD_STORE_KEY": KEY})
    assert KEY not in repr(settings)
    with ModuleHost(settings) as host:
        assert host.class_names() == []
    with pytest.raises(InvalidSettings, match="needs a key, in VECMOD_STORE_KEY"):
        open_store(url)


@pytest.mark.parametrize(
    "url",
    [
        "typesense://secret@",
        "typesense://secret@host:99999",
        "typesense://host:secret",
        "typesense://sec/ret@host",
        "typesense://secret#@host",
        "typesense://secret@host/path",
        "typesense://[secret@host",
        "typesense://secr%0Aet@host",
        "typesens://secret@host",
        "typesense:secret@host",
        "secret@host",
    ],
)
def test_urls_that_cannot_be_hide_what_may_be_a_key(url: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        open_store(url)
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_errors_of_the_host_hide_the_key(typesense: TypesenseServer) -> None:
    settings = HostSettings.read({"VECMOD_STORE": typesense.url})
    assert KEY not in repr(settings)
    with ModuleHost(settings) as host, pytest.raises(UnknownClass, match=r"in typesense://\*\*\*@127") as caught:
        host.get_class("Missing")
    assert KEY not in str(caught.value)


def answering(origin: str) -> TypesenseStore:
    return TypesenseStore(origin.replace("http://", "typesense://key@"))


def test_a_server_that_knows_no_vectors_is_refused() -> None:
    """Servers before 0.24 take the schema and leave out what they do not know."""

    def reply(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.method == "GET":
            return (200, "[]", {}) if sent.path == "/collections" else (404, '{"message": "Not Found"}', {})
        body = json.loads(sent.body)
        for field in body.get("fields", []):
            field.pop("num_dim", None)
        return 201, json.dumps(body), {}

    with fake_service(reply) as service:
        store = answering(service.origin)
        with pytest.raises(StoreError, match=r"does not know fields such as .*num_dim.*; use Typesense 0\.24"):
            store.create_class(NAME, CLASS)
        store.close()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, "<html>hello</html>", "answers as something else than Typesense"),
        (422, '{"message": "OUT_OF_DISK"}', "OUT_OF_DISK"),
        (0, "", "does not answer"),
    ],
)
def test_answers_that_are_none(status: int, body: str, message: str) -> None:
    with fake_service(always(status, body)) as service:
        store = answering(service.origin)
        with pytest.raises(StoreError, match=f"searching {NAME} failed: .*{message}"):
            store.search(NAME, VECTORS[0], 1)
        store.close()
