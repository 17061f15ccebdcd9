"""Whether services are ready, and what they serve: asked in the background, told at once."""

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from vecmod.host.catalog import known_modules
from vecmod.host.client import ServiceClient
from vecmod.host.host_errors import InvalidSettings

_EVERY_SECONDS, _MOMENT_SECONDS = 2.0, 1.0
_UNASKED = "it was not asked yet"
# A probe has a limit of its own.
_NO_LIMIT = 0.0


class Service(NamedTuple):
    """A service that vectorises: its module and its URL."""

    module: str
    url: str


@dataclass(frozen=True)
class ServiceState:
    """What is known of a service.

    Attributes:
        module, url: which one.
        ready: whether it was, when it was last asked.
        reason: why not.
        model: empty if it does not say.
        modalities: names; empty if it does not say.
    """

    module: str
    url: str
    ready: bool = False
    reason: str = _UNASKED
    model: str = ""
    modalities: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        return asdict(self)


class Readiness:
    """Asks services every two seconds, each for at most a second; ``start`` it and ``close`` it."""

    def __init__(self, every_seconds: float = _EVERY_SECONDS) -> None:
        self._every = every_seconds
        self._clients: dict[Service, ServiceClient] = {}
        self._states: dict[Service, ServiceState] = {}
        self._wake = threading.Event()
        self._told = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._closed = True
        self._wake.set()
        self._thread.join()
        for client in self._clients.values():
            client.close()

    def of(self, services: Iterable[Service]) -> list[ServiceState]:
        """What is known of services; those that nobody asked for before are asked now, and waited for a moment."""
        wanted = list(services)
        new = [one for one in wanted if one not in self._states]
        with self._told:
            for one in new:
                self._states.setdefault(one, ServiceState(*one))
                self._wake.set()
            self._told.wait_for(lambda: all(self._states[one].reason != _UNASKED for one in new), _MOMENT_SECONDS)
            return [self._states[one] for one in wanted]

    def _run(self) -> None:
        while not self._closed:
            self._wake.clear()
            for one in list(self._states):
                state = self._ask(one)
                with self._told:
                    self._states[one] = state
                    self._told.notify_all()
            self._wake.wait(self._every)

    def _ask(self, one: Service) -> ServiceState:
        try:
            client = self._clients.get(one) or ServiceClient(known_modules()[one.module], one.url, _NO_LIMIT)
        except InvalidSettings as error:
            return ServiceState(*one, reason=str(error))
        self._clients[one] = client
        if reason := client.is_ready():
            return ServiceState(*one, reason=reason)
        said = client.meta()
        details = said.get("details")
        modalities = details.get("modalities") if isinstance(details, dict) else None
        return ServiceState(
            *one,
            ready=True,
            reason="",
            model=str(said.get("model") or ""),
            modalities=[str(name) for name in modalities] if isinstance(modalities, list) else [],
        )
