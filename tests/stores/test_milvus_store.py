"""What Milvus Lite adds to the conformance suite: its file outlives its process, however that ends."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import MilvusClient

from vecmod.host.stores.milvus_store import MilvusStore
from vecmod.host.stores.store import Record, StoredClass

CLASS = StoredClass({"class": "Kept"}, 8)
_WRITER = """
import sys
import numpy as np
from vecmod.host.stores.milvus_store import MilvusStore
from vecmod.host.stores.store import Record, StoredClass

store = MilvusStore(sys.argv[1])
store.create_class("Kept", StoredClass({"class": "Kept"}, 8))
for start in range(0, 10**6, 100):
    vectors = np.random.default_rng(start).normal(size=(100, 8)).astype(np.float32)
    assert store.upsert("Kept", [Record(f"r{start + n}", vectors[n], {"n": start + n}) for n in range(100)]) == []
    print(start + 100, flush=True)
"""


def test_what_was_stored_is_there_after_kill_9(tmp_path: Path) -> None:
    path = str(tmp_path / "kept.db")
    command = [sys.executable, "-c", _WRITER, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            stored = int(line)
            if stored >= 1500:
                break
        writer.kill()
    store = MilvusStore(path)
    assert store.get_class("Kept") == CLASS
    assert store.count("Kept") >= stored
    last = store.get("Kept", [f"r{stored - 1}"])[0]
    assert last.properties == {"n": stored - 1}
    assert store.search("Kept", last.vector, 1)[0].id == last.id
    np.testing.assert_allclose(
        last.vector, np.random.default_rng(stored - 100).normal(size=(100, 8)).astype(np.float32)[99], atol=1e-6
    )
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MilvusStore]:
    opened = MilvusStore(str(tmp_path / "store.db"))
    opened.create_class("Kept", CLASS)
    yield opened
    opened.close()


def records(start: int, end: int) -> list[Record]:
    vectors = np.random.default_rng(start).normal(size=(end - start, 8)).astype(np.float32)
    return [Record(f"r{number}", vectors[number - start], {"n": number}) for number in range(start, end)]


def spy(monkeypatch: pytest.MonkeyPatch, method: str) -> list[dict[str, Any]]:
    """What the client is asked by name; it still does it."""
    asked: list[dict[str, Any]] = []
    real = getattr(MilvusClient, method)

    def watched(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs)
        return real(*args, **kwargs)

    monkeypatch.setattr(MilvusClient, method, watched)
    return asked


def test_collections_of_others_are_not_dropped(store: MilvusStore) -> None:
    store._client.create_collection("Theirs", dimension=8)
    store.drop_class("Theirs")
    store.drop_class("Nowhere")
    assert store._client.has_collection("Theirs")
    store.drop_class("Kept")
    assert not store._client.has_collection("Kept")


def test_a_read_during_a_write_does_not_weaken_the_first_after_it(
    store: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = MilvusClient.upsert

    def read_during(self: MilvusClient, *args: Any, **kwargs: Any) -> Any:
        store.count("Kept")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(MilvusClient, "upsert", read_during)
    store.upsert("Kept", records(0, 3))
    reads = spy(monkeypatch, "query")
    assert [store.count("Kept"), store.count("Kept")] == [3, 3]
    assert [read.get("consistency_level") for read in reads] == ["Strong", None]


def test_many_new_rows_are_flushed_once_before_they_are_read(
    store: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes = spy(monkeypatch, "flush")
    store.upsert("Kept", records(0, 1000))
    assert store.count("Kept") == 1000
    assert len(flushes) == 0
    store.upsert("Kept", records(1000, 2500))
    store.upsert("Kept", records(0, 10))
    assert store.search("Kept", records(1000, 2500)[7].vector, 1)[0].id == "r1007"
    assert store.count("Kept") == 2500
    assert len(flushes) == 1


def test_only_get_fetches_vectors(store: MilvusStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.upsert("Kept", records(0, 3))
    queries, searches = spy(monkeypatch, "query"), spy(monkeypatch, "search")
    assert {one.properties["n"] for one in store.find("Kept", None, 10)} == {0, 1, 2}
    assert {hit.properties["n"] for hit in store.search("Kept", records(0, 1)[0].vector, 3)} == {0, 1, 2}
    assert [asked["output_fields"] for asked in queries + searches] == [["$meta"], ["$meta"]]
    assert store.get("Kept", ["r1"])[0].vector.size == 8
