"""What there is: collections, what can be asked of each and put into it, and the services behind them."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, replace
from typing import Any

from vecmod.explore.readiness import Readiness, Service
from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import ClassConfig
from vecmod.host.folder import FileFields
from vecmod.host.host_errors import HostError, InvalidClass
from vecmod.host.module_host import ModuleHost

# A store that hangs must not hang the page: the last answer is told meanwhile.
_PATIENCE_SECONDS = 3.0
# Pages ask every few seconds, several at once.
_FRESH_SECONDS = 0.5
_SLOW = "the store has not answered for {:.0f} s or more; what is shown is what it said before"


@dataclass(frozen=True)
class _Listed:
    """What the store said last, and when."""

    at: float
    collections: list[dict[str, Any]]
    services: list[Service]
    error: str


class Overview:
    """Asks the store in one thread of its own; may be used by several threads.

    Args:
        host: with its store.
        readiness: of the services.
    """

    def __init__(self, host: ModuleHost, readiness: Readiness) -> None:
        self._host = host
        self._readiness = readiness
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="overview")
        self._last = _Listed(-_FRESH_SECONDS, [], [], "")
        self._asking: Future[_Listed] | None = None
        self._asked_at = 0.0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ask no more; a store that hangs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def status(self) -> dict[str, Any]:
        """Collections and services for the page, within a few seconds, whatever the store does."""
        listed = self._listed()
        services = self._readiness.of(listed.services)
        embedded = {(one.module, one.url): one.modalities for one in services if one.modalities}
        return {
            "services": [one.as_json() for one in services],
            "collections": [_without_unserved(one, embedded) for one in listed.collections],
            "store_error": listed.error,
        }

    def _listed(self) -> _Listed:
        with self._lock:
            if time.monotonic() - self._last.at < _FRESH_SECONDS:
                return self._last
            if self._asking is None or self._asking.done():
                self._asking, self._asked_at = self._pool.submit(self._ask), time.monotonic()
            asking = self._asking
        try:
            self._last = asking.result(max(0.0, self._asked_at + _PATIENCE_SECONDS - time.monotonic()))
        except TooLate:
            return replace(self._last, error=_SLOW.format(_PATIENCE_SECONDS))
        return self._last

    def _ask(self) -> _Listed:
        try:
            listed = [self._collection(name) for name in self._host.collection_names()]
        except HostError as error:
            return replace(self._last, at=time.monotonic(), error=str(error))
        services = dict.fromkeys(Service(one["module"], one["url"]) for one in listed if one["url"])
        return _Listed(time.monotonic(), listed, list(services), "")

    def _collection(self, name: str) -> dict[str, Any]:
        try:
            collection = self._host.get_class(name)
        except InvalidClass as error:
            nothing = {key: list[str]() for key in ("searches", "inserts", "suffixes", "tags")}
            return {"name": name, "module": "", "url": "", **nothing, "items": 0, "error": str(error)}
        config = collection.config
        modalities = [one.name for one in known_modules()[config.module].modalities]
        return {
            "name": name,
            "module": config.module,
            "url": self._host.origin_of(config),
            "searches": [*modalities, "object"],
            **_files_of(config),
            "tags": [name for name, kind in config.types.items() if kind.spelled == "text[]"],
            "items": collection.count(),
            "error": "",
        }


def _files_of(config: ClassConfig) -> dict[str, list[str]]:
    """What an import into a class takes; nothing if it has no field for files."""
    try:
        fields = FileFields(config)
    except InvalidClass:
        return {"inserts": [], "suffixes": []}
    return {"inserts": [one.name for one in fields.modalities], "suffixes": sorted(fields.takes)}


def _without_unserved(collection: dict[str, Any], embedded: dict[tuple[str, str], list[str]]) -> dict[str, Any]:
    """The collection with those searches that its service has a model for, as far as it says."""
    served = embedded.get((collection["module"], collection["url"]))
    searches = [one for one in collection["searches"] if served is None or one in (*served, "object")]
    return {**{key: value for key, value in collection.items() if key != "url"}, "searches": searches}
