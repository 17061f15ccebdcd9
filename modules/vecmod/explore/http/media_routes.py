"""Routes that give files: thumbnails, and what was stored itself."""

from collections import OrderedDict
from pathlib import Path, PurePosixPath
from threading import Lock

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from vecmod.explore.explore_errors import malformed, not_found
from vecmod.explore.http.browse_routes import cached, number_of, open_collection
from vecmod.explore.items import place_of
from vecmod.explore.media_folders import MediaFolders
from vecmod.explore.media_types import media_type_of
from vecmod.explore.thumbnails import Thumbnails, can_show
from vecmod.host.module_host import ModuleHost

_SMALLEST, _LARGEST, _USUAL = 16, 2048, 256
# Screens with small dots ask for twice the largest.
_ASKED = 100_000
_KEPT_PLACES = 50_000
# Nothing in a file may run, whatever a browser takes it for.
_MEDIA_POLICY = "default-src 'none'; sandbox"
_MINUTES = "private, max-age=300"


class MediaRoutes:
    """Each is run in a thread.

    Args:
        host: with its store.
        folders: where files are.
        thumbnails: makes small pictures of them.
    """

    def __init__(self, host: ModuleHost, folders: MediaFolders, thumbnails: Thumbnails) -> None:
        self._host = host
        self._folders = folders
        self._thumbnails = thumbnails
        # A page of a map asks for thousands of thumbnails; where an object's file is changes only with its id.
        self._places: OrderedDict[tuple[str, str], tuple[str, PurePosixPath]] = OrderedDict()
        self._lock = Lock()

    def thumbnail(self, request: Request) -> Response:
        """``GET .../thumbnail``."""
        size = min(_LARGEST, number_of(request, "size", _USUAL, _ASKED))
        if size < _SMALLEST:
            raise malformed(f"size must be at least {_SMALLEST}")
        file, place = self._file_of(request)
        made = self._thumbnails.get(file, size) if can_show(place) else None
        if made is None:
            raise not_found(f"{place.name} is no picture that can be shown")
        return cached(request, made.version) or Response(
            made.jpeg, 200, {"ETag": f'"{made.version}"', "Cache-Control": _MINUTES}, "image/jpeg"
        )

    def media(self, request: Request) -> Response:
        """``GET .../media``: the file, or a range of it."""
        file, place = self._file_of(request)
        media_type = media_type_of(place)
        if not media_type or media_type_of(file) != media_type:
            raise not_found(f"{place.name} is of no type that is handed to browsers")
        headers = {"Content-Security-Policy": _MEDIA_POLICY, "Cache-Control": _MINUTES}
        try:
            stat = file.stat()
        except OSError:
            raise _no_file(place) from None
        return FileResponse(file, 200, headers, media_type, stat_result=stat)

    def _file_of(self, request: Request) -> tuple[Path, PurePosixPath]:
        folder, place = self._place_of(request)
        file = self._folders.find(folder, str(place))
        if file is None:
            raise _no_file(place)
        return file, place

    def _place_of(self, request: Request) -> tuple[str, PurePosixPath]:
        """The folder of imports and the place of an object; raises UnknownClass, UnknownObject, StoreError."""
        key = (request.path_params["name"], request.path_params["id"])
        with self._lock:
            if found := self._places.get(key):
                self._places.move_to_end(key)
                return found
        opened = open_collection(self._host, request)
        place = place_of(opened.collection.get(key[1]).properties)
        if place is None:
            raise not_found("this object has no file: nothing stands in its property 'path'")
        with self._lock:
            self._places[key] = (opened.folder, place)
            if len(self._places) > _KEPT_PLACES:
                self._places.popitem(last=False)
        return opened.folder, place


def _no_file(place: PurePosixPath) -> Exception:
    return not_found(f"the file {str(place)[:200]!r} is in none of the folders; name its folder with --media")
