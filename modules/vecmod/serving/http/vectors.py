"""``POST /vectors`` (one item) and ``POST /vectorize`` (lists by modality): the official contract."""

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from vecmod.contract.errors import RequestFault, TooLarge
from vecmod.contract.modality import Modality
from vecmod.contract.vectors_api import VectorizeRequest, VectorRequest
from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.pipeline import Item, Pipeline
from vecmod.serving.flow.vector_cache import Embedded
from vecmod.serving.http.admission import Door
from vecmod.serving.http.answers import json_answer, unless_gone, weighted_mean
from vecmod.serving.http.json_body import parse_body
from vecmod.serving.http.lifecycle import Lifecycle
from vecmod.serving.http.request_terms import TermsReader


class VectorRoutes:
    """The two routes, sharing door, pipeline and metrics."""

    def __init__(self, door: Door, lifecycle: Lifecycle, metrics: Metrics, terms: TermsReader, max_items: int) -> None:
        self._door = door
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._terms = terms
        self._max_items = max_items

    async def post_vectors(self, request: Request) -> Response:
        """One item to one vector."""
        pipeline = self._lifecycle.pipeline()
        async with self._door.admit(request) as raw:
            body = await parse_body(VectorRequest, raw, pipeline, self._max_items)
            items = [Item(modality.name, value, modality.name) for modality, value in _present(body)]
            weights = _weights(body)
            embedded = await unless_gone(request, pipeline.embed(items, self._terms.read(request, items)))
        vector = weighted_mean([one.vector for one in embedded], weights)
        return json_answer(self._metrics, {"id": str(body.id), "vector": vector, "dim": len(vector)}, embedded)

    async def post_vectorize(self, request: Request) -> Response:
        """Lists of items to lists of vectors, in order."""
        pipeline = self._lifecycle.pipeline()
        async with self._door.admit(request) as raw:
            body = await parse_body(VectorizeRequest, raw, pipeline, self._max_items)
            items = [item for modality, values in body.inputs() for item in _items(modality, values)]
            if len(items) > self._max_items:
                raise TooLarge(f"{len(items)} items in one request; send at most {self._max_items}")
            embedded = await unless_gone(request, pipeline.embed(items, self._terms.read(request, items)))
        return json_answer(self._metrics, _by_modality(pipeline, body, items, embedded), embedded)


def _present(body: VectorRequest) -> list[tuple[Modality, str]]:
    inputs = body.inputs()
    if not inputs:
        raise RequestFault('the body has nothing to embed; send {"id": "...", "image": "<base64>"}')
    return inputs


def _weights(body: VectorRequest) -> FloatArray:
    """The share of each modality that is present; those that are not named weigh 1."""
    weights = np.array([(body.weights or {}).get(modality.name, 1.0) for modality, _ in body.inputs()])
    with np.errstate(over="ignore", invalid="ignore"):
        total = weights.sum()
    if not np.isfinite(total) or not total:
        raise RequestFault("weights: must be finite numbers whose sum is finite and not zero")
    shares: FloatArray = (weights / total).astype(np.float32)
    return shares


def _items(modality: Modality, values: list[str]) -> list[Item]:
    return [
        Item(modality.name, value, f"{modality.plural}[{index}] (item {index + 1} of {len(values)})")
        for index, value in enumerate(values)
    ]


def _by_modality(
    pipeline: Pipeline, body: VectorizeRequest, items: list[Item], embedded: list[Embedded]
) -> dict[str, list[FloatArray]]:
    """A list for each modality of the model, empty where nothing was sent."""
    return {
        modality.answer: [
            one.vector for item, one in zip(items, embedded, strict=True) if item.modality == modality.name
        ]
        for modality, _ in body.inputs()
        if modality.name in pipeline.model.dimensions
    }
