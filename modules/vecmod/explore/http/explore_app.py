"""The app of the explorer: its routes."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vecmod.explore.explore_errors import ExploreFault
from vecmod.explore.http.bodies import with_json
from vecmod.explore.http.browse_routes import BrowseRoutes
from vecmod.explore.http.explore_answers import explore_fault, gone, host_error, http_error, unforeseen
from vecmod.explore.http.gate import Gate
from vecmod.explore.http.import_routes import ImportRoutes
from vecmod.explore.http.media_routes import MediaRoutes
from vecmod.explore.imports import Imports
from vecmod.explore.items import Items
from vecmod.explore.media_folders import MediaFolders
from vecmod.explore.overview import Overview
from vecmod.explore.thumbnails import Thumbnails
from vecmod.host.host_errors import HostError
from vecmod.host.module_host import ModuleHost

_ONE = "/api/collections/{name}"
_ITEM = f"{_ONE}/items/{{id:path}}"
_IMPORT = "/api/imports/{id}"


@dataclass(frozen=True)
class ExploreParts:
    """What the app is made of.

    Attributes:
        address: host that is listened on, for the gate.
        store: how the store is shown, without its key.
        most_bytes: of a file that is imported or searched by.
    """

    host: ModuleHost
    folders: MediaFolders
    overview: Overview
    thumbnails: Thumbnails
    imports: Imports
    address: str
    store: str
    most_bytes: int


def create_explore_app(parts: ExploreParts) -> Starlette:
    """The ASGI app. Plain functions among the endpoints are run in threads."""
    browse = BrowseRoutes(parts.store, parts.host, Items(parts.folders), parts.overview, parts.imports)
    media = MediaRoutes(parts.host, parts.folders, parts.thumbnails)
    imports = ImportRoutes(parts.host, parts.folders, parts.imports, parts.most_bytes)
    page = Path(str(files("vecmod.explore"))) / "page"
    # Base64 takes four bytes for three.
    most_json = parts.most_bytes * 4 // 3 + (1 << 20)

    def index(_: Request) -> Response:
        return FileResponse(page / "index.html")

    return Starlette(
        routes=[
            Route("/", index),
            Mount("/static", StaticFiles(directory=page)),
            Route("/api/status", browse.status),
            Route(f"{_ONE}/items", browse.items),
            Route(f"{_ONE}/search", with_json(browse.search, most_json), methods=["POST"]),
            Route(f"{_ONE}/tags", browse.tags),
            Route(f"{_ONE}/map", browse.map),
            Route(f"{_ONE}/imports", imports.begin, methods=["POST"]),
            Route(f"{_ITEM}/thumbnail", media.thumbnail),
            Route(f"{_ITEM}/media", media.media),
            Route(_ITEM, browse.item),
            Route(f"{_IMPORT}/files", imports.take_file, methods=["PUT"]),
            Route(f"{_IMPORT}/end", imports.end, methods=["POST"]),
            Route(_IMPORT, imports.progress),
            Route(_IMPORT, imports.stop, methods=["DELETE"]),
        ],
        middleware=[Middleware(Gate, host=parts.address)],
        exception_handlers={
            ExploreFault: explore_fault,
            HostError: host_error,
            HTTPException: http_error,
            ClientDisconnect: gone,
            Exception: unforeseen,
        },
    )
