"""The module host: modules, classes and one store, as one thing to open and to close."""

import threading
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

from vecmod.host.catalog import KnownModule, known_modules
from vecmod.host.classconfig import CLASS_NAME, ClassConfig, parse_class, vector_names
from vecmod.host.client import ServiceClient
from vecmod.host.collection import Collection
from vecmod.host.declaration import check_properties
from vecmod.host.host_errors import InvalidClass, UnknownClass
from vecmod.host.host_settings import HostSettings
from vecmod.host.named_vectors import NamedVectors
from vecmod.host.registry import READY_SECONDS, ModuleRegistry
from vecmod.host.store_collection import StoreCollection
from vecmod.host.stores.open_store import open_database
from vecmod.host.stores.store import StoredClass
from vecmod.host.stores.store_url import shown
from vecmod.host.stores.vectorizing import VectorizingStore
from vecmod.host.weaviate_classes import WeaviateClasses


class ModuleHost:
    """What Weaviate's module system does, for any store.

    Services are connected when one is first needed, so that stored vectors can be searched without them.

    Args:
        settings: usually ``HostSettings.read(os.environ)``.
        ready_seconds: how long to wait for each service that is not ready yet.

    Raises:
        InvalidSettings: if the store's URL means nothing.
        StoreError: if the store cannot be opened.
    """

    def __init__(self, settings: HostSettings, ready_seconds: float = READY_SECONDS) -> None:
        self._settings = settings
        self._ready_seconds = ready_seconds
        self._registry: ModuleRegistry | None = None
        self._opening = threading.Lock()
        self._store = open_database(settings.store, settings.store_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and store."""
        if self._registry is not None:
            self._registry.close()
        self._store.close()

    def class_names(self) -> list[str]:
        """Names of the classes in the store, sorted."""
        return self._store.class_names()

    def collection_names(self) -> list[str]:
        """What :meth:`get_class` opens, sorted; in Weaviate ``Class_vector`` for each of several vectors."""
        if isinstance(self._store, VectorizingStore):
            return WeaviateClasses(self._store, self._settings).names()
        return self.class_names()

    def read_class(self, definition: Mapping[str, Any], vector: str = "") -> ClassConfig:
        """Check a class, Weaviate's JSON, and declare nothing; ``vector`` as for :meth:`create_class`.

        Raises:
            InvalidClass: if the definition cannot work.
        """
        modules = known_modules()
        if not isinstance(self._store, VectorizingStore):  # which modules Weaviate has is for it to say
            modules = {name: modules[name] for name in self._settings.enable_modules if name in modules}
        return self._parse(definition, modules, vector)

    def create_class(self, definition: Mapping[str, Any], vector: str = "") -> Collection:
        """Declare a class, Weaviate's JSON; nothing happens if the same one is there.

        ``vector`` names one of several vectors of a class with ``vectorConfig``: each becomes a class of its own
        (all of them at once: :meth:`create_named_vectors`).

        Raises:
            InvalidClass: if the definition cannot work, or differs from the one in the store.
            ServiceUnreachable: if the length of the vectors cannot be asked for.
        """
        if isinstance(self._store, VectorizingStore):
            return WeaviateClasses(self._store, self._settings).create(definition, vector)
        config = self.read_class(definition, vector)
        stored = self._store.get_class(config.name)
        if stored is None:
            check_properties(definition, config.fields)
            dim = self._client(config).dimension()
            self._store.create_class(config.name, StoredClass(config.definition, dim))
        elif stored.definition != config.definition:
            raise InvalidClass(
                f"class {config.name} is in the store with another definition; a class cannot be changed: "
                "drop it, or give this one another name"
            )
        return self.get_class(config.name)

    def create_named_vectors(self, definition: Mapping[str, Any]) -> NamedVectors:
        """Declare a class with a ``vectorConfig``, to be filled and searched by all of its vectors.

        Raises:
            InvalidClass, ServiceUnreachable: as :meth:`create_class`.
        """
        return NamedVectors({name: self.create_class(definition, name) for name in vector_names(definition)})

    def get_class(self, name: str) -> Collection:
        """A class of the store.

        Raises:
            UnknownClass: listing those there are.
        """
        collection = self._open(name) if CLASS_NAME.fullmatch(name) else None
        if collection is None:
            have = ", ".join(self.class_names()) or "none"
            raise UnknownClass(f"there is no class {name} in {shown(self._settings.store)}; it has: {have}")
        return collection

    def drop_class(self, name: str) -> None:
        """Delete a class with all its objects."""
        self._store.drop_class(name)

    def registry(self) -> ModuleRegistry:
        """The enabled modules, connected and ready."""
        with self._opening:
            if self._registry is None:
                self._registry = ModuleRegistry(self._settings, self._ready_seconds)
            return self._registry

    def origin_of(self, config: ClassConfig) -> str:
        """URL of the service that vectorises a class; empty if it is set nowhere, or if the store itself asks it."""
        if isinstance(self._store, VectorizingStore):
            return ""
        variable = known_modules()[config.module].origin_variable
        return config.origin or self._settings.module_variables.get(variable, "")

    def _open(self, name: str) -> Collection | None:
        """The one place that knows two kinds of stores: those that keep vectors, and those that make them."""
        if isinstance(self._store, VectorizingStore):
            return WeaviateClasses(self._store, self._settings).get(name)
        stored = self._store.get_class(name)
        if stored is None:
            return None
        config = self._parse(stored.definition, known_modules())
        client = partial(self._client, config)
        return StoreCollection(config, client, self._store, stored.dim, self._settings.concurrency)

    def _parse(
        self, definition: Mapping[str, Any], modules: Mapping[str, KnownModule], vector: str = ""
    ) -> ClassConfig:
        default, by_position = self._settings.default_vectorizer_module, self._settings.weights == "weaviate"
        return parse_class(definition, modules, default, by_position=by_position, vector=vector)

    def _client(self, config: ClassConfig) -> ServiceClient:
        client = self.registry().get(config.module)
        return client.at(config.origin) if config.origin else client
