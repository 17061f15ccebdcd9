"""A store URL to its adapter."""

import re
from collections.abc import Callable
from importlib import import_module

from vecmod.host.host_errors import InvalidSettings
from vecmod.host.stores.store import Store

_FORMS = "a file name ending in .db (Milvus Lite), http://host:19530 (Milvus), typesense://host:8108, or memory://"


def without_secrets(url: str) -> str:
    """A URL as it may be shown: whatever stands before the last ``@`` may be a key or a password."""
    return re.sub(r"^([\w+.-]+://)?.*@", r"\1***@", url, flags=re.DOTALL)


def open_store(url: str, key: str = "") -> Store:
    """The store behind a URL; its client library is imported only now. ``key`` counts if the URL has none.

    Raises:
        InvalidSettings: if the form is unknown, a key is missing or the client library is not installed.
        StoreError: if the database cannot be opened.
    """
    if url == "memory://":
        return _adapter("memory_store", "MemoryStore")()
    if url.endswith(".db") or url.startswith(("http://", "https://")):
        return _adapter("milvus_store", "MilvusStore", extra="milvus")(url)
    if url.startswith(("typesense://", "typesense+https://")):
        return _adapter("typesense_store", "TypesenseStore", extra="typesense")(url, key)
    raise InvalidSettings(f"VECMOD_STORE={without_secrets(url)!r} is not a store: {_FORMS}")


def _adapter(module: str, kind: str, extra: str = "") -> Callable[..., Store]:
    try:
        adapter: Callable[..., Store] = getattr(import_module(f"vecmod.host.stores.{module}"), kind)
    except ImportError as error:
        raise InvalidSettings(
            f"this store needs a package that is not installed: pip install 'vecmod[{extra}]'"
        ) from error
    return adapter
