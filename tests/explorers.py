"""Explorers that really run, in a thread of this process, over real stores and services."""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

import running
from vecmod.explore.explore_settings import ExploreSettings
from vecmod.explore.explorer import explorer
from vecmod.host.host_settings import HostSettings

PAGE = {"X_Requested_With": "vecmod"}


class Page(running.Caller):
    """What the page does."""

    def get(self, path: str, **headers: str) -> Any:
        answer = self("GET", path, **headers)
        assert answer.status == 200, (path, answer.status, answer.body)
        return answer.json()

    def post(self, path: str, body: object = None) -> running.Answer:
        return self("POST", path, {} if body is None else body, **PAGE)

    def search(self, collection: str, **question: object) -> Any:
        answer = self.post(f"/api/collections/{collection}/search", question)
        assert answer.status == 200, answer.body
        return answer.json()

    def answers(self) -> bool:
        """Whether the explorer is there by now."""
        try:
            return self("GET", "/").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def put(self, name: str, path: str, data: bytes) -> running.Answer:
        return self("PUT", f"/api/imports/{name}/files?path={quote(path)}", data, **PAGE)

    def begin(self, collection: str) -> str:
        answer = self.post(f"/api/collections/{collection}/imports")
        assert answer.status == 201, answer.body
        return str(answer.json()["import"])

    def finish(self, name: str, seconds: float = 120) -> Any:
        """The report of an import that nothing more comes to."""
        assert self.post(f"/api/imports/{name}/end").status == 200
        running.wait_for(lambda: self.get(f"/api/imports/{name}")["done"], seconds)
        return self.get(f"/api/imports/{name}")


@contextmanager
def exploring(
    folder: Path, services: Mapping[str, str], media: Sequence[Path] = (), address: str = "127.0.0.1", **more: str
) -> Iterator[Page]:
    """A page on an explorer whose own folder is ``folder``; the rest are variables of host and explorer."""
    own = {"VECMOD_EXPLORE_FOLDER": str(folder), "VECMOD_EXPLORE_PORT": "0", "VECMOD_EXPLORE_HOST": address}
    given = {**services, **own, "VECMOD_EXPLORE_MEDIA": os.pathsep.join(map(str, media)), **more}
    with explorer(ExploreSettings.read(given), HostSettings.read(given)) as made:
        thread = threading.Thread(target=made.serve)
        thread.start()
        page = Page(made.url.rstrip("/"))
        try:
            running.wait_for(lambda: made.server.started)
            yield page
        finally:
            page.close()
            began = time.monotonic()
            made.server.should_exit = True
            thread.join(20)
            assert time.monotonic() - began < 10
