"""The app factory: routes, slashes, counting, start and stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vecmod.contract.errors import NotReady, VecmodError
from vecmod.contract.meta_api import LimitsMeta
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.http.admission import Door
from vecmod.serving.http.embedding_inputs import InputReader
from vecmod.serving.http.embeddings import EmbeddingRoutes, ModelNames
from vecmod.serving.http.faults import FaultAnswers
from vecmod.serving.http.lifecycle import Lifecycle
from vecmod.serving.http.openapi import openapi_document
from vecmod.serving.http.pages import page
from vecmod.serving.http.paths import EMBEDDINGS, MODELS, fold_slashes
from vecmod.serving.http.request_terms import TermsReader
from vecmod.serving.http.status import StatusRoutes
from vecmod.serving.http.vectors import VectorRoutes
from vecmod.serving.media.token_table import TokenTable


@dataclass(frozen=True)
class AppParts:
    """What an app is made of; built from settings by ``run.py``, by hand in tests."""

    service: str
    model: str
    door: Door
    limits: LimitsMeta
    lifecycle: Lifecycle
    metrics: Metrics
    max_wait: float
    token_table: TokenTable | None = None
    url_strings: bool = False


def create_app(parts: AppParts) -> Starlette:
    """The ASGI app of a service; its lifespan loads the model and, at the end, finishes what was submitted."""
    terms = TermsReader(parts.max_wait)
    vectors = VectorRoutes(parts.door, parts.lifecycle, parts.metrics, terms, parts.limits.max_items)
    embeddings = EmbeddingRoutes(
        parts.door,
        parts.lifecycle,
        parts.metrics,
        terms,
        ModelNames(parts.service, parts.model),
        InputReader(parts.limits.max_items, parts.token_table, parts.url_strings),
    )
    faults = FaultAnswers(parts.metrics)
    status = StatusRoutes(parts.service, parts.model, parts.limits, parts.lifecycle, parts.metrics)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        starting = asyncio.create_task(parts.lifecycle.start())
        yield
        await parts.lifecycle.stop(starting)

    return Starlette(
        routes=[
            Route("/vectors", vectors.post_vectors, methods=["POST"]),
            Route("/vectorize", vectors.post_vectorize, methods=["POST"]),
            *(Route(path, embeddings.post_embeddings, methods=["POST"]) for path in EMBEDDINGS),
            *(Route(path, embeddings.get_models) for path in MODELS),
            *(Route(f"{path}/{{name:path}}", embeddings.get_model) for path in MODELS),
            Route("/.well-known/live", status.live),
            Route("/.well-known/ready", status.ready),
            Route("/meta", status.meta),
            Route("/metrics", status.metrics),
            Route("/openapi.json", openapi_document(parts.service)),
            Route("/docs", page("docs.html")),
            Route("/", page("service_page.html")),
        ],
        middleware=[
            Middleware(FoldSlashes),
            Middleware(CountRequests, metrics=parts.metrics),
            Middleware(AnswerCancelled, faults=faults),
        ],
        exception_handlers={
            VecmodError: faults.answer_fault,
            HTTPException: faults.answer_http_exception,
            ClientDisconnect: faults.answer_nobody,
            Exception: faults.answer_bug,
        },
        lifespan=lifespan,
    )


class FoldSlashes:
    """Folds the slashes of paths before they are looked up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the path."""
        if scope["type"] == "http":
            scope = {**scope, "path": fold_slashes(scope["path"])}
        await self._app(scope, receive, send)


class CountRequests:
    """Counts answers by route and status; unknown paths share one label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, noting the status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = "endpoint" in scope and not scope.get("path_params")
                route = scope.get("path", "") if known else "other"
                self._metrics.requests.labels(route, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, note)


class AnswerCancelled:
    """Answers a request whose time is up because the service stops, so that its sender knows to send it again."""

    def __init__(self, app: ASGIApp, faults: FaultAnswers) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; if that is cancelled before its answer has begun, answer 503."""
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except asyncio.CancelledError:
            if begun or scope["type"] != "http":
                raise
            fault = NotReady("the service stopped before this was done; send it again, to another replica")
            answer = await self._faults.answer_fault(Request(scope), fault)
            await answer(scope, receive, send)
