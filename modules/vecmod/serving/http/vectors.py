"""``POST /vectors`` (one item) and ``POST /vectorize`` (lists by modality): the official contract."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import numpy as np
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from vecmod.contract.errors import RequestFault, TooLarge, UnsupportedInput
from vecmod.contract.modality import Modality
from vecmod.contract.vectors_api import VectorizeRequest, VectorRequest
from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.pipeline import Embedded, Item, Pipeline
from vecmod.serving.http.admission import Door
from vecmod.serving.http.json_body import parse_body
from vecmod.serving.http.lifecycle import Lifecycle

Result = TypeVar("Result")


class VectorRoutes:
    """The two routes, sharing door, pipeline and metrics."""

    def __init__(self, door: Door, lifecycle: Lifecycle, metrics: Metrics, max_items: int) -> None:
        self._door = door
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._max_items = max_items

    async def post_vectors(self, request: Request) -> Response:
        """One item to one vector."""
        pipeline = self._lifecycle.pipeline()
        async with self._door.admit(request) as raw:
            body = await parse_body(VectorRequest, raw, pipeline, self._max_items)
            items = [Item(modality.name, value, modality.name) for modality, value in _present(body)]
            weights = _weights(body)
            embedded = await _unless_gone(request, pipeline.embed(items))
        vector = _mean([one.vector for one in embedded], weights)
        return self._answer({"id": str(body.id), "vector": vector, "dim": len(vector)}, embedded)

    async def post_vectorize(self, request: Request) -> Response:
        """Lists of items to lists of vectors, in order."""
        pipeline = self._lifecycle.pipeline()
        async with self._door.admit(request) as raw:
            body = await parse_body(VectorizeRequest, raw, pipeline, self._max_items)
            items = [item for modality, values in body.inputs() for item in _items(modality, values)]
            if len(items) > self._max_items:
                raise TooLarge(f"{len(items)} items in one request; send at most {self._max_items}")
            embedded = await _unless_gone(request, pipeline.embed(items))
        return self._answer(_by_modality(pipeline, body, items, embedded), embedded)

    def _answer(self, content: dict[str, Any], embedded: list[Embedded]) -> Response:
        if warnings := [one.warning for one in embedded if one.warning]:
            content["warnings"] = warnings
        with self._metrics.stage("write"):
            return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


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


def _mean(vectors: list[FloatArray], weights: FloatArray) -> FloatArray:
    """The weighted mean; one vector alone is left as it is."""
    if len(vectors) == 1:
        return vectors[0]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise UnsupportedInput(f"this model's vectors have different lengths ({lengths}): send one request for each")
    mean: FloatArray = weights @ np.stack(vectors)
    return mean


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


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of the work, which is given up as soon as the client hangs up."""
    working = asyncio.ensure_future(work)
    hung_up = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait((working, hung_up), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        hung_up.cancel()
        # A fault holds this frame, which must not hold the fault.
        del working


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
