"""The classes of a store that vectorises by itself: declared in Weaviate's own JSON, opened as collections."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import ClassConfig, parse_class
from vecmod.host.declaration import check_properties
from vecmod.host.fieldconfig import VectorField
from vecmod.host.hand_over import Target
from vecmod.host.host_errors import InvalidClass
from vecmod.host.host_settings import HostSettings
from vecmod.host.stores.vectorizing import VectorizingStore
from vecmod.host.weaviate_collection import WeaviateCollection
from vecmod.host.weaviate_definition import (
    HIDDEN,
    class_name,
    difference,
    for_weaviate,
    vectors_of,
    without_hidden,
)


class WeaviateClasses:
    """Which modules are enabled, and where their services are, is Weaviate's to know: ours are asked nothing."""

    def __init__(self, store: VectorizingStore, settings: HostSettings) -> None:
        self._store = store
        self._default = settings.default_vectorizer_module
        self._by_position = settings.weights == "weaviate"

    def create(self, definition: Mapping[str, Any], vector: str) -> WeaviateCollection:
        """Declare a class, whole, and open it by one of its vectors; nothing is made if the same one is there.

        Raises:
            InvalidClass: if the definition cannot work, or makes other vectors than the one that is there.
        """
        self._parse(definition, vector)
        configs = {name: self._parse(definition, name) for name in vectors_of(definition)}
        sent = for_weaviate(definition, configs, by_position=self._by_position)
        name = sent["class"]
        stored = self._store.get_class(name)
        if stored is None:
            for config in configs.values():
                check_properties(definition, config.fields)
            self._store.create_class(sent)
            stored = self._store.get_class(name) or sent
        elif reason := difference(sent, stored):
            raise InvalidClass(
                f"class {name} is in Weaviate with another definition ({reason}): "
                "drop it, or give this one another name"
            )
        return self._open(stored, vector or vectors_of(stored)[0])

    def names(self) -> list[str]:
        """What :meth:`get` opens, sorted; of classes that nothing of ours vectorises, too."""
        stored = {name: self._store.get_class(name) for name in self._store.class_names()}
        vectors = {name: vectors_of(one) for name, one in stored.items() if one is not None}
        return sorted(
            f"{name}_{one}" if len(several) > 1 else name for name, several in vectors.items() for one in several
        )

    def get(self, name: str) -> WeaviateCollection | None:
        """A class by its name, or ``Class_vector`` for one of its vectors.

        Raises:
            InvalidClass: if the class has several vectors and none is named, or its module is not known here.
        """
        stored = self._store.get_class(name)
        if stored is not None:
            first, *others = vectors_of(stored)
            if others:
                raise InvalidClass(f"class {name} has the vectors {first}, {', '.join(others)}; open {name}_{first}")
            return self._open(stored, first)
        for one in self._store.class_names():
            vector = name.removeprefix(f"{one}_")
            if vector != name and (stored := self._store.get_class(one)) and vector in vectors_of(stored):
                return self._open(stored, vector)
        return None

    def _open(self, stored: Mapping[str, Any], vector: str) -> WeaviateCollection:
        definition, name = without_hidden(stored), class_name(stored)
        config = replace(self._parse(definition, vector), name=name)
        configs = [config]
        for other in vectors_of(stored):
            with suppress(InvalidClass):  # a vector of a module that is not ours: its fields are no media
                configs += [self._parse(definition, other)] if other != vector else []
        names = {one["name"] for one in stored.get("properties") or []}
        return WeaviateCollection(config, Target(_whole(configs), names.issuperset(HIDDEN)), self._store, vector)

    def _parse(self, definition: Mapping[str, Any], vector: str) -> ClassConfig:
        return parse_class(definition, known_modules(), self._default, by_position=self._by_position, vector=vector)


def _whole(configs: list[ClassConfig]) -> ClassConfig:
    """The class with the fields of all its vectors, the same whichever of them comes first."""
    fields = {
        (field.modality.name, field.name): VectorField(field.name, field.modality)
        for one in configs
        for field in one.fields
    }
    modules = "+".join(sorted({one.module for one in configs}))
    return replace(configs[0], module=modules, fields=tuple(fields[key] for key in sorted(fields)))
