"""What all routes that embed have in common: work that ends when its client hangs up, means, the answer."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import numpy as np
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from vecmod.contract.errors import UnsupportedInput
from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.flow.vector_cache import Embedded

Result = TypeVar("Result")


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
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


def weighted_mean(vectors: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    """The mean float32 ``[dim]`` with weights whose sum is 1; one vector alone is left as it is.

    Raises:
        UnsupportedInput: if the vectors differ in length.
    """
    if len(vectors) == 1:
        return vectors[0]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise UnsupportedInput(f"this model's vectors have different lengths ({lengths}): send one request for each")
    mean: FloatArray = weights @ np.stack(vectors)
    return mean


def json_answer(metrics: Metrics, content: dict[str, Any], embedded: Sequence[Embedded]) -> Response:
    """The content as JSON, with what the senders of items should know."""
    if warnings := [one.warning for one in embedded if one.warning]:
        content["warnings"] = warnings
    with metrics.stage("write"):
        return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
