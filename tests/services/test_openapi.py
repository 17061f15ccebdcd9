"""The OpenAPI document is complete, and its examples are real: each is sent to the running service."""

import json
import re
from typing import Any

import pytest

import running
from vecmod.contract.vectors_api import VectorizeRequest, VectorizeResponse, VectorRequest, VectorResponse, examples_of
from vecmod.serving.http.openapi import build_openapi

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
    assert {path for path, _, _ in EXAMPLES} == {"/vectors", "/vectorize"}
    assert len(EXAMPLES) == len(examples_of(VectorRequest)) + len(examples_of(VectorizeRequest)) == 4


@pytest.mark.parametrize(("path", "name", "body"), EXAMPLES)
def test_examples_are_answered(path: str, name: str, body: Any, service: running.Caller) -> None:
    answer = service("POST", path, body)
    assert answer.status == 200, (name, answer.body)
    (VectorResponse if path == "/vectors" else VectorizeResponse).model_validate_json(answer.body)


def test_the_service_hands_it_out(service: running.Caller) -> None:
    assert service("GET", "/openapi.json").json() == json.loads(json.dumps(DOCUMENT))


def test_every_route_is_described(cache: Any) -> None:
    app = running.img2vec(cache).config.app
    routes = {route.path for route in app.routes}  # type: ignore[union-attr]
    assert routes - DOCUMENT["paths"].keys() == {"/openapi.json", "/docs"}


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    for reference in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert reference in DOCUMENT["components"]["schemas"]


def test_docs_page_asks_nobody_else(service: running.Caller) -> None:
    page = service("GET", "/docs").body.decode()
    assert "openapi.json" in page
    assert re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page) == []
