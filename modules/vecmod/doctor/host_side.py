"""Which services and which database the module host would use, and whether they answer."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from vecmod.contract.environment import SettingsError
from vecmod.doctor.finding import Environ, Finding, Level
from vecmod.host.catalog import KnownModule, known_modules
from vecmod.host.client import ServiceClient
from vecmod.host.host_errors import HostError, InvalidSettings
from vecmod.host.host_settings import HostSettings
from vecmod.host.stores.open_store import open_database
from vecmod.host.stores.store_url import shown


def host_side(environ: Environ) -> Iterator[Finding]:
    """Every enabled module's service, and the store; nothing is made or changed."""
    try:
        settings = HostSettings.read(environ)
    except SettingsError as error:
        yield Finding(Level.WRONG, "variables", str(error))
        return
    known = known_modules()
    if not settings.enable_modules:
        yield Finding(
            Level.NOTE,
            "modules",
            f"ENABLE_MODULES names none, which your own program will need; known: {', '.join(known)}",
        )
    # What the commands use without it.
    named = tuple(name for name, one in known.items() if settings.module_variables.get(one.origin_variable))
    for name in settings.enable_modules or named:
        if name in known:
            yield _module(known[name], settings)
        else:
            yield Finding(Level.NOTE, name, f"is none of vecmod's modules, which are {', '.join(known)}")
    yield _store(settings)


def _module(module: KnownModule, settings: HostSettings) -> Finding:
    origin = settings.module_variables.get(module.origin_variable, "")
    if not origin:
        return Finding(Level.WRONG, module.name, f"{module.origin_variable} is not set; write http://host:port")
    try:
        client = ServiceClient(module, origin, settings.modules_client_timeout)
    except InvalidSettings as error:
        return Finding(Level.WRONG, module.name, str(error))
    with closing(client):
        if reason := client.is_ready():
            return Finding(
                Level.WRONG,
                module.name,
                f"{origin} is not ready ({reason}); start it (vecmod serve {module.name}), or correct "
                f"{module.origin_variable}",
            )
    return Finding(Level.OK, module.name, f"{origin} is ready")


def _store(settings: HostSettings) -> Finding:
    url = shown(settings.store)
    if "://" not in url and not Path(settings.store).exists():
        return Finding(Level.OK, "store", f"{url} is not there yet; the first insert makes it")
    try:
        with closing(open_database(settings.store, settings.store_key)) as store:
            names = store.class_names()
    except HostError as error:
        return Finding(Level.WRONG, "store", f"{url}: {error}")
    has = f"the classes {', '.join(names)}" if names else "no classes yet"
    return Finding(Level.OK, "store", f"{url} has {has}")
