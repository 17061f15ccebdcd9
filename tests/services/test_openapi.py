"""The OpenAPI document is complete, and its examples are real: each is sent to the running service."""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

import running
from vecmod.contract.embeddings_api import EmbeddingsRequest, EmbeddingsResponse
from vecmod.contract.vectors_api import VectorizeRequest, VectorizeResponse, VectorRequest, VectorResponse, examples_of
from vecmod.serving.http.openapi import build_openapi

BODIES: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "/vectors": (VectorRequest, VectorResponse),
    "/vectorize": (VectorizeRequest, VectorizeResponse),
    "/v1/embeddings": (EmbeddingsRequest, EmbeddingsResponse),
    "/embeddings": (EmbeddingsRequest, EmbeddingsResponse),
}
DOCUMENT = build_openapi("img2vec-neural")
EXAMPLES = [
    (path, name, example["value"])
    for path, item in DOCUMENT["paths"].items()
    for operation in item.values()
    for name, example in operation.get("requestBody", {})
    .get("content", {})
    .get("application/json", {})
    .get("examples", {})
    .items()
]


def test_there_are_examples() -> None:
    shown = [path for path, _, _ in EXAMPLES]
    assert {path: shown.count(path) for path in BODIES} == {
        path: len(examples_of(body)) for path, (body, _) in BODIES.items()
    }
    assert len(shown) == 12


@pytest.mark.parametrize(("path", "name", "body"), EXAMPLES)
def test_examples_are_answered(path: str, name: str, body: Any, service: running.Caller) -> None:
    answer = service("POST", path, body)
    assert answer.status == 200, (name, answer.body)
    BODIES[path][1].model_validate_json(answer.body)


def test_the_service_hands_it_out(service: running.Caller) -> None:
    assert service("GET", "/openapi.json").json() == json.loads(json.dumps(DOCUMENT))


def test_every_route_is_described(cache: Any) -> None:
    app = running.img2vec(cache).config.app
    routes = {route.path.replace(":path}", "}") for route in app.routes}  # type: ignore[union-attr]
    assert routes - DOCUMENT["paths"].keys() == {"/openapi.json", "/docs", "/"}


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    for reference in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert reference in DOCUMENT["components"]["schemas"]


def test_docs_page_asks_nobody_else(service: running.Caller) -> None:
    page = service("GET", "/docs").body.decode()
    assert "openapi.json" in page
    assert re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page) == []
