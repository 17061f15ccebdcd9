"""What a user of pytidb does: tables, inserts, searches; with our embedding function and with pytidb's own.

On the stand-in this proves pytidb's side and ours, not TiDB; with TIDB_URL set it runs there as well.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pytidb import TiDBClient
from pytidb.embeddings import EmbeddingFunction
from pytidb.orm.types import TEXT
from pytidb.schema import TableModel, TableModelMeta
from sqlmodel import Field

import running
from pictures import SAMPLES, b64, photo
from vecmod.host.host_errors import ServiceError, ServiceUnreachable
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.tidb_sql import connection_url
from vecmod.host.tidb_embedding import VecmodEmbedding

# pytidb declares vectors as lists and reads them as arrays, which pydantic remarks at every row of to_list().
pytestmark = [
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.usefixtures("closed_litellm"),
]

PHOTOS = SAMPLES / "photos"
CAT_CROP = SAMPLES / "queries/cat-crop.png"


@pytest.fixture
def client(tidb_url: str) -> Iterator[TiDBClient]:
    opened = TiDBClient.connect(connection_url(tidb_url))
    yield opened
    opened.disconnect()


@pytest.fixture
def new_table(client: TiDBClient) -> Iterator[Callable[[Any], Any]]:
    """A function from an embedding function to an empty table of a model of its own: pytidb keeps them by name."""
    names: list[str] = []

    def make(embed: Any) -> Any:
        names.append(f"photos_{uuid.uuid4().hex[:12]}")
        fields = {
            "id": Field(default=None, primary_key=True),
            "name": Field(max_length=255),
            "image_uri": Field(default=None, sa_type=TEXT),
            "image_vec": embed.VectorField(source_field="image_uri", source_type="image"),
        }
        types = {"id": int | None, "name": str, "image_uri": str | None, "image_vec": list[float] | None}
        body = {"__annotations__": types, "__tablename__": names[-1], "__module__": __name__, **fields}
        kind: Any = TableModelMeta
        schema = kind(names[-1], (TableModel,), body)
        return client.create_table(schema=schema, if_exists="skip")

    yield make
    for name in names:
        client.drop_table(name)


def ours(service: running.Caller) -> Any:
    return VecmodEmbedding(service.url)


def stock(service: running.Caller) -> Any:
    model = service("GET", "/v1/models").json()["data"][0]["id"]
    return EmbeddingFunction(f"jina_ai/{model}", api_base=f"{service.url}/v1", api_key="none", multimodal=True)


def names_of(search: Any) -> list[str]:
    return [hit["name"] for hit in search.to_list()]


@pytest.mark.parametrize("function", [ours, stock])
def test_insert_and_search(
    function: Callable[[running.Caller], Any], new_table: Callable[[Any], Any], clip_service: running.Caller
) -> None:
    table = new_table(function(clip_service))
    photo_of = table.table_model
    table.insert(photo_of(name="cat", image_uri=PHOTOS / "cat.jpg"))
    table.insert({"name": "none", "image_uri": None})
    stored = table.bulk_insert(
        [photo_of(name=name, image_uri=(PHOTOS / f"{name}.jpg").as_uri()) for name in ("coffee", "rocket", "temple")]
    )
    assert [one.name for one in stored] == ["coffee", "rocket", "temple"]
    assert table.bulk_insert([]) == []
    assert table.rows() == 5

    for query in ("a cat", CAT_CROP, Image.open(CAT_CROP), CAT_CROP.as_uri()):
        assert names_of(table.search(query).skip_null_vectors().limit(1)) == ["cat"], query
    for query, expected in (("hot coffee", "coffee"), ("a space rocket", "rocket"), ("a buddhist temple", "temple")):
        assert names_of(table.search(query).skip_null_vectors().limit(1)) == [expected]

    (best, *others) = table.search(PHOTOS / "cat.jpg").distance_threshold(1.9).limit(5).to_list()
    assert (best["name"], best["_distance"]) == ("cat", pytest.approx(0, abs=1e-5))
    assert best["_score"] == pytest.approx(1, abs=1e-5)
    assert sorted(hit["name"] for hit in others) == ["coffee", "rocket", "temple"]
    assert names_of(table.search("a cat").distance_threshold(0.5).limit(5)) == ["cat"]
    vector = [float(number) for number in stored[1].image_vec]
    assert names_of(table.search(vector).distance_threshold(1e-3).limit(5)) == ["rocket"]
    assert names_of(table.search("a cat").filter({"name": "rocket"}, prefilter=True).limit(1)) == ["rocket"]


@pytest.mark.parametrize("function", [ours, stock])
def test_update_save_delete(
    function: Callable[[running.Caller], Any], new_table: Callable[[Any], Any], clip_service: running.Caller
) -> None:
    table = new_table(function(clip_service))
    row = table.insert(table.table_model(name="one", image_uri=(PHOTOS / "cat.jpg").as_uri()))
    table.update({"image_uri": (PHOTOS / "rocket.jpg").as_uri()}, {"name": "one"})
    near_rocket = table.search((PHOTOS / "rocket.jpg").as_uri()).distance_threshold(1e-3).limit(1)
    assert names_of(near_rocket) == ["one"]
    table.save(table.table_model(id=row.id, name="two", image_uri=(PHOTOS / "lime.jpg").as_uri()))
    assert names_of(table.search(PHOTOS / "lime.jpg").distance_threshold(1e-3).limit(1)) == ["two"]
    table.delete({"name": "two"})
    assert table.rows() == 0


def test_a_batch_with_data_uris_keeps_rows_and_vectors_together(
    new_table: Callable[[Any], Any], clip_service: running.Caller
) -> None:
    table = new_table(ours(clip_service))
    uris = {
        "cat": f"data:image/jpeg;base64,{b64(photo('cat'))}",
        "rocket": (PHOTOS / "rocket.jpg").as_uri(),
        "lime": f"data:image/jpeg;base64,{b64(photo('lime'))}",
        "temple": str(PHOTOS / "temple.jpg"),
    }
    table.bulk_insert([table.table_model(name=name, image_uri=uri) for name, uri in uris.items()])
    for name in uris:
        (hit,) = table.search(PHOTOS / f"{name}.jpg").limit(1).to_list()
        assert (hit["name"], hit["_distance"]) == (name, pytest.approx(0, abs=1e-5))


@pytest.fixture
def photo_server() -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(PHOTOS))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("function", [ours, stock])
def test_urls_are_fetched_by_a_service_that_may(
    function: Callable[[running.Caller], Any], new_table: Callable[[Any], Any], photo_server: str, cache: Path
) -> None:
    allowed = photo_server.removeprefix("http://")
    with running.in_thread(running.clip(cache, VECMOD_ALLOW_URLS=allowed)) as service:
        table = new_table(function(service))
        table.bulk_insert(
            [table.table_model(name=name, image_uri=f"{photo_server}/{name}.jpg") for name in ("cat", "lime")]
        )
        assert names_of(table.search(f"{photo_server}/lime.jpg").limit(1)) == ["lime"]


def test_urls_are_refused_by_a_service_that_may_not(
    new_table: Callable[[Any], Any], clip_service: running.Caller, photo_server: str
) -> None:
    table = new_table(ours(clip_service))
    with pytest.raises(ServiceError, match="images"):
        table.insert(table.table_model(name="cat", image_uri=f"{photo_server}/cat.jpg"))
    assert table.rows() == 0


def test_a_service_that_is_down_leaves_no_row(new_table: Callable[[Any], Any], cache: Path) -> None:
    with running.in_thread(running.clip(cache)) as service:
        table = new_table(ours(service))
    with pytest.raises(ServiceUnreachable):
        table.insert(table.table_model(name="cat", image_uri=str(PHOTOS / "cat.jpg")))
    with pytest.raises(ServiceUnreachable):
        table.bulk_insert([table.table_model(name="cat", image_uri=str(PHOTOS / "cat.jpg"))])
    assert table.rows() == 0


def test_the_module_host_on_tidb(tidb_url: str, clip_service: running.Caller) -> None:
    variables = {"ENABLE_MODULES": "multi2vec-clip", "CLIP_INFERENCE_API": clip_service.url, "VECMOD_STORE": tidb_url}
    definition = {
        "class": "PytidbFlow",
        "vectorizer": "multi2vec-clip",
        "moduleConfig": {"multi2vec-clip": {"imageFields": ["image"]}},
        "properties": [{"name": "image", "dataType": ["blob"]}, {"name": "tags", "dataType": ["text[]"]}],
    }
    objects = [
        {"id": name, "properties": {"image": b64(photo(name)), "tags": tags}}
        for name, tags in (("cat", ["animal"]), ("lime", ["fruit", "green"]), ("melon", ["fruit"]))
    ]
    with ModuleHost(HostSettings.read(variables)) as host:
        host.drop_class("PytidbFlow")
        photos = host.create_class(definition)
        assert (photos.insert_many(objects).stored, photos.insert_many(objects).unchanged) == (3, 3)
        assert photos.near_image(CAT_CROP, limit=1)[0].id == "cat"
        assert photos.near_text("a cat", limit=1)[0].id == "cat"
        assert [hit.id for hit in photos.near_image(CAT_CROP, filter={"tags": "green"})] == ["lime"]
        assert {hit.id for hit in photos.near_object("lime", filter={"tags": {"$ne": "animal"}})} == {"melon"}
        host.drop_class("PytidbFlow")
