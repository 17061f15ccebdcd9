"""Ingest: every object is stored once or named, whatever happens on the way."""

import base64
import itertools
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecmod.host.ingest as ingest_module
from fake_service import FakeService, Sent, always, by_image, fake_service
from vecmod.host.catalog import IMG2VEC_NEURAL, known_modules
from vecmod.host.classconfig import ClassConfig, parse_class
from vecmod.host.client import ServiceClient
from vecmod.host.host_errors import StoreError
from vecmod.host.ingest import Ingest, IngestReport
from vecmod.host.stores.memory_store import MemoryStore
from vecmod.host.stores.store import Record, Rejection, StoredClass

MODULE = IMG2VEC_NEURAL.name
CONFIG = parse_class(
    {"class": "Photo", "vectorizer": MODULE, "moduleConfig": {MODULE: {"imageFields": ["image"]}}},
    known_modules(),
    "none",
)


def image(number: int) -> str:
    return base64.b64encode(f"image {number}".encode()).decode()


def vector(number: int) -> list[float]:
    return [1.0, float(number), 0.5]


def objects(count: int, **properties: Any) -> list[dict[str, Any]]:
    return [{"id": f"o{n}", "properties": {"image": image(n), "n": n, **properties}} for n in range(count)]


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with fake_service(by_image({image(n): vector(n) for n in range(300)})) as service:
        yield service


@pytest.fixture
def store() -> MemoryStore:
    memory = MemoryStore()
    memory.create_class("Photo", StoredClass(CONFIG.definition, 3))
    return memory


def ingest(
    fake: FakeService, store: MemoryStore, given: Any, *, config: ClassConfig = CONFIG, on_done: Any = lambda _: None
) -> IngestReport:
    client = ServiceClient(IMG2VEC_NEURAL, fake.origin, 10)
    try:
        return Ingest(config, client, store, 8, on_done).run(given)
    finally:
        client.close()


def test_everything_is_stored_with_its_own_vector(fake: FakeService, store: MemoryStore) -> None:
    done: list[int] = []
    report = ingest(fake, store, objects(250), on_done=done.append)
    assert report == IngestReport(stored=250)
    assert sum(done) == 250
    for record in store.get("Photo", [f"o{n}" for n in range(250)]):
        np.testing.assert_array_equal(record.vector, np.array(vector(record.properties["n"]), np.float32))
        assert record.properties.keys() == {"n"}  # the picture itself is not stored


def test_unchanged_objects_cost_no_call(fake: FakeService, store: MemoryStore) -> None:
    ingest(fake, store, objects(20))
    fake.requests.clear()
    changed = objects(20)
    changed[3]["properties"]["image"] = image(99)
    changed[5]["properties"]["title"] = "new"
    report = ingest(fake, store, changed)
    assert (report.stored, report.unchanged) == (2, 18)
    assert len(fake.requests) == 1  # only the new picture; a new title keeps its vector
    by_id = {record.id: record for record in store.get("Photo", ["o3", "o5"])}
    np.testing.assert_array_equal(by_id["o3"].vector, np.array(vector(99), np.float32))
    np.testing.assert_array_equal(by_id["o5"].vector, np.array(vector(5), np.float32))
    assert by_id["o5"].properties == {"n": 5, "title": "new"}


def test_a_bad_object_is_named_and_the_others_are_stored(fake: FakeService, store: MemoryStore, tmp_path: Path) -> None:
    closed = BytesIO()
    closed.close()
    bad: list[dict[str, Any]] = [
        {"id": "unknown", "properties": {"image": image(9999)}},
        {"id": "nothing", "properties": {"title": "no picture"}},
        {"id": "null", "properties": {"image": None}},
        {"id": "no-properties"},
        {"id": "file", "properties": {"image": tmp_path / "missing.jpg"}},
        {"id": "not-json", "properties": {"image": image(1), "when": object()}},
        {"id": "nan", "properties": {"image": image(1), "size": float("nan")}},
        {"id": "huge", "properties": {"image": image(1), "size": 2**63}},
        {"id": "id", "properties": {"image": image(1), "id": "mine"}},
        {"id": "number", "properties": {"image": image(1), 7: "seven"}},
        {"id": "half", "properties": {"image": "\ud800"}},
        {"id": "closed", "properties": {"image": closed}},
        {"id": "null\0byte", "properties": {"image": image(1)}},
        {"id": "null-byte", "properties": {"image": Path("a\0b")}},
    ]
    good = objects(30)
    report = ingest(fake, store, [*good[:10], *bad, *good[10:]])
    assert report.stored == store.count("Photo") == 30
    messages = {one.id: str(one.error) for one in report.failed}
    assert messages == {
        "unknown": "fail with status 500: no fake vector",
        "nothing": "has nothing to vectorise: class Photo reads image",
        "null": "has nothing to vectorise: class Photo reads image",
        "no-properties": 'has no properties; write {"id": ..., "properties": {...}}',
        "file": f"{tmp_path}/missing.jpg cannot be read: No such file or directory",
        "not-json": "has a property that is no JSON value: Object of type object is not JSON serializable",
        "nan": messages["nan"],
        "huge": "has an integer that does not fit into 64 bits (9223372036854775808); store it as text",
        "id": "has a property named 'id', which the store needs itself; give it another name",
        "number": messages["number"],
        "half": messages["half"],
        "closed": "the file cannot be read: I/O operation on closed file.",
        "null\0byte": "its id has a control character or half a surrogate pair; use printable characters",
        "null-byte": "a\0b cannot be read: embedded null byte",
    }
    assert "no JSON value" in messages["nan"]
    assert "no JSON value" in messages["half"]
    assert messages["number"].startswith("has a property named 7;")


def test_what_is_no_object_is_named_too(fake: FakeService, store: MemoryStore) -> None:
    report = ingest(fake, store, ["words", *objects(3)])
    assert report.stored == 3
    assert "has no properties" in str(report.failed[0])


def test_properties_are_kept_as_json_has_them(fake: FakeService, store: MemoryStore) -> None:
    ingest(fake, store, [{"id": "a", "properties": {"image": image(1), "pair": (1, 2), "map": {1: "one"}}}])
    assert store.get("Photo", ["a"])[0].properties == {"pair": [1, 2], "map": {"1": "one"}}


def test_objects_before_a_source_that_fails_are_stored(fake: FakeService, store: MemoryStore) -> None:
    def source() -> Iterator[dict[str, Any]]:
        yield from objects(37)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        ingest(fake, store, source())
    assert store.count("Photo") == 37


def test_media_in_every_form(fake: FakeService, store: MemoryStore, tmp_path: Path) -> None:
    content = b"image 7"
    (tmp_path / "seven").write_bytes(content)
    forms = [tmp_path / "seven", content, image(7)]
    report = ingest(fake, store, [{"id": str(n), "properties": {"image": form}} for n, form in enumerate(forms)])
    assert report.stored == 3
    assert len({record.fingerprint for record in store.get("Photo", ["0", "1", "2"])}) == 1


def test_a_string_in_an_object_is_never_a_file_name(fake: FakeService, store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    report = ingest(fake, store, [{"id": "a", "properties": {"image": str(tmp_path / "secret")}}])
    assert report.stored == 0
    assert str(tmp_path / "secret") in fake.requests[0].body


def test_property_names_begin_with_a_small_letter(fake: FakeService, store: MemoryStore) -> None:
    assert ingest(fake, store, [{"id": "a", "properties": {"Image": image(1), "Title": "x"}}]).stored == 1
    assert store.get("Photo", ["a"])[0].properties == {"title": "x"}


def test_the_last_of_equal_ids_counts(fake: FakeService, store: MemoryStore) -> None:
    given = [{"id": "same", "properties": {"image": image(n), "n": n}} for n in range(40)]
    assert ingest(fake, store, given).failed == []
    assert store.count("Photo") == 1
    assert store.get("Photo", ["same"])[0].properties == {"n": 39}


def test_objects_without_id_get_one(fake: FakeService, store: MemoryStore) -> None:
    assert ingest(fake, store, [{"properties": {"image": image(1)}}] * 2).stored == 2
    assert store.count("Photo") == 2


def test_several_fields_are_averaged(fake: FakeService) -> None:
    config = parse_class(
        {"class": "Pair", "vectorizer": MODULE, "moduleConfig": {MODULE: {"imageFields": ["front", "back"]}}},
        known_modules(),
        "none",
    )
    store = MemoryStore()
    store.create_class("Pair", StoredClass(config.definition, 3))
    given = [
        {"id": "a", "properties": {"front": image(2), "back": image(4)}},
        {"id": "b", "properties": {"back": image(4)}},
    ]
    assert ingest(fake, store, given, config=config).stored == 2
    both, one = (store.get("Pair", [name])[0].vector for name in ("a", "b"))
    np.testing.assert_array_equal(both, np.array(vector(3), np.float32))
    np.testing.assert_array_equal(one, np.array(vector(4), np.float32))


def test_a_service_that_dies_stops_the_run_and_the_next_run_finishes_it(store: MemoryStore) -> None:
    answers = by_image({image(n): vector(n) for n in range(200)})
    count = itertools.count()

    def die_after_60(sent: Sent) -> tuple[int, str, dict[str, str]]:
        return answers(sent) if next(count) < 60 else (0, "", {})

    with fake_service(die_after_60) as fake:
        given = iter(objects(200))
        report = ingest(fake, store, given)
    untried = len(list(given))
    assert report.stored == store.count("Photo") == 60
    assert "cannot be reached" in str(report.stopped)
    assert untried > 100  # not 200 times the same error
    assert report.failed == []  # no object is at fault
    with fake_service(answers) as fake:
        report = ingest(fake, store, objects(200))
    assert (report.stored, report.unchanged, report.failed) == (140, 60, [])
    assert store.count("Photo") == 200


def test_a_store_that_fails_stops_the_run(fake: FakeService) -> None:
    class Failing(MemoryStore):
        def upsert(self, name: str, records: Any) -> list[Rejection]:
            if self.count(name):
                raise StoreError("disk full")
            return super().upsert(name, records)

    store = Failing()
    store.create_class("Photo", StoredClass(CONFIG.definition, 3))
    report = ingest(fake, store, objects(250))
    assert str(report.stopped) == "disk full"
    assert report.stored == store.count("Photo") >= 100


def test_what_the_store_rejects_is_named(store: MemoryStore) -> None:
    with fake_service(by_image({image(0): [1.0, 2.0, 3.0], image(1): [0.0, 0.0, 0.0], image(2): [1.0, 2.0]})) as other:
        report = ingest(other, store, objects(3))
    assert report.stored == 1
    messages = {one.id: str(one.error) for one in report.failed}
    assert "all zeros" in messages["o1"]
    assert "has 2 numbers, those of the class have 3: another model made it" in messages["o2"]


def test_objects_are_read_as_they_are_needed(fake: FakeService) -> None:
    """A million photos must not be read into memory first."""
    ahead = 0
    given, stored = itertools.count(), 0
    lock = threading.Lock()

    def source() -> Iterator[dict[str, Any]]:
        nonlocal ahead
        for one in objects(200):
            with lock:
                ahead = max(ahead, next(given) - stored)
            yield one

    class Counting(MemoryStore):
        def upsert(self, name: str, records: list[Record]) -> list[Rejection]:  # type: ignore[override]
            nonlocal stored
            stored += len(records)
            return super().upsert(name, records)

    counting = Counting()
    counting.create_class("Photo", StoredClass(CONFIG.definition, 3))
    ingest(fake, counting, source())
    assert ahead <= 100 + 4 * 8


def test_large_media_do_not_pile_up(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of films does not fit into memory; neither do a few dozens of them."""
    monkeypatch.setattr(ingest_module, "_CHARACTERS", 1000)
    given = answered = ahead = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal given, ahead
        for number in range(40):
            given += 1
            ahead = max(ahead, given - answered)
            size = 3000 if number == 20 else 300
            yield {"id": f"o{number}", "properties": {"image": base64.b64encode(bytes(size)).decode()}}

    def slow(sent: Sent) -> tuple[int, str, dict[str, str]]:
        nonlocal answered
        if sent.method == "POST":
            time.sleep(0.01)
            answered += 1
        return always(200, '{"vector": [1, 2, 3]}')(sent)

    with fake_service(slow) as fake:
        assert ingest(fake, store, source()).stored == 40
    # Three wait, two are at the service, and answers take their way.
    assert ahead <= 8


def test_objects_are_vectorised_at_once(store: MemoryStore) -> None:
    inside, most = 0, 0
    lock = threading.Lock()
    answers = by_image({image(n): vector(n) for n in range(40)})

    def slow(sent: Sent) -> tuple[int, str, dict[str, str]]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return answers(sent)

    with fake_service(slow) as fake:
        ingest(fake, store, objects(40))
    assert 4 <= most <= 8


def test_of_objects_with_the_same_id_the_last_counts(fake: FakeService, store: MemoryStore) -> None:
    first = {"id": "a", "properties": {"image": image(1), "n": 1}}
    second = {"id": "a", "properties": {"image": image(2), "n": 1}}
    retitled = {"id": "a", "properties": {"image": image(1), "n": 2}}
    ingest(fake, store, [first])
    for given, last, number in (([second, first], 1, 1), ([second, retitled], 1, 2), ([retitled, first, second], 2, 1)):
        report = ingest(fake, store, given)
        assert report.failed == []
        (record,) = store.get("Photo", ["a"])
        np.testing.assert_array_equal(record.vector, np.array(vector(last), np.float32))
        assert record.properties == {"n": number}
        assert ingest(fake, store, [given[-1]]).unchanged == 1


def test_a_vector_is_not_kept_that_somebody_else_has_replaced_meanwhile(fake: FakeService, store: MemoryStore) -> None:
    ingest(fake, store, [{"id": "a", "properties": {"image": image(1), "n": 1}}])

    class Raced(MemoryStore):
        def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
            found = store.get(name, ids, vectors=vectors)
            return [replace(one, fingerprint="another:one") for one in found] if vectors else found

        def upsert(self, name: str, records: Sequence[Record]) -> list[Rejection]:
            return store.upsert(name, records)

    fake.requests.clear()
    ingest(fake, Raced(), [{"id": "a", "properties": {"image": image(1), "n": 2}}])
    assert len(fake.requests) == 1


def test_failures_keep_nothing_of_their_objects(fake: FakeService, store: MemoryStore) -> None:
    report = ingest(fake, store, [{"id": "bad", "properties": {"image": image(9999)}}, {"id": "none"}])
    assert len(report.failed) == 2
    for one in report.failed:
        assert (one.error.__traceback__, one.error.__cause__, one.error.__context__) == (None, None, None)


def test_ids_of_any_kind_are_texts(fake: FakeService, store: MemoryStore) -> None:
    given = [{"id": name, "properties": {"image": image(1)}} for name in (0, 5, "", uuid.UUID(int=7))]
    assert [one.id for one in ingest(fake, store, given).failed] == [""]
    assert ingest(fake, store, [given[0], given[1], given[3]]).unchanged == 3
    assert {one.id for one in store.find("Photo", None, 9)} == {"0", "5", str(uuid.UUID(int=7))}


def test_two_spellings_of_a_property(fake: FakeService, store: MemoryStore) -> None:
    (failed,) = ingest(fake, store, [{"id": "a", "properties": {"image": image(1), "N": 1, "n": 2}}]).failed
    assert "in two spellings" in str(failed)
