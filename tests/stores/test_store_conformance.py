"""One suite, every store that can be reached: what the module host relies on, database by database.

Servers: set MILVUS_URL=http://host:19530 or TIDB_URL=tidb://user:password@host:4000/database to run it there too.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import parse_class
from vecmod.host.host_errors import StoreError
from vecmod.host.search import Page, Search
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order, meets
from vecmod.host.stores.milvus_store import MilvusStore
from vecmod.host.stores.open_store import open_store
from vecmod.host.stores.store import Record, Store, StoredClass, Vector

DIM = 16
NAME = "Conformance"
CLASS = StoredClass(
    {
        "class": NAME,
        "vectorizer": "img2vec-neural",
        "moduleConfig": {"img2vec-neural": {"imageFields": ["é"]}},
        "properties": [
            {"name": "name", "dataType": ["text"]},
            {"name": "tags", "dataType": ["text[]"]},
            {"name": "year", "dataType": ["int"]},
            {"name": "in", "dataType": ["int"]},
            {"name": "weight", "dataType": ["number"]},
            {"name": "wild", "dataType": ["boolean"]},
            {"name": "scores", "dataType": ["number[]"]},
            {"name": "like", "dataType": ["text[]"]},
            {"name": "exists", "dataType": ["int[]"]},
        ],
    },
    DIM,
)
RANDOM = np.random.default_rng(11)
VECTORS = RANDOM.normal(size=(50, DIM)).astype(np.float32)

STORES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "memory": lambda _: "memory://",
    "milvus-lite": lambda request: str(request.getfixturevalue("tmp_path") / "store.db"),
    "tidb-stand-in": lambda request: str(request.getfixturevalue("tidb_stand_in").url),
    "typesense": lambda request: request.getfixturevalue("typesense").url,
}
for server in ("milvus", "tidb"):
    if url := os.environ.get(f"{server.upper()}_URL"):
        STORES[server] = lambda _, url=url: url  # type: ignore[misc]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = open_store(STORES[request.param](request))
    opened.drop_class(NAME)
    opened.create_class(NAME, CLASS)
    yield opened
    opened.drop_class(NAME)
    opened.close()


def record(number: int, vector: Vector | None = None, **properties: object) -> Record:
    return Record(
        f"id-{number}", VECTORS[number] if vector is None else vector, {"n": number, **properties}, f"f{number}"
    )


def distances(query: Vector) -> list[tuple[str, float]]:
    cosines = VECTORS @ query / np.linalg.norm(VECTORS, axis=1) / np.linalg.norm(query)
    return [(f"id-{index}", float(1 - cosines[index])) for index in np.argsort(-cosines)]


def test_a_class_is_kept_with_its_definition(store: Store) -> None:
    assert store.get_class(NAME) == CLASS
    assert NAME in store.class_names()
    assert store.get_class("Missing") is None
    assert store.count(NAME) == 0
    assert store.search(NAME, VECTORS[0], 5) == []


def test_a_class_cannot_be_made_twice(store: Store) -> None:
    with pytest.raises(StoreError, match="exists already"):
        store.create_class(NAME, CLASS)


def test_dropping(store: Store) -> None:
    store.upsert(NAME, [record(1)])
    store.drop_class(NAME)
    assert store.get_class(NAME) is None
    store.drop_class(NAME)
    store.create_class(NAME, CLASS)
    assert store.count(NAME) == 0


def test_search_is_right_and_sees_its_own_writes(store: Store) -> None:
    assert store.upsert(NAME, [record(number) for number in range(50)]) == []
    query = RANDOM.normal(size=DIM).astype(np.float32)
    expected = distances(query)
    hits = store.search(NAME, query, 10)
    assert [hit.id for hit in hits] == [name for name, _ in expected[:10]]
    np.testing.assert_allclose([hit.distance for hit in hits], [one for _, one in expected[:10]], atol=1e-5)
    assert hits[0].properties == {"n": int(hits[0].id.removeprefix("id-"))}
    assert len(store.search(NAME, query, 1000)) == 50
    store.delete(NAME, [hits[0].id, "missing"])
    assert store.search(NAME, query, 1)[0].id == hits[1].id
    assert store.count(NAME) == 49


def test_distances_are_cosine_distances_within_0_and_2(store: Store) -> None:
    store.upsert(NAME, [record(1), record(2, 5 * VECTORS[1]), record(3, -VECTORS[1])])
    hits = {hit.id: hit.distance for hit in store.search(NAME, VECTORS[1], 3)}
    assert hits.keys() == {"id-1", "id-2", "id-3"}
    assert all(0 <= distance <= 2 for distance in hits.values())
    np.testing.assert_allclose([hits["id-1"], hits["id-2"], hits["id-3"]], [0, 0, 2], atol=1e-5)


def test_upsert_replaces_and_never_doubles(store: Store) -> None:
    store.upsert(NAME, [record(1, colour="red"), record(2)])
    store.upsert(NAME, [record(1, VECTORS[9], colour="blue")])
    assert store.count(NAME) == 2
    (found,) = store.get(NAME, ["id-1"])
    np.testing.assert_allclose(found.vector, VECTORS[9], atol=1e-6)
    assert found.properties == {"n": 1, "colour": "blue"}
    assert [hit.id for hit in store.search(NAME, VECTORS[9], 1)] == ["id-1"]


def test_what_was_replaced_again_and_again_is_found_by_its_last_vector(store: Store) -> None:
    """Databases that mark replaced vectors instead of removing them can come back to an older one."""
    vectors = RANDOM.normal(size=(600, DIM)).astype(np.float32)
    store.upsert(NAME, [Record(f"r{number}", vector) for number, vector in enumerate(vectors)])
    for _ in range(4):
        replaced = RANDOM.choice(600, 200, replace=False)
        vectors[replaced] = RANDOM.normal(size=(200, DIM))
        assert store.upsert(NAME, [Record(f"r{number}", vectors[number]) for number in replaced]) == []
    assert store.count(NAME) == 600
    hits = store.search(NAME, vectors[0], 600)
    far = 1 - vectors @ vectors[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[0])
    assert {hit.id for hit in hits} == {f"r{number}" for number in range(600)}
    np.testing.assert_allclose([hit.distance for hit in hits], [far[int(hit.id[1:])] for hit in hits], atol=1e-5)


def test_get(store: Store) -> None:
    store.upsert(NAME, [record(number) for number in range(5)])
    found = {one.id: one for one in store.get(NAME, ["id-3", "missing", "id-1"])}
    assert found.keys() == {"id-1", "id-3"}
    assert found["id-3"].fingerprint == "f3"
    np.testing.assert_allclose(found["id-3"].vector, VECTORS[3], atol=1e-6)
    bare = store.get(NAME, ["id-3"], vectors=False)
    assert [(one.id, one.fingerprint, one.vector.size) for one in bare] == [("id-3", "f3", 0)]
    assert store.get(NAME, []) == []
    store.delete(NAME, [])
    assert store.upsert(NAME, []) == []


def test_properties_of_every_json_type(store: Store) -> None:
    properties = {
        "text": 'quotes " and \\ and é漢😀',
        "tags": ["a", "b"],
        "number": 1.5,
        "yes": True,
        "nested": {"a": [1, {"b": None}]},
        "empty": "",
        "none": None,
    }
    assert store.upsert(NAME, [Record("id", VECTORS[0], properties)]) == []
    assert store.get(NAME, ["id"])[0].properties == properties
    assert store.search(NAME, VECTORS[0], 1)[0].properties == properties


@pytest.mark.parametrize(
    "name", ['quote"', "back\\slash", "a'b", "é漢😀", "x" * 255, "a/b c", "../../etc/x", "a\nb", '"] or id != "']
)
def test_ids_are_taken_as_they_are(name: str, store: Store) -> None:
    assert store.upsert(NAME, [Record(name, VECTORS[0])]) == []
    assert [one.id for one in store.get(NAME, [name])] == [name]
    store.delete(NAME, [name])
    assert store.count(NAME) == 0


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "\x1f", "é" * 128])
def test_ids_that_cannot_be(name: str, store: Store) -> None:
    assert [one.id for one in store.upsert(NAME, [Record(name, VECTORS[0]), record(1)])] == [name]
    assert store.get(NAME, [name]) == []
    store.delete(NAME, [name])
    assert store.count(NAME) == 1


@pytest.mark.parametrize("name", ["id", "vector", "vecmod_fingerprint", "$meta", "a b", ""])
def test_property_names_that_cannot_be(name: str, store: Store) -> None:
    (rejected,) = store.upsert(NAME, [Record("a", VECTORS[0], {name: 1}), record(1)])
    assert (rejected.id, repr(name) in rejected.reason) == ("a", True)
    assert store.count(NAME) == 1


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_vectors_of_no_usable_length_are_rejected(scale: float, store: Store) -> None:
    (rejected,) = store.upsert(NAME, [Record("a", VECTORS[0] * np.float32(scale)), record(1)])
    assert (rejected.id, "too short or too long" in rejected.reason) == ("a", True)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_lengths_do_not_matter(scale: float, store: Store) -> None:
    store.upsert(NAME, [Record("a", VECTORS[0] * np.float32(scale))])
    assert store.search(NAME, VECTORS[0], 1)[0].distance == pytest.approx(0, abs=1e-5)


def test_a_thousand_with_some_bad_ones(store: Store) -> None:
    vectors = RANDOM.normal(size=(1000, DIM)).astype(np.float32)
    records = [Record(f"r{number}", vectors[number]) for number in range(1000)]
    records[17] = Record("r17", np.zeros(DIM, np.float32))
    records[500] = Record("r500", np.full(DIM, np.nan, np.float32))
    records[998] = Record("r998", np.ones(DIM + 1, np.float32))
    records[999] = Record("", vectors[999])
    rejected = {one.id: one.reason for one in store.upsert(NAME, records)}
    assert rejected.keys() == {"r17", "r500", "r998", ""}
    assert "all zeros" in rejected["r17"]
    assert "not finite" in rejected["r500"]
    assert "has 17 numbers, those of the class have 16" in rejected["r998"]
    assert "0 bytes" in rejected[""]
    assert store.count(NAME) == 996
    assert store.search(NAME, vectors[501], 1)[0].id == "r501"


def test_what_the_database_alone_refuses_stops_nobody_else(store: Store) -> None:
    records = [record(number) for number in range(20)]
    records[7] = Record("id-7", VECTORS[7], {"x" * 70000: 1})
    rejected = store.upsert(NAME, records)
    assert store.count(NAME) == 20 - len(rejected)
    assert {one.id for one in rejected} <= {"id-7"}


def test_missing_classes_are_named(store: Store) -> None:
    with pytest.raises(StoreError, match="Missing"):
        store.upsert("Missing", [record(1)])
    with pytest.raises(StoreError, match="Missing"):
        store.search("Missing", VECTORS[0], 1)


def test_a_file_is_there_after_reopening(tmp_path: Path) -> None:
    for number in range(3):
        opened = open_store(str(tmp_path / "kept.db"))
        if number == 0:
            opened.create_class(NAME, CLASS)
        assert opened.count(NAME) == number
        opened.upsert(NAME, [record(number)])
        assert opened.search(NAME, VECTORS[number], 1)[0].id == f"id-{number}"
        assert opened.get_class(NAME) == CLASS
        opened.close()


def test_a_file_that_another_process_holds(tmp_path: Path) -> None:
    """Within one process the file can be shared; a held lock is imitated by a file where the folder should be."""
    (tmp_path / "held.db").write_text("in the way")
    with pytest.raises(StoreError, match=r"held\.db"):
        MilvusStore(str(tmp_path / "held.db"))


ANIMALS = [
    Record(
        "cat",
        VECTORS[0],
        {"name": "Cat", "tags": ["pet", "furry"], "year": 2001, "weight": 4.5, "wild": False, "scores": [1.5, -3.5]},
    ),
    Record(
        "dog",
        VECTORS[1],
        {"name": "dog", "tags": ["pet"], "year": 2003, "weight": 20.0, "wild": False, "like": ["bones", "cat"]},
    ),
    Record(
        "wolf",
        VECTORS[2],
        {
            "name": "wolf",
            "tags": ["furry"],
            "year": 2005,
            "weight": 40.25,
            "wild": True,
            "like": ["bones"],
            "exists": [-1, 7],
        },
    ),
    Record("fly", VECTORS[3], {"name": 'a "fly" \\ or (two) `it` \'s', "tags": [], "year": -7, "in": 1}),
    Record("idea", VECTORS[4], {}),
]
EVERYTHING = {one.id for one in ANIMALS}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (OneOf("tags", ("pet",), is_list=True), {"cat", "dog"}),
        (OneOf("tags", ("pet", "furry"), is_list=True), {"cat", "dog", "wolf"}),
        (OneOf("tags", ("pe",), is_list=True), set()),
        (OneOf("tags", ("Pet",), is_list=True), set()),
        (And((OneOf("tags", ("pet",), is_list=True), OneOf("tags", ("furry",), is_list=True))), {"cat"}),
        (NoneOf("tags", ("pet",), is_list=True), {"wolf", "fly", "idea"}),
        (OneOf("name", ("Cat",), is_list=False), {"cat"}),
        (OneOf("name", ("cat", "DOG", "wol", "wolf "), is_list=False), set()),
        (OneOf("name", ('a "fly" \\ or (two) `it` \'s', "dog"), is_list=False), {"fly", "dog"}),
        (NoneOf("name", ("dog", "Cat"), is_list=False), {"wolf", "fly", "idea"}),
        (OneOf("year", (2001, -7), is_list=False), {"cat", "fly"}),
        (NoneOf("year", (2001,), is_list=False), EVERYTHING - {"cat"}),
        (Order("year", ">=", 2003), {"dog", "wolf"}),
        (Order("year", "<", 2001), {"fly"}),
        (Order("weight", "<=", 20), {"cat", "dog"}),
        (Order("weight", ">", 20.5), {"wolf"}),
        (OneOf("weight", (20.0,), is_list=False), {"dog"}),
        (OneOf("wild", (True,), is_list=False), {"wolf"}),
        (NoneOf("wild", (True,), is_list=False), EVERYTHING - {"wolf"}),
        (OneOf("in", (1,), is_list=False), {"fly"}),
        (
            Or((Order("year", "<", 0), And((OneOf("wild", (False,), is_list=False), Order("weight", ">", 10))))),
            {"fly", "dog"},
        ),
        (OneOf("name", ("no such",), is_list=False), set()),
        (OneOf("scores", (-3.5,), is_list=True), {"cat"}),
        (OneOf("scores", (-3, 1.5), is_list=True), {"cat"}),
        (NoneOf("scores", (-3.5, 2.5), is_list=True), EVERYTHING - {"cat"}),
        (OneOf("like", ("bones",), is_list=True), {"dog", "wolf"}),
        (NoneOf("like", ("cat",), is_list=True), EVERYTHING - {"dog"}),
        (And((OneOf("like", ("bones",), is_list=True), Order("year", ">", 2003))), {"wolf"}),
        (Or((OneOf("exists", (-1,), is_list=True), OneOf("in", (1,), is_list=False))), {"wolf", "fly"}),
    ],
    ids=str,
)
def test_conditions(condition: Filter, expected: set[str], store: Store) -> None:
    assert {one.id for one in ANIMALS if meets(one.properties, condition)} == expected
    assert store.upsert(NAME, ANIMALS) == []
    hits = store.search(NAME, VECTORS[1], 10, condition)
    assert {hit.id for hit in hits} == expected
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    assert {one.id for one in store.find(NAME, condition, 10)} == expected
    assert len(store.find(NAME, condition, 1)) == min(1, len(expected))
    if len(expected) > 1:
        assert [hit.id for hit in store.search(NAME, VECTORS[1], 1, condition)] == [hits[0].id]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (OneOf("year", (*range(3000, 3100), 2003, -7), is_list=False), {"dog", "fly"}),
        (NoneOf("year", (*range(3000, 3100), 2003), is_list=False), EVERYTHING - {"dog"}),
        (OneOf("weight", (*range(100, 200), 20, 4.5), is_list=False), {"dog", "cat"}),
        (OneOf("name", (*map(str, range(100)), ANIMALS[3].properties["name"]), is_list=False), {"fly"}),
        (OneOf("in", tuple(range(100)), is_list=False), {"fly"}),
        (OneOf("tags", (*map(str, range(100)), "furry"), is_list=True), {"cat", "wolf"}),
        (NoneOf("scores", (*range(100), -3.5), is_list=True), EVERYTHING - {"cat"}),
    ],
    ids=lambda of: getattr(of, "name", ""),
)
def test_many_values(of: Filter, expected: set[str], store: Store) -> None:
    assert {one.id for one in ANIMALS if meets(one.properties, of)} == expected
    assert store.upsert(NAME, ANIMALS) == []
    assert {one.id for one in store.find(NAME, of, 10)} == expected
    assert {hit.id for hit in store.search(NAME, VECTORS[1], 10, of)} == expected


def test_an_identical_vector_survives_any_distance_limit(store: Store) -> None:
    config = parse_class(CLASS.definition, known_modules(), "none")
    lengths = RANDOM.uniform(0.01, 100, 50).astype(np.float32)
    store.upsert(NAME, [record(number, VECTORS[number] * lengths[number]) for number in range(50)])
    for number in range(50):
        hits = Search(config, store, DIM).near_vector(VECTORS[number], Page(limit=3, distance=0))
        assert [hit.id for hit in hits] == [f"id-{number}"]


def test_everything_is_found_without_a_condition(store: Store) -> None:
    store.upsert(NAME, ANIMALS)
    found = {one.id: one for one in store.find(NAME, None, 10)}
    assert found.keys() == EVERYTHING
    assert found["cat"].properties == ANIMALS[0].properties
    assert found["cat"].vector.size == 0


def test_pages_have_every_record_once_with_all_it_has(store: Store) -> None:
    vectors = RANDOM.normal(size=(1700, DIM)).astype(np.float32)
    kept = {
        f"r{number}": Record(f"r{number}", vector, {"n": number}, f"f{number}") for number, vector in enumerate(vectors)
    }
    assert store.upsert(NAME, list(kept.values())) == []
    for vectors_too in (False, True):
        found = [one for start in range(0, 2100, 300) for one in store.page(NAME, 300, start, vectors=vectors_too)]
        assert len(found) == 1700
        assert {one.id for one in found} == kept.keys()
        assert [one.properties for one in found] == [kept[one.id].properties for one in found]
        assert [one.fingerprint for one in found] == [kept[one.id].fingerprint for one in found]
        wanted = [kept[one.id].vector if vectors_too else np.zeros(0) for one in found]
        np.testing.assert_allclose([one.vector for one in found], wanted, atol=1e-6)
        assert [one.id for one in store.page(NAME, 1100, 290, vectors=vectors_too)] == [one.id for one in found][
            290:1390
        ]
    assert store.page(NAME, 10, 1695, vectors=True)[-1].id == found[-1].id
    assert store.page(NAME, 10, 1700) == []


def test_pages_show_what_was_just_written(store: Store) -> None:
    assert store.page(NAME, 10) == []
    store.upsert(NAME, [record(number) for number in range(5)])
    store.delete(NAME, ["id-3"])
    store.upsert(NAME, [record(1, VECTORS[9], colour="blue")])
    found = {one.id: one for one in store.page(NAME, 10, vectors=True)}
    assert found.keys() == {"id-0", "id-1", "id-2", "id-4"}
    assert found["id-1"].properties == {"n": 1, "colour": "blue"}
    np.testing.assert_allclose(found["id-1"].vector, VECTORS[9], atol=1e-6)


def test_a_rare_tag_among_ten_thousand_is_found(store: Store) -> None:
    vectors = RANDOM.normal(size=(10_000, DIM)).astype(np.float32)
    rare = {f"r{number}" for number in (17, 5000, 9999)}
    records = [
        Record(f"r{number}", vector, {"tags": ["common", *(["rare"] if f"r{number}" in rare else [])]})
        for number, vector in enumerate(vectors)
    ]
    for start in range(0, len(records), 1000):
        assert store.upsert(NAME, records[start : start + 1000]) == []
    assert {hit.id for hit in store.search(NAME, vectors[3], 10, OneOf("tags", ("rare",), is_list=True))} == rare
    assert store.search(NAME, vectors[3], 1)[0].id == "r3"
