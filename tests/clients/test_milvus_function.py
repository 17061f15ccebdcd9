"""Milvus Lite calls a service by itself: a schema's function fills vectors on insert and embeds queries."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymilvus import DataType, Function, FunctionType, MilvusClient, MilvusException

import running
from embedding_clients import known
from pictures import SAMPLES, b64

COFFEE = (SAMPLES / "queries/coffee-small.jpg").read_bytes()


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[MilvusClient]:
    # pymilvus logs each refused call with a traceback.
    logging.disable(logging.CRITICAL)
    client = MilvusClient(str(tmp_path / "function.db"))
    yield client
    client.close()
    logging.disable(logging.NOTSET)


def collection(client: MilvusClient, service: running.Caller, dimensions: int = 384) -> None:
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("content", DataType.VARCHAR, max_length=65535)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
    schema.add_function(
        Function(
            name="embed",
            function_type=FunctionType.TEXTEMBEDDING,
            input_field_names=["content"],
            output_field_names=["vector"],
            params={
                "provider": "openai",
                "model_name": "conse-en",
                "api_key": "none",
                "base_url": f"{service.url}/v1",
                "dimensions": dimensions,
            },
        )
    )
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="COSINE")
    client.create_collection("things", schema=schema, index_params=index)


def test_texts_and_pictures(milvus: MilvusClient, clip_service: running.Caller) -> None:
    collection(milvus, clip_service)
    uri = f"data:image/jpeg;base64,{b64(COFFEE)}"
    contents = ["a rocket launch", uri, "a cat"]
    milvus.insert("things", [{"id": number, "content": content} for number, content in enumerate(contents)])
    stored = milvus.query("things", filter="id >= 0", output_fields=["vector"])
    rocket, cat, coffee = known(clip_service, texts=["a rocket launch", "a cat"], images=[COFFEE])
    vectors = [row["vector"] for row in sorted(stored, key=lambda row: row["id"])]
    np.testing.assert_allclose(vectors, [rocket, coffee, cat], atol=1e-6)
    for query, nearest in (("a launch of a rocket", 0), (uri, 1), ("a kitten", 2)):
        (hits,) = milvus.search("things", data=[query], anns_field="vector", limit=1)
        assert hits[0]["id"] == nearest


def test_a_fault_reaches_who_inserts(milvus: MilvusClient, clip_service: running.Caller) -> None:
    collection(milvus, clip_service, dimensions=8)
    with pytest.raises(MilvusException, match="384 numbers"):
        milvus.insert("things", [{"id": 1, "content": "a cat"}])
