"""A store URL to its adapter."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from vecmod.host.host_errors import InvalidSettings
from vecmod.host.stores.store import Store
from vecmod.host.stores.store_url import shown
from vecmod.host.stores.vectorizing import VectorizingStore

_FORMS = (
    "a file name ending in .db (Milvus Lite), http://host:19530 (Milvus), tidb://user:password@host:4000/database "
    "(TiDB), weaviate://host:8080 (Weaviate), or memory://"
)


def open_database(url: str) -> Store | VectorizingStore:
    """A store that keeps vectors, or one that makes them, too; raises as :func:`open_store`."""
    if url.startswith(("weaviate://", "weaviate+https://")):
        return cast("VectorizingStore", _adapter("weaviate_store", "WeaviateStore", extra="weaviate")(url))
    return open_store(url)


def open_store(url: str) -> Store:
    """The store behind a URL; its client library is imported only now.

    Raises:
        InvalidSettings: if the form is unknown or the client library is not installed.
        StoreError: if the database cannot be opened.
    """
    if url == "memory://":
        return _adapter("memory_store", "MemoryStore")()
    if url.startswith(("tidb://", "mysql://")):
        return _adapter("tidb_store", "TiDBStore", extra="tidb")(url)
    if url.endswith(".db") or url.startswith(("http://", "https://")):
        return _adapter("milvus_store", "MilvusStore", extra="milvus")(url)
    raise InvalidSettings(f"VECMOD_STORE={shown(url)!r} is not a store: {_FORMS}")


def _adapter(module: str, kind: str, extra: str = "") -> Callable[..., Store]:
    try:
        adapter: Callable[..., Store] = getattr(import_module(f"vecmod.host.stores.{module}"), kind)
    except ImportError as error:
        raise InvalidSettings(
            f"this store needs a package that is not installed: pip install 'vecmod[{extra}]'"
        ) from error
    return adapter
