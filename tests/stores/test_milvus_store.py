"""What Milvus Lite adds to the conformance suite: its file outlives its process, however that ends."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from vecmod.host.stores.milvus_store import MilvusStore
from vecmod.host.stores.store import StoredClass

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
