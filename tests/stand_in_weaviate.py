"""A server in this process that speaks Weaviate's wire to its official client: REST for schemas, gRPC for all else.

It proves the client side: that the official client accepts what the host gives it, what goes over the wire, how
answers and errors come back; and that our services, really asked with Weaviate's requests (vecmod's own client sends
them, which is held against 118 recorded cases of Weaviate's), give the vectors that are then found. It does not prove
Weaviate: its index, tokenization, schema rules, limits and messages are imitated here as far as the tests look, from
Weaviate's sources. The same tests run on a real one: WEAVIATE_URL or WEAVIATE_BINARY, see CONTRIBUTING.md.
"""

import json
import re
import struct
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
from google.protobuf.json_format import MessageToDict
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

from vecmod.host.catalog import IMG2VEC_NEURAL, known_modules
from vecmod.host.classconfig import ClassConfig, parse_class
from vecmod.host.client import ServiceClient
from vecmod.host.collect import collect
from vecmod.host.combine import combine
from vecmod.host.data_types import read_type
from vecmod.host.host_errors import HostError, InvalidClass, ServiceUnreachable
from vecmod.host.near_text import Move, TextQuery, text_vector
from vecmod.host.stores.store import Vector

BLOB = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
EXPLORER = (
    "explorer: get class: concurrentTargetVectorSearch): explorer: get class: vectorize search vector: "
    "vectorize params: vectorize params: "
)
HNSW = {
    "distance": "cosine",
    "cleanupIntervalSeconds": 300,
    "maxConnections": 32,
    "efConstruction": 128,
    "ef": -1,
    "dynamicEfMin": 100,
    "dynamicEfMax": 500,
    "dynamicEfFactor": 8,
    "vectorCacheMaxObjects": 1000000000000,
    "flatSearchCutoff": 40000,
    "skip": False,
}
DEFAULTS = {
    "invertedIndexConfig": {
        "bm25": {"b": 0.75, "k1": 1.2},
        "cleanupIntervalSeconds": 60,
        "stopwords": {"preset": "en", "additions": None, "removals": None},
    },
    "multiTenancyConfig": {"enabled": False},
    "replicationConfig": {"factor": 1},
    "shardingConfig": {
        "virtualPerPhysical": 128,
        "desiredCount": 1,
        "actualCount": 1,
        "desiredVirtualCount": 128,
        "actualVirtualCount": 128,
        "key": "_id",
        "strategy": "hash",
        "function": "murmur3",
    },
}
OPERATOR = base_pb2.Filters.Operator


class Refused(Exception):
    """What a query is answered with; the text is Weaviate's."""


@dataclass
class Kept:
    properties: dict[str, Any]
    vectors: dict[str, Vector]


@dataclass
class Shelf:
    definition: dict[str, Any]
    objects: dict[str, Kept] = field(default_factory=dict)

    def vector_names(self) -> list[str]:
        return list(self.definition.get("vectorConfig") or [""])

    def config(self, vector: str) -> ClassConfig:
        return parse_class(self.definition, known_modules(), "none", by_position=True, vector=vector)

    def types(self) -> dict[str, str]:
        return {one["name"]: one["dataType"][0] for one in self.definition["properties"]}

    def tokenization(self, name: str) -> str:
        return str(next(one for one in self.definition["properties"] if one["name"] == name).get("tokenization"))


class Database:
    """Classes, and the services that vectorise them; ``key`` is wanted from every caller unless it is empty."""

    def __init__(self, origins: Mapping[str, str], key: str) -> None:
        self.shelves: dict[str, Shelf] = {}
        self.key = key
        modules = known_modules()
        self._clients = {name: ServiceClient(modules[name], url, 50) for name, url in origins.items()}
        # Weaviate: 2 x GOMAXPROCS
        self._pool = ThreadPoolExecutor(4)

    def close(self) -> None:
        self._pool.shutdown()
        for client in self._clients.values():
            client.close()

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["class"] in self.shelves:
            raise InvalidClass(f"class name {given['class']} already exists")
        if unknown := [name for name in modules_of(given) if name not in self._clients]:
            raise InvalidClass(f'vectorizer: no module with name "{unknown[0]}" present')
        index = {"vectorIndexType": "hnsw", "vectorIndexConfig": HNSW}
        definition = {**DEFAULTS, **given, "properties": [with_defaults(one) for one in given.get("properties") or []]}
        if "vectorConfig" in given:
            definition["vectorConfig"] = {name: {**index, **one} for name, one in given["vectorConfig"].items()}
        else:
            definition |= {**index, "vectorizer": given.get("vectorizer", "none")}
        shelf = Shelf(definition)
        for name in shelf.vector_names():
            shelf.config(name)
        self.shelves[given["class"]] = shelf
        return definition

    def shelf(self, name: str) -> Shelf:
        if name not in self.shelves:
            raise Refused(f"could not find class {name} in schema")
        return self.shelves[name]

    def insert_all(self, objects: Sequence[batch_pb2.BatchObject]) -> dict[int, str]:
        errors = enumerate(self._pool.map(self._insert, objects))
        return {index: error for index, error in errors if error}

    def _insert(self, one: batch_pb2.BatchObject) -> str:
        try:
            shelf = self.shelf(one.collection)
            properties = self._checked(shelf, properties_of(one.properties))
            vectors = {name: self._vectorize(shelf.config(name), properties, one.uuid) for name in shelf.vector_names()}
        except Refused as error:
            return str(error)
        kept = {name: vector for name, vector in vectors.items() if vector is not None}
        shelf.objects[one.uuid] = Kept(properties, kept)
        return ""

    def _checked(self, shelf: Shelf, properties: dict[str, Any]) -> dict[str, Any]:
        for name, value in properties.items():
            if name not in shelf.types():  # auto schema
                shelf.definition["properties"].append(with_defaults({"name": name, "dataType": [guess(value)]}))
            kind = shelf.types()[name]
            if kind == "blob" and not (isinstance(value, str) and BLOB.fullmatch(value)):
                raise Refused(f"invalid blob property '{name}' on class: not a valid blob base64 string")
            if kind in ("int", "int[]"):
                properties[name] = [int(item) for item in value] if isinstance(value, list) else int(value)
            elif (plain := read_type(kind)) and not plain.holds(value):
                raise Refused(f"invalid {kind} property '{name}' on class: not a {kind}, but {value!r}")
        return properties

    def _vectorize(self, config: ClassConfig, properties: dict[str, Any], name: str) -> Vector | None:
        pieces = collect(config, properties)
        try:
            return combine(pieces, self.client(config).vectorize(pieces, name)) if pieces else None
        except HostError as error:
            raise Refused(weaviates_words(config, error)) from error

    def client(self, config: ClassConfig) -> ServiceClient:
        client = self._clients[config.module]
        return client.at(config.origin) if config.origin else client

    def search(self, request: search_get_pb2.SearchRequest) -> Sequence[tuple[str, Kept, float | None]]:
        shelf = self.shelf(request.collection)
        found = [(one, kept) for one, kept in shelf.objects.items() if self._meets(shelf, one, kept, request.filters)]
        operator = next((name for name in NEAR if request.HasField(name)), None)
        if operator is None:
            return [(one, kept, None) for one, kept in found][request.offset :][: request.limit]
        near = getattr(request, operator)
        vector = self._target(shelf, near)
        query = self._query(shelf, vector, operator, near)
        hits = [
            (one, kept, cosine_distance(query, kept.vectors[vector])) for one, kept in found if vector in kept.vectors
        ]
        limit = near.distance if near.HasField("distance") else 3.0
        nearest = sorted((hit for hit in hits if hit[2] <= limit), key=lambda hit: hit[2])
        return nearest[request.offset :][: request.limit]

    def _target(self, shelf: Shelf, near: Any) -> str:
        names = list(near.targets.target_vectors) or list(near.target_vectors)
        have = shelf.vector_names()
        if not names and len(have) > 1:
            raise Refused("class has multiple vectors, but no target vectors were provided")
        if names and names[0] not in have:
            raise Refused(f"class does not have named vector {names[0]} configured. Available named vectors {have}")
        return names[0] if names else have[0]

    def _query(self, shelf: Shelf, vector: str, operator: str, near: Any) -> Vector:
        def stored(name: str) -> Vector:
            if name not in shelf.objects or vector not in shelf.objects[name].vectors:
                raise Refused(f"{EXPLORER}nearObject params: vector not found")
            return shelf.objects[name].vectors[vector]

        if operator == "near_vector":
            given = near.vector_for_targets[0].vector_bytes if near.vector_for_targets else near.vector_bytes
            if not given and near.vectors:
                given = near.vectors[0].vector_bytes
            return np.frombuffer(given, np.float32)
        if operator == "near_object":
            return stored(near.id)
        config = shelf.config(vector)
        client = self.client(config)
        try:
            if operator == "near_text":
                moves = [
                    Move(move.force, tuple(move.concepts), tuple(move.uuids)) if near.HasField(name) else None
                    for name, move in (("move_to", near.move_to), ("move_away", near.move_away))
                ]
                return text_vector(client, TextQuery(list(near.query), *moves), stored)
            kind = operator.removeprefix("near_")
            modality = next(one for one in client.module.modalities if one.name == kind)
            return client.vectorize_query(modality, getattr(near, kind))
        except HostError as error:
            raise Refused(EXPLORER + weaviates_words(config, error)) from error

    def _meets(self, shelf: Shelf, name: str, kept: Kept, wanted: base_pb2.Filters) -> bool:
        if wanted.operator == OPERATOR.OPERATOR_UNSPECIFIED:
            return True
        if wanted.operator in (OPERATOR.OPERATOR_AND, OPERATOR.OPERATOR_OR):
            met = [self._meets(shelf, name, kept, part) for part in wanted.filters]
            return all(met) if wanted.operator == OPERATOR.OPERATOR_AND else any(met)
        of = wanted.target.property
        if of != "_id" and of not in shelf.types():
            raise Refused(f"no such prop with name '{of}' found in class '{shelf.definition['class']}' in the schema")
        field_name = str(wanted.WhichOneof("test_value"))
        asked = getattr(wanted, field_name)
        if wanted.operator == OPERATOR.OPERATOR_CONTAINS_ANY:
            return name in asked.values
        value = name if of == "_id" else kept.properties.get(of)
        tokenization = "field" if of == "_id" else shelf.tokenization(of)
        held = [] if value is None else value if isinstance(value, list) else [value]
        equal = any(same(one, asked, tokenization) for one in held)
        if wanted.operator == OPERATOR.OPERATOR_EQUAL:
            return equal
        if wanted.operator == OPERATOR.OPERATOR_NOT_EQUAL:
            return not equal
        return any(SIGNS[wanted.operator](one, asked) for one in held)


NEAR = [f"near_{name}" for name in "vector object text image audio video depth thermal imu".split()]
SIGNS = {
    OPERATOR.OPERATOR_LESS_THAN: lambda one, other: one < other,
    OPERATOR.OPERATOR_LESS_THAN_EQUAL: lambda one, other: one <= other,
    OPERATOR.OPERATOR_GREATER_THAN: lambda one, other: one > other,
    OPERATOR.OPERATOR_GREATER_THAN_EQUAL: lambda one, other: one >= other,
}


def same(one: Any, other: Any, tokenization: str) -> bool:
    if not isinstance(one, str):
        return bool(one == other)
    if tokenization == "field":
        return one.strip() == str(other).strip()
    words, asked = (set(re.findall(r"\w+", text.lower())) for text in (one, str(other)))
    return asked <= words


def cosine_distance(query: Vector, vector: Vector) -> float:
    if len(query) != len(vector):
        raise Refused(f"explorer: get class: vector search: vector lengths don't match: {len(query)} vs {len(vector)}")
    return float(1 - query @ vector / np.linalg.norm(query) / np.linalg.norm(vector))


def modules_of(definition: Mapping[str, Any]) -> list[str]:
    if "vectorConfig" in definition:
        return [name for one in definition["vectorConfig"].values() for name in one["vectorizer"]]
    return [definition["vectorizer"]] if definition.get("vectorizer", "none") != "none" else []


def with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    is_text = given["dataType"][0] in ("text", "text[]")
    added = {"indexFilterable": True, "indexSearchable": is_text, "indexRangeFilters": False}
    return {**added, **({"tokenization": "word"} if is_text else {}), **given}


def guess(value: Any) -> str:
    one = value[0] if isinstance(value, list) and value else value
    kind = "boolean" if isinstance(one, bool) else "number" if isinstance(one, int | float) else "text"
    return f"{kind}[]" if isinstance(value, list) else kind


def weaviates_words(config: ClassConfig, error: HostError) -> str:
    """img2vec's client drops what the service says; a service that is away is named as Go names it."""
    if isinstance(error, ServiceUnreachable):
        return 'send POST request: Post "http://service": dial tcp 127.0.0.1: connect: connection refused'
    text = str(error)
    return re.sub(r"(status \d+): .*", r"\1", text) if config.module == IMG2VEC_NEURAL.name else text


def properties_of(sent: Any) -> dict[str, Any]:
    """Properties of a batch object, or of one inside it."""
    properties: dict[str, Any] = MessageToDict(sent.non_ref_properties)
    for kind in ("boolean", "text", "int"):
        properties |= {one.prop_name: list(one.values) for one in getattr(sent, f"{kind}_array_properties")}
    for one in sent.number_array_properties:
        packed = [number for (number,) in struct.iter_unpack("<d", one.values_bytes)]
        properties[one.prop_name] = packed or list(one.values)
    properties |= {one.prop_name: properties_of(one.value) for one in sent.object_properties}
    return properties | {name: [] for name in sent.empty_list_props}


def value_of(kind: str, value: Any) -> dict[str, Any]:
    """A property as an answer holds it (Value of properties.proto)."""
    if value is None:
        return {"null_value": 0}
    if isinstance(value, list):
        if kind == "int[]":
            return {"list_value": {"int_values": {"values": struct.pack(f"<{len(value)}q", *value)}}}
        if kind == "number[]":
            return {"list_value": {"number_values": {"values": struct.pack(f"<{len(value)}d", *value)}}}
        one = {"boolean[]": "bool"}.get(kind, kind.removesuffix("[]"))
        return {"list_value": {f"{one}_values": {"values": value}}}
    return {f"{ {'boolean': 'bool'}.get(kind, kind) }_value": value}


class Grpc(weaviate_pb2_grpc.WeaviateServicer):
    def __init__(self, database: Database) -> None:
        self._database = database

    def Search(self, request: search_get_pb2.SearchRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answered(context):
            hits = self._database.search(request)
            shelf = self._database.shelf(request.collection)
            return search_get_pb2.SearchReply(results=[result(shelf, request, *hit) for hit in hits])

    def BatchObjects(self, request: batch_pb2.BatchObjectsRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answered(context):
            errors = self._database.insert_all(request.objects)
            kind = batch_pb2.BatchObjectsReply.BatchError
            found = [kind(index=index, error=error) for index, error in errors.items()]
            return batch_pb2.BatchObjectsReply(errors=found)

    def BatchDelete(self, request: batch_delete_pb2.BatchDeleteRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answered(context):
            # Weaviate: QUERY_MAXIMUM_RESULTS; here so few that asking again is tried.
            asked = search_get_pb2.SearchRequest(collection=request.collection, filters=request.filters, limit=2)
            hits = self._database.search(asked)
            for one, _, _ in hits:
                del self._database.shelf(request.collection).objects[one]
            return batch_delete_pb2.BatchDeleteReply(matches=len(hits), successful=len(hits))

    def Aggregate(self, request: aggregate_pb2.AggregateRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answered(context):
            count = len(self._database.shelf(request.collection).objects)
            return aggregate_pb2.AggregateReply(single_result=aggregate_pb2.AggregateReply.Single(objects_count=count))

    @contextmanager
    def _answered(self, context: grpc.ServicerContext) -> Iterator[None]:
        sent = dict(context.invocation_metadata())
        if self._database.key and sent.get("authorization") != f"Bearer {self._database.key}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthorized: invalid api key")
        try:
            yield
        except Refused as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))


def result(
    shelf: Shelf, request: search_get_pb2.SearchRequest, name: str, kept: Kept, distance: float | None
) -> search_get_pb2.SearchResult:
    types = shelf.types()
    wanted = list(request.properties.non_ref_properties)
    if not request.HasField("properties") or request.properties.return_all_nonref_properties:
        wanted = [one for one, kind in types.items() if kind != "blob"]
    if unknown := [one for one in wanted if one not in types]:
        raise Refused(f"no such prop with name '{unknown[0]}' found in class")
    answer = search_get_pb2.SearchResult()
    for one in wanted:
        answer.properties.non_ref_props.fields[one].MergeFrom(
            properties_pb2.Value(**value_of(types[one], kept.properties.get(one)))
        )
    answer.metadata.id_as_bytes = uuid.UUID(name).bytes
    if request.metadata.creation_time_unix:  # nobody looks at it, but the client insists
        answer.metadata.creation_time_unix = answer.metadata.last_update_time_unix = 1_700_000_000_000
        answer.metadata.creation_time_unix_present = answer.metadata.last_update_time_unix_present = True
    if distance is not None:
        answer.metadata.distance, answer.metadata.distance_present = distance, True
    add_vectors(answer, request.metadata, kept)
    return answer


def add_vectors(answer: search_get_pb2.SearchResult, wanted: search_get_pb2.MetadataRequest, kept: Kept) -> None:
    for vector, numbers in kept.vectors.items():
        packed = numbers.astype(np.float32).tobytes()
        if vector == "" and wanted.vector:
            answer.metadata.vector_bytes = packed
        elif vector in wanted.vectors or (vector and wanted.vector):
            answer.metadata.vectors.add(name=vector, vector_bytes=packed)


class Rest(BaseHTTPRequestHandler):
    # HTTP/1.0, so that no kept connection outlives the server.
    database: Database

    def do_GET(self) -> None:
        name = self.path.removeprefix("/v1/schema/")
        shelves = self.database.shelves
        if self.path == "/v1/schema":
            self._answer(200, {"classes": [one.definition for one in shelves.values()]})
        elif self.path == "/v1/meta":
            self._answer(200, {"version": "1.34.0", "modules": {}, "grpcMaxMessageSize": 104858000})
        elif name in shelves:
            self._answer(200, shelves[name].definition)
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self._answer(200, self.database.create(given))
        except InvalidClass as error:
            self._answer(422, {"error": [{"message": str(error)}]})

    def do_DELETE(self) -> None:
        self.database.shelves.pop(self.path.removeprefix("/v1/schema/"), None)
        self._answer(200, {})

    def _answer(self, status: int, body: object) -> None:
        if self.database.key and self.headers.get("Authorization") != f"Bearer {self.database.key}":
            status, body = 401, {"code": 401, "message": "anonymous access not enabled, please provide an api key"}
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def stand_in_weaviate(origins: Mapping[str, str], key: str = "") -> Iterator[str]:
    """The URL of a store, ``weaviate://...``, without the key; ``origins`` are services by module."""
    database = Database(origins, key)
    speaker = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 104858000)])
    weaviate_pb2_grpc.add_WeaviateServicer_to_server(Grpc(database), speaker)  # type: ignore[no-untyped-call]
    port = speaker.add_insecure_port("127.0.0.1:0")
    speaker.start()
    with Server(("127.0.0.1", 0), type("Handler", (Rest,), {"database": database})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"weaviate://127.0.0.1:{server.server_address[1]}?grpc={port}"
        finally:
            server.shutdown()
            thread.join()
            speaker.stop(0).wait()
            database.close()
