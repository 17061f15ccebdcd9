"""Routes that look and search: status, items, search, tags, the map."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from vecmod import __version__
from vecmod.explore.collection_map import Maps
from vecmod.explore.explore_errors import malformed
from vecmod.explore.http.explore_answers import json_answer
from vecmod.explore.imports import Imports
from vecmod.explore.items import Items
from vecmod.explore.opened import Opened
from vecmod.explore.overview import Overview
from vecmod.explore.questions import MOST_ITEMS, answer, read_question
from vecmod.explore.tag_counts import tag_counts
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.store import Record

_MOST_OFFSET = 16_000


def open_collection(host: ModuleHost, request: Request) -> Opened:
    """The collection that a path names; raises UnknownClass, InvalidClass, StoreError."""
    name = request.path_params["name"]
    return Opened(name, host.get_class(name))


class BrowseRoutes:
    """Each is run in a thread.

    Args:
        store: how the store is shown.
        host: with its store and services.
        items: makes what is sent of objects.
        overview: of all there is.
        imports: for their speed.
    """

    def __init__(self, store: str, host: ModuleHost, items: Items, overview: Overview, imports: Imports) -> None:
        self._store = store
        self._host = host
        self._items = items
        self._overview = overview
        self._imports = imports
        self._maps = Maps()

    def status(self, _: Request) -> Response:
        """``GET /api/status``."""
        told = {"version": __version__, "store": self._store, **self._overview.status()}
        return json_answer({**told, "items_per_second": self._imports.speed()})

    def items(self, request: Request) -> Response:
        """``GET .../items``: the first objects, or the first that meet a filter."""
        limit, offset = number_of(request, "limit", 30, MOST_ITEMS), number_of(request, "offset", 0, _MOST_OFFSET)
        if limit < 1:
            raise malformed("limit must be at least 1")
        opened = open_collection(self._host, request)
        found = _first(opened, _filter_of(request), limit + 1, offset)
        shown = [self._items.item(opened, one) for one in found[:limit]]
        return json_answer({"items": shown, "more": len(found) > limit})

    def item(self, request: Request) -> Response:
        """``GET .../items/<id>``."""
        opened = open_collection(self._host, request)
        return json_answer(self._items.item(opened, opened.collection.get(request.path_params["id"])))

    def search(self, request: Request, body: object) -> Response:
        """``POST .../search``."""
        question = read_question(body)
        return json_answer(answer(self._items, open_collection(self._host, request), question))

    def tags(self, request: Request) -> Response:
        """``GET .../tags``."""
        opened = open_collection(self._host, request)
        return json_answer({"tags": tag_counts(opened.collection, request.query_params.get("property", "tags"))})

    def map(self, request: Request) -> Response:
        """``GET .../map``: 304 while the collection is what it was."""
        made = self._maps.get(open_collection(self._host, request))
        return cached(request, made.version) or json_answer(made.body, ETag=f'"{made.version}"')


def cached(request: Request, version: str) -> Response | None:
    """The answer to a browser that has this version already."""
    tags = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers={"ETag": f'"{version}"'}) if f'"{version}"' in tags else None


def number_of(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of a query; raises ExploreFault if it is none, or beyond the limit."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):  # noqa: PLR2004 -- digits
        raise malformed(f"{name}={text[:40]!r} is no whole number from 0 to {most}")
    return int(text)


def _first(opened: Opened, condition: dict[str, Any] | None, limit: int, offset: int) -> list[Record]:
    if condition:
        return opened.collection.find(condition, limit + offset)[offset:]
    return opened.collection.page(limit, offset)


def _filter_of(request: Request) -> dict[str, Any] | None:
    try:
        given = json.loads(request.query_params.get("filter") or "null")
    except (ValueError, RecursionError) as error:
        raise malformed(f"filter is no JSON: {error}") from None
    if given is not None and not isinstance(given, dict):
        raise malformed('filter is an object such as {"tags": "cat"}')
    return given
