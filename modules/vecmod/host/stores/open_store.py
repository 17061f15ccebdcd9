"""A store URL to its adapter."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from vecmod.host.host_errors import InvalidSettings
from vecmod.host.stores.store import Store
from vecmod.host.stores.store_url import shown
from vecmod.host.stores.vectorizing import VectorizingStore

_FORMS = (
    "a file name ending in .db (Milvus Lite), http://host:19530 (Milvus), typesense://host:8108, "
    "tidb://user:password@host:4000/database (TiDB), weaviate://host:8080 (Weaviate), or memory://"
)


def open_database(url: str, key: str = "") -> Store | VectorizingStore:
    """A store that keeps vectors, or one that makes them, too; raises as :func:`open_store`."""
    if url.startswith(("weaviate://", "weaviate+https://")):
        return cast("VectorizingStore", _adapter("weaviate_store", "WeaviateStore", extra="weaviate")(url, key))
    return open_store(url, key)


def open_store(url: str, key: str = "") -> Store:
    """The store behind a URL; its client library is imported only now. ``key`` counts if the URL has none.

    Raises:
        InvalidSettings: if the form is unknown, a key is missing or the client library is not installed.
        StoreError: if the database cannot be opened.
    """
    if url == "memory://":
        return _adapter("memory_store", "MemoryStore")()
    if url.startswith(("tidb://", "mysql://")):
        return _adapter("tidb_store", "TiDBStore", extra="tidb")(url, key)
    if url.endswith(".db") or url.startswith(("http://", "https://")):
        return _adapter("milvus_store", "MilvusStore", extra="milvus")(url, key)
    if url.startswith(("typesense://", "typesense+https://")):
        return _adapter("typesense_store", "TypesenseStore", extra="typesense")(url, key)
    raise InvalidSettings(f"VECMOD_STORE={shown(url)!r} is not a store: {_FORMS}")


def _adapter(module: str, kind: str, extra: str = "") -> Callable[..., Store]:
    try:
        adapter: Callable[..., Store] = getattr(import_module(f"vecmod.host.stores.{module}"), kind)
    except ImportError as error:
        raise InvalidSettings(
            f"this store needs a package that is not installed: pip install 'vecmod[{extra}]'"
        ) from error
    return adapter
