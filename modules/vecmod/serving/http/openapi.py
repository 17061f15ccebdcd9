"""``/openapi.json`` from the contract's own types."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from vecmod import __version__
from vecmod.contract.embeddings_api import (
    EmbeddingsRequest,
    EmbeddingsResponse,
    ModelEntry,
    ModelsResponse,
    OpenAIErrorBody,
)
from vecmod.contract.errors import ErrorBody
from vecmod.contract.meta_api import MetaResponse
from vecmod.contract.priority import PRIORITY_HEADER, Priority
from vecmod.contract.vectors_api import (
    VectorizeRequest,
    VectorizeResponse,
    VectorRequest,
    VectorResponse,
    examples_of,
)
from vecmod.serving.http.paths import EMBEDDINGS, MODELS
from vecmod.serving.http.request_terms import TIMEOUT

_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
_TERMS = [
    {
        "name": PRIORITY_HEADER,
        "in": "header",
        "description": "queries go before imports; by default a query is what holds a few texts and nothing else",
        "schema": {"type": "string", "enum": [str(priority) for priority in Priority]},
    },
    {
        "name": TIMEOUT,
        "in": "header",
        "description": "seconds after which the answer is of no use: what is not done by then is answered 503",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
]
_MODELS: tuple[type[BaseModel], ...] = (
    VectorRequest, VectorResponse, VectorizeRequest, VectorizeResponse, MetaResponse, ErrorBody,
    EmbeddingsRequest, EmbeddingsResponse, ModelEntry, ModelsResponse, OpenAIErrorBody,
)  # fmt: skip
_FAULTS = {
    "400": "malformed request",
    "401": "token missing or wrong",
    "408": "the body stopped coming",
    "413": "body, number of items or pixels over the limit",
    "422": "an item cannot be decoded or fetched, or the model has no such modality",
    "503": "busy, starting or draining; Retry-After says when to try again",
}
# OpenAI's clients know no 422.
_OPENAI_FAULTS = {
    **{status: text for status, text in _FAULTS.items() if status != "422"},
    "400": "malformed request, an item that cannot be decoded, or a modality that the model does not have",
    "404": "no such model",
}


def openapi_document(service: str) -> Callable[[Request], Awaitable[Response]]:
    """The route that answers with the OpenAPI document, made once."""
    body = json.dumps(build_openapi(service)).encode()

    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return answer


def build_openapi(service: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a service."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": service,
            "version": __version__,
            "description": "Media are base64: standard or URL-safe, data URI prefix and line breaks allowed; "
            "or http and https URLs, of hosts that the operator allowed. "
            "Content-Type may be missing. Every error is {error, code}; in the routes of OpenAI's API it is theirs.",
        },
        "paths": {
            "/vectors": {"post": _post("One item to one vector", VectorRequest, VectorResponse)},
            "/vectorize": {"post": _post("Lists of items to lists of vectors", VectorizeRequest, VectorizeResponse)},
            **{path: {"post": _post_embeddings()} for path in EMBEDDINGS},
            **{
                path: {"get": _get("The names of the model", {"200": _json("names", ModelsResponse)})}
                for path in MODELS
            },
            **{
                f"{path}/{{name}}": {
                    "get": {**_get("One name of the model", {"200": _json("it", ModelEntry)}), "parameters": [_NAME]}
                }
                for path in MODELS
            },
            "/.well-known/live": {"get": _get("204 while the process runs", {"204": {"description": "alive"}})},
            "/.well-known/ready": {
                "get": _get(
                    "204 once the model has answered a real batch, 503 with the reason before that and while draining",
                    {"204": {"description": "ready"}, "503": _json("not ready", ErrorBody)},
                )
            },
            "/meta": {"get": _get("What this service is", {"200": _json("the truth", MetaResponse)})},
            "/metrics": {"get": _get("Prometheus metrics", {"200": {"description": "text"}})},
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "if VECMOD_API_TOKEN is set"}
            },
        },
    }


def _post_embeddings() -> dict[str, Any]:
    operation = _post("Items to vectors, as OpenAI's and Jina's APIs do it", EmbeddingsRequest, EmbeddingsResponse)
    faults = {status: _json(text, OpenAIErrorBody) for status, text in _OPENAI_FAULTS.items()}
    return {**operation, "responses": {"200": operation["responses"]["200"], **faults}}


def _post(summary: str, body: type[BaseModel], answer: type[BaseModel]) -> dict[str, Any]:
    examples = {f"example {number}": {"value": value} for number, value in enumerate(examples_of(body), start=1)}
    return {
        "summary": summary,
        "security": [{}, {"token": []}],
        "parameters": _TERMS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(body), "examples": examples}},
        },
        "responses": {
            "200": _json("vectors", answer),
            **{status: _json(text, ErrorBody) for status, text in _FAULTS.items()},
        },
    }


def _get(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": responses}


def _json(description: str, model: type[BaseModel]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(model)}}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
