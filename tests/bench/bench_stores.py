"""What each store takes in and answers by itself, without a service: unit vectors of 512 numbers, one caller.

Directions are random, which is the hardest case for an index; recall is held against exact search.

    python tests/bench/bench_stores.py --rows 10000
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from typesense_server import TypesenseServer
from vecmod.host.stores.filter import Filter, OneOf
from vecmod.host.stores.open_store import open_store
from vecmod.host.stores.store import Record, Store, StoredClass, Vector

DIM = 512
BATCH = 100  # what ingest writes at once
QUERIES = 100
LIMIT = 10
NAME = "Bench"
CLASS = StoredClass({"class": NAME, "properties": [{"name": "tags", "dataType": ["text[]"]}]}, DIM)
RARE = OneOf("tags", ("rare",), is_list=True)


def directions(random: np.random.Generator, count: int) -> Vector:
    vectors = random.normal(size=(count, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def insert(store: Store, vectors: Vector) -> float:
    """Objects a second; one of a hundred has the rare tag."""
    started = time.perf_counter()
    for start in range(0, len(vectors), BATCH):
        numbers = range(start, min(start + BATCH, len(vectors)))
        tags = [["common", "rare"] if number % 100 == 0 else ["common"] for number in numbers]
        records = [
            Record(f"r{number}", vectors[number], {"tags": tag}) for number, tag in zip(numbers, tags, strict=True)
        ]
        assert store.upsert(NAME, records) == []
    return len(vectors) / (time.perf_counter() - started)


def search(store: Store, vectors: Vector, queries: Vector, condition: Filter | None) -> tuple[float, float]:
    """Median milliseconds of a search, and the share of the true nearest that it found."""
    among = np.arange(0, len(vectors), 100 if condition else 1)
    seconds, shares = [], []
    for query in queries:
        started = time.perf_counter()
        hits = store.search(NAME, query, LIMIT, condition)
        seconds.append(time.perf_counter() - started)
        nearest = {f"r{number}" for number in among[np.argsort(-(vectors[among] @ query))[:LIMIT]]}
        shares.append(len(nearest & {hit.id for hit in hits}) / len(nearest))
    return 1000 * median(seconds), float(np.mean(shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000, help="objects in each store")
    parser.add_argument("--stores", default="memory,milvus-lite,typesense", help="which ones, separated by commas")
    options = parser.parse_args()
    random = np.random.default_rng(1)
    vectors, queries = directions(random, options.rows), directions(random, QUERIES)
    with tempfile.TemporaryDirectory() as folder:
        server = TypesenseServer(Path(folder))

        def typesense() -> str:
            server.start()
            return server.url

        urls: dict[str, Callable[[], str]] = {
            "memory": lambda: "memory://",
            "milvus-lite": lambda: f"{folder}/bench.db",
            "typesense": typesense,
        }
        print(
            f"{options.rows} objects of {DIM} numbers, {BATCH} at a time; {LIMIT} nearest, {QUERIES} queries, 1 caller"
        )
        print(f"{'store':12} {'insert/s':>9} {'search ms':>10} {'recall':>7} {'filtered ms':>12} {'recall':>7}")
        try:
            for name in options.stores.split(","):
                store = open_store(urls[name]())
                store.create_class(NAME, CLASS)
                rate = insert(store, vectors)
                whole, narrowed = (search(store, vectors, queries, condition) for condition in (None, RARE))
                print(
                    f"{name:12} {rate:9.0f} {whole[0]:10.1f} {whole[1]:7.3f} {narrowed[0]:12.1f} {narrowed[1]:7.3f}",
                    flush=True,
                )
                store.close()
        finally:
            server.kill()


if __name__ == "__main__":
    main()
