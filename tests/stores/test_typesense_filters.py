"""Conditions that are long or deep, on the real Typesense, which takes only short filters."""

import random
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest

from typesense_server import TypesenseServer
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order, meets
from vecmod.host.stores.store import Record, StoredClass
from vecmod.host.stores.typesense_documents import filter_by
from vecmod.host.stores.typesense_store import TypesenseStore

TYPES = {"name": "text", "tags": "text[]", "year": "int"}
CLASS = StoredClass(
    {"class": "Many", "properties": [{"name": name, "dataType": [kind]} for name, kind in TYPES.items()]}, 8
)
COUNT = 900
VECTORS = np.random.default_rng(12).normal(size=(COUNT, 8)).astype(np.float32)
JOINTS: list[type[And] | type[Or]] = [And, Or]
KINDS: list[type[OneOf] | type[NoneOf]] = [OneOf, NoneOf]
SIGNS: list[Literal["<", "<=", ">", ">="]] = ["<", "<=", ">", ">="]


def is_one(name: str, value: Any, kind: type[OneOf] | type[NoneOf] = OneOf) -> OneOf | NoneOf:
    return kind(name, (value,), TYPES[name].endswith("[]"))


def alternating(depth: int) -> Filter:
    condition: Filter = is_one("year", 0)
    for year in range(1, depth):
        kind = Or if year % 2 else And
        condition = kind((Order("year", ">=", year), condition, is_one("tags", "t1")))
    return condition


LONG: dict[str, Filter] = {
    "one of many": OneOf("year", tuple(range(200, 1200)), is_list=False),
    "none of many": NoneOf("year", tuple(range(200, 1200)), is_list=False),
    "many or": Or(tuple(is_one("year", year) for year in range(200, 300))),
    "many or, of several properties": Or(tuple(is_one(*one) for one in [("name", "n7"), ("tags", "t3")] * 30)),
    "many and not": And(tuple(is_one("year", year, NoneOf) for year in range(60, 160))),
    "all of 26": And(tuple(is_one("tags", f"t{number}") for number in range(26))),
    "all of 60": And(tuple(is_one("tags", f"t{number}") for number in range(60))),
    "40 bounds": Or(tuple(Order("year", "<", year) for year in range(40))),
    "60 bounds or": Or(tuple(Order("year", "<", year) for year in range(60))),
    "60 bounds and": And(tuple(Order("year", ">", year) for year in range(300, 360))),
    "not 60": Or(tuple(is_one("tags", f"t{number}", NoneOf) for number in range(60))),
    "pairs": Or(tuple(And((is_one("tags", "t1"), Order("year", "<", year))) for year in range(30))),
    "two that are too long": And((Or(tuple(Order("year", "<", year) for year in range(60))),) * 2),
    "two that are nearly too long": And((Or(tuple(Order("year", "<", year) for year in range(49))),) * 2),
    **{f"{depth} deep": alternating(depth) for depth in (9, 17, 21, 60)},
}


@pytest.mark.parametrize("condition", LONG.values(), ids=LONG)
def test_conditions_may_be_long_and_deep(
    condition: Filter, many: dict[str, Record], typesense: TypesenseServer
) -> None:
    expected = [name for name, record in many.items() if meets(record.properties, condition)]
    assert 0 < len(expected) < len(many)
    store = TypesenseStore(typesense.url)
    assert sorted(one.id for one in store.find("Many", condition, 5000)) == sorted(expected)
    assert len(store.find("Many", condition, 7)) == min(7, len(expected))
    far = {name: float(np.dot(many[name].vector, VECTORS[0]) / np.linalg.norm(many[name].vector)) for name in expected}
    for limit in (3, COUNT):
        hits = [hit.id for hit in store.search("Many", VECTORS[0], limit, condition)]
        assert hits == sorted(expected, key=lambda name: -far[name])[:limit]
    store.close()


@pytest.fixture(scope="module")
def many(typesense: TypesenseServer) -> Iterator[dict[str, Record]]:
    """In a class of their own, the only ones with "t59" in their tags are the farthest."""
    store = TypesenseStore(typesense.url)
    store.create_class("Many", CLASS)
    records: dict[str, Record] = {}
    for number in np.argsort(-(VECTORS @ VECTORS[0] / np.linalg.norm(VECTORS, axis=1))).tolist():
        tags = [f"t{tag}" for tag in range(60 if len(records) > COUNT - 10 else len(records) % 30)]
        properties = {"year": number, "name": f"n{number % 50}", "tags": tags}
        records[f"r{number}"] = Record(f"r{number}", VECTORS[number], properties)
    assert store.upsert("Many", list(records.values())) == []
    yield records
    store.drop_class("Many")
    store.close()


def test_nested_conditions_by_chance_are_exact(many: dict[str, Record], typesense: TypesenseServer) -> None:
    chance = random.Random(8)  # noqa: S311 -- not for secrets
    store = TypesenseStore(typesense.url)

    def nested(depth: int) -> Filter:
        if depth and chance.random() < 0.8:
            kind = chance.choice(JOINTS)
            return kind(tuple(nested(depth - 1) for _ in range(chance.choice([1, 2, 3, 5]))))
        if chance.random() < 0.4:
            return Order("year", chance.choice(SIGNS), chance.randrange(COUNT))
        name, value = chance.choice([("tags", f"t{chance.randrange(40)}"), ("name", f"n{chance.randrange(50)}")])
        return is_one(name, value, chance.choice(KINDS))

    whole = set()
    for _ in range(50):
        condition = nested(chance.choice([2, 4, 6]))
        whole.add(filter_by(condition).is_whole)
        expected = sorted(name for name, record in many.items() if meets(record.properties, condition))
        assert sorted(one.id for one in store.find("Many", condition, 3000)) == expected, condition
        assert len(store.search("Many", VECTORS[0], 5, condition)) == min(5, len(expected)), condition
    assert whole == {True, False}
    store.close()
