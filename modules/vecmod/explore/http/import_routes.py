"""Routes that fill a collection."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from vecmod.explore.http.bodies import cannot_write, ignore_body, receive_file
from vecmod.explore.http.browse_routes import open_collection
from vecmod.explore.http.explore_answers import json_answer
from vecmod.explore.import_job import ImportJob, Received
from vecmod.explore.imports import Imports
from vecmod.explore.media_folders import MediaFolders, safe_place
from vecmod.host.module_host import ModuleHost


class ImportRoutes:
    """All but the one that takes files in are run in threads.

    Args:
        host: with its store and services.
        folders: where files go.
        imports: all of them.
        most_bytes: of a file.
    """

    def __init__(self, host: ModuleHost, folders: MediaFolders, imports: Imports, most_bytes: int) -> None:
        self._host = host
        self._folders = folders
        self._imports = imports
        self._most_bytes = most_bytes

    def begin(self, request: Request) -> Response:
        """``POST .../imports``."""
        return json_answer({"import": self._imports.begin(open_collection(self._host, request))}, 201)

    async def take_file(self, request: Request) -> Response:
        """``PUT .../files?path=``: written to disk as it comes, then waits until it is wanted."""
        job = self._job(request)
        place = safe_place(request.query_params.get("path", ""))
        if not job.takes(place):
            await ignore_body(request, self._most_bytes)
            return json_answer({"received": job.as_json()["received"]}, 202)
        staged = await run_in_threadpool(self._staged)
        taken = False
        try:
            size = await receive_file(request, staged, self._most_bytes)
            received = await run_in_threadpool(job.add, Received(place, staged, size))
            taken = True
        finally:
            if not taken:
                staged.unlink(missing_ok=True)
        return json_answer({"received": received}, 202)

    def end(self, request: Request) -> Response:
        """``POST .../end``."""
        job = self._job(request)
        job.end()
        return json_answer(job.as_json())

    def progress(self, request: Request) -> Response:
        """``GET /api/imports/<id>``."""
        return json_answer(self._job(request).as_json())

    def stop(self, request: Request) -> Response:
        """``DELETE /api/imports/<id>``."""
        job = self._job(request)
        job.cancel()
        return json_answer(job.as_json())

    def _job(self, request: Request) -> ImportJob:
        return self._imports.get(request.path_params["id"])

    def _staged(self) -> Path:
        try:
            return self._folders.staged()
        except OSError as error:
            raise cannot_write(error) from error
