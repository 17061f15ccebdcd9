"""The explorer as a whole: built, run until it is stopped, and taken down."""

import os
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from rich.console import Console

from vecmod.explore.explore_settings import ExploreSettings
from vecmod.explore.http.explore_app import ExploreParts, create_explore_app
from vecmod.explore.http.explore_server import ExploreServer, listen
from vecmod.explore.imports import Imports
from vecmod.explore.media_folders import MediaFolders
from vecmod.explore.overview import Overview
from vecmod.explore.readiness import Readiness
from vecmod.explore.thumbnails import Thumbnails
from vecmod.host.host_settings import HostSettings
from vecmod.host.module_host import ModuleHost
from vecmod.host.stores.store_url import shown

# Somebody sits in front of the page: a service that is down should be told of at once.
_READY_SECONDS = 1.0
# For imports to store what is under way, when the explorer ends.
_STOP_SECONDS = 5.0


def run(environ: Mapping[str, str], console: Console, *, in_browser: bool) -> int:
    """Run an explorer until Ctrl-C or SIGTERM; its exit code.

    Args:
        environ: variables, the explorer's own and the module host's.
        console: where its URL is printed.
        in_browser: open the page there.

    Raises:
        SettingsError: if a variable cannot be used.
        HostError: if the store cannot be opened.
        ExploreFault: if the port is taken.
    """
    settings, host_settings = ExploreSettings.read(environ), HostSettings.read(environ)
    with explorer(settings, host_settings) as made:
        console.print(f"{shown(host_settings.store)} is shown at {made.url}\nCtrl-C ends it.", soft_wrap=True)
        if in_browser:
            webbrowser.open(made.url)
        made.serve()
    if _has_threads_at_work():
        # Something waits for a service or a store that does not answer; leaving in order would wait for it, too.
        os._exit(0)
    return 0


class Explorer(NamedTuple):
    """An explorer that listens, and serves as soon as ``serve`` is called, until it is stopped."""

    url: str
    server: ExploreServer
    serve: Callable[[], None]


@contextmanager
def explorer(
    settings: ExploreSettings, host_settings: HostSettings, until: Callable[[], bool] = lambda: False
) -> Iterator[Explorer]:
    """An explorer; at the end of the ``with`` block nothing of it is left.

    Args:
        settings: its own.
        host_settings: of store and services.
        until: asked now and then whether to end.

    Raises:
        HostError: if the store cannot be opened.
        ExploreFault: if the port is taken.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        host = stack.enter_context(ModuleHost(host_settings, _READY_SECONDS))
        folders = MediaFolders(settings.folder, settings.media)
        stack.callback(folders.close)
        thumbnails = Thumbnails()
        stack.callback(thumbnails.close)
        readiness = Readiness()
        readiness.start()
        stack.callback(readiness.close)
        overview = Overview(host, readiness)
        stack.callback(overview.close)
        imports = Imports(folders)
        stack.callback(imports.close, _STOP_SECONDS)
        parts = ExploreParts(
            host=host,
            folders=folders,
            overview=overview,
            thumbnails=thumbnails,
            imports=imports,
            address=settings.host,
            store=shown(host_settings.store),
            most_bytes=settings.max_file_mb << 20,
        )
        server = ExploreServer(create_explore_app(parts), until)
        yield Explorer(_url(settings.host, listener.getsockname()[1]), server, lambda: server.run(sockets=[listener]))


def _has_threads_at_work() -> bool:
    return any(not one.daemon for one in threading.enumerate() if one is not threading.main_thread())


def _url(host: str, port: int) -> str:
    """Where a browser on this machine finds it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}/"
