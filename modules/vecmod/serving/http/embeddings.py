"""``POST /v1/embeddings`` and ``GET /v1/models``: the pipeline for whoever speaks OpenAI's or Jina's API."""

import binascii
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from vecmod.contract.embeddings_api import EmbeddingsRequest, Encoding, ModelEntry, ModelsResponse
from vecmod.contract.errors import RequestFault, UnknownModel
from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.pipeline import Pipeline
from vecmod.serving.http.admission import Door
from vecmod.serving.http.answers import json_answer, unless_gone, weighted_mean
from vecmod.serving.http.embedding_inputs import Asked, InputReader
from vecmod.serving.http.json_body import beside_loop
from vecmod.serving.http.lifecycle import Lifecycle
from vecmod.serving.http.request_terms import TermsReader

# Of a model's name that stands in a message.
_NAME_LENGTH = 100


class ModelNames:
    """What the one model of a service may be called.

    Args:
        service: name of the service.
        model: name of the model.
    """

    def __init__(self, service: str, model: str) -> None:
        self.model = model
        self._names = (model, service)
        self._since = int(time.time())

    def check(self, asked: str | None) -> None:
        """Accept a name, whatever stands before its last slash: clients put a provider there, or cut one off.

        Raises:
            UnknownModel: listing the names.
        """
        if asked and _short(asked) not in map(_short, self._names):
            raise UnknownModel(f"model: there is no {asked[:_NAME_LENGTH]!r} here; send {' or '.join(self._names)}")

    def entry(self, asked: str) -> ModelEntry:
        """The answer of ``GET /v1/models/<name>``; raises as :meth:`check`."""
        self.check(asked)
        return ModelEntry(id=asked, created=self._since)

    def listed(self) -> ModelsResponse:
        """The answer of ``GET /v1/models``."""
        return ModelsResponse(data=[ModelEntry(id=name, created=self._since) for name in self._names])


class EmbeddingRoutes:
    """The two routes, sharing door, pipeline and metrics with all others."""

    def __init__(
        self,
        door: Door,
        lifecycle: Lifecycle,
        metrics: Metrics,
        terms: TermsReader,
        names: ModelNames,
        reader: InputReader,
    ) -> None:
        self._door = door
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._terms = terms
        self._names = names
        self._reader = reader

    async def post_embeddings(self, request: Request) -> Response:
        """Items to vectors, in order; or a conversation to one."""
        pipeline = self._lifecycle.pipeline()
        async with self._door.admit(request) as raw:
            asked = await beside_loop(partial(self._reader.read, raw), raw, pipeline)
            self._names.check(asked.body.model)
            _check_wishes(asked, pipeline)
            terms = self._terms.read(request, asked.items)
            embedded = await unless_gone(request, pipeline.embed(asked.items, terms))
        vectors = [one.vector for one in embedded]
        if asked.together:
            vectors = [weighted_mean(vectors, np.full(len(vectors), 1 / len(vectors), np.float32))]
        tokens = sum(one.tokens for one in embedded)
        content = {
            "object": "list",
            "model": self._names.model,
            "data": _data(vectors, asked.body),
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return json_answer(self._metrics, content, embedded)

    async def get_model(self, request: Request) -> Response:
        """One name, if ``model`` may have it."""
        entry = self._names.entry(request.path_params["name"])
        return Response(entry.model_dump_json(), media_type="application/json")

    async def get_models(self, _: Request) -> Response:
        """The names that ``model`` may have; some clients ask before they send anything."""
        return Response(self._names.listed().model_dump_json(), media_type="application/json")


def _short(name: str) -> str:
    """The name of a model without its owner and its revision."""
    return name.partition("@")[0].rpartition("/")[2]


def _check_wishes(asked: Asked, pipeline: Pipeline) -> None:
    if asked.body.return_multivector:
        raise RequestFault("return_multivector: this model gives one vector for each item; leave it out")
    have = pipeline.model.dimensions
    lengths = {have[item.modality] for item in asked.items if item.modality in have} or set(have.values())
    if asked.body.dimensions is not None and lengths != {asked.body.dimensions}:
        numbers = " or ".join(str(length) for length in sorted(lengths))
        raise RequestFault(f"dimensions: this model's vectors have {numbers} numbers and cannot be cut; leave it out")


def _data(vectors: Sequence[FloatArray], body: EmbeddingsRequest) -> list[dict[str, Any]]:
    # OpenAI's vectors have length 1, and clients count on it: langchain-openai scales those of long texts, no others.
    scaled = vectors if body.normalized is False else [_unit(vector) for vector in vectors]
    encoding = body.encoding()
    return [
        {"object": "embedding", "index": index, "embedding": _written(vector, encoding)}
        for index, vector in enumerate(scaled)
    ]


def _unit(vector: FloatArray) -> FloatArray:
    """Scaled to length 1; a vector of that length keeps its last bit, a vector of zeros stays one."""
    length = np.linalg.norm(vector)
    return vector if length == 0 or abs(length - 1) < np.finfo(np.float32).resolution else vector / length


def _written(vector: FloatArray, encoding: Encoding) -> FloatArray | str:
    if encoding == "float":
        return vector
    return binascii.b2a_base64(vector.astype("<f4").tobytes(), newline=False).decode()
