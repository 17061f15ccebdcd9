"""The modules in use: built from ``ENABLE_MODULES`` and each module's variables, ready before they are handed out."""

import logging
from collections.abc import Iterator

from vecmod.host.catalog import KnownModule, known_modules
from vecmod.host.client import ServiceClient
from vecmod.host.host_errors import InvalidSettings
from vecmod.host.host_settings import HostSettings

_log = logging.getLogger(__name__)
# Weaviate gives all modules together this long.
READY_SECONDS = 120.0
_ON = ("on", "enabled", "1", "true")


class ModuleRegistry:
    """Enabled modules by name.

    Args:
        settings: which, where, and whether to wait.
        ready_seconds: how long to wait for each.

    Raises:
        InvalidSettings: if an enabled module's origin is not set.
    """

    def __init__(self, settings: HostSettings, ready_seconds: float = READY_SECONDS) -> None:
        self._clients = {row.name: _connect(row, settings) for row in _enabled(settings)}
        default = settings.default_vectorizer_module
        if default != "none" and default not in self._clients:
            raise InvalidSettings(f'invalid config: default vectorizer module: no module with name "{default}" present')
        self._variables = settings.module_variables
        self._ready_seconds = ready_seconds
        self._handed_out: set[str] = set()

    def get(self, name: str) -> ServiceClient:
        """The client of a module, ready when it is first handed out, unless the variables say not to wait.

        Raises:
            InvalidSettings: if the module is not enabled.
            ServiceUnreachable: if its service does not become ready.
        """
        if name not in self._clients:
            have = ", ".join(self._clients) or "none"
            raise InvalidSettings(f"module {name!r} is not enabled (enabled: {have}); add it to ENABLE_MODULES")
        client = self._clients[name]
        waiting = self._variables.get(client.module.wait_variable, "")
        if name not in self._handed_out and (not waiting or waiting.lower() in _ON):
            client.wait_until_ready(self._ready_seconds)
        self._handed_out.add(name)
        return client

    def __contains__(self, name: object) -> bool:
        return name in self._clients

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()


def _enabled(settings: HostSettings) -> list[KnownModule]:
    """Rows of the enabled modules; names of other modules belong to Weaviate and are left to it."""
    known = known_modules()
    for name in settings.enable_modules:
        if name not in known:
            _log.warning("ENABLE_MODULES names %s, which vecmod does not have; it has %s", name, ", ".join(known))
    return [known[name] for name in dict.fromkeys(settings.enable_modules) if name in known]


def _connect(row: KnownModule, settings: HostSettings) -> ServiceClient:
    origin = settings.module_variables.get(row.origin_variable, "")
    if not origin:
        raise InvalidSettings(f"required variable {row.origin_variable} is not set")
    return ServiceClient(row, origin, settings.modules_client_timeout)
