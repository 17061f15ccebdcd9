"""What the official containers do, with our weights and our decoding: torch, one request at a time under a lock.

Media are decoded in a pool of threads, as theirs are; then a request's items go through the network, while all other
requests wait. ``python tests/bench/baseline_server.py multi2vec-bind 8090`` with the variables of a service.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vecmod.contract.modality import MODALITIES
from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.media.decode import Decoder
from vecmod.serving.run import find_service, load_model
from vecmod.serving.service_settings import ServiceSettings

# As many as the official containers' framework has.
_THREADS = 40


class Baseline:
    def __init__(self, service: str) -> None:
        settings = ServiceSettings.read({**os.environ, "VECMOD_ENGINE": "torch"})
        found = find_service(service)
        self.model = load_model(found.choose(found, settings).family, settings)
        for engine in {shared.engine for shared in self.model._engines.values()}:  # type: ignore[attr-defined]
            _keep_gradients(engine)
        self.decoder = Decoder(settings.media_limits(), self.model.kinds.values())
        self.pool = ThreadPoolExecutor(_THREADS)
        self.lock = threading.Lock()

    def prepare(self, modality: str, value: str) -> Inputs:
        with self.decoder.open(self.model.kinds[modality], value).decode() as medium:
            return self.model.prepare(modality, medium).content

    def embed(self, modality: str, items: list[Inputs]) -> list[list[float]]:
        if not items:
            return []
        with self.lock:
            return [list(map(float, vector)) for vector in self.model.embed(modality, items)]

    async def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        run = asyncio.get_running_loop().run_in_executor
        answer = {}
        for modality in MODALITIES:
            if modality.name in self.model.dimensions:
                prepared = [run(self.pool, self.prepare, modality.name, one) for one in body.get(modality.plural) or []]
                items = list(await asyncio.gather(*prepared))
                answer[modality.answer] = await run(self.pool, self.embed, modality.name, items)
        return answer

    async def vectorize(self, request: Request) -> Response:
        return JSONResponse(await self.answer(await request.json()))

    async def vectors(self, request: Request) -> Response:
        body = await request.json()
        lists = {modality.plural: [body[modality.name]] for modality in MODALITIES if body.get(modality.name)}
        (vector,) = (one for vectors in (await self.answer(lists)).values() for one in vectors)
        return JSONResponse({"id": body.get("id", ""), "vector": vector, "dim": len(vector)})


def _keep_gradients(engine: Any) -> None:
    """The official containers do not say that nothing is to be learned, so torch remembers each run as if it were."""
    weights = engine._ops._weights
    for name, weight in weights.items():
        # Running statistics are no parameters.
        weights[name] = weight.clone().requires_grad_("running" not in name)

    def run(batch: Inputs) -> FloatArray:
        vectors: FloatArray = engine._network(engine._ops, torch.from_numpy(batch)).detach().numpy()
        return vectors

    engine.run = run


def app_of(service: str) -> Starlette:
    baseline = Baseline(service)

    async def ready(_: Request) -> Response:
        return Response(status_code=204)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        baseline.pool.shutdown()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/vectorize", baseline.vectorize, methods=["POST"]),
            Route("/vectors", baseline.vectors, methods=["POST"]),
            Route("/.well-known/ready", ready),
        ],
    )


if __name__ == "__main__":
    uvicorn.run(app_of(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
