"""A class definition, Weaviate's own JSON, to a checked list of (field, modality, weight)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecmod.contract.modality import MODALITIES, TEXT
from vecmod.host.catalog import KnownModule
from vecmod.host.data_types import PropertyType, read_type
from vecmod.host.fieldconfig import VectorField, read_fields, read_only_images
from vecmod.host.host_errors import InvalidClass

# The rules of entities/schema/validation.go in Weaviate.
CLASS_NAME = re.compile(r"[A-Z][_0-9A-Za-z]{0,254}")
PROPERTY_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,230}")
BLOB = "blob"


@dataclass(frozen=True)
class ClassConfig:
    """A checked class.

    Attributes:
        name: of the class.
        module: the module that vectorises it.
        fields: what is vectorised, in wire order of the modalities, then as configured.
        blobs: declared properties that hold media; they are vectorised, not stored.
        types: of the declared properties that hold plain values or lists of them, by name.
        origin: URL of the service for this class alone; empty for the module's own.
        definition: the JSON it was read from, with name and vectorizer as they were understood.
    """

    name: str
    module: str
    fields: tuple[VectorField, ...]
    blobs: frozenset[str]
    types: Mapping[str, PropertyType]
    origin: str
    definition: Mapping[str, Any]

    def media(self) -> frozenset[str]:
        """Names of all properties that hold media."""
        return self.blobs | {field.name for field in self.fields if field.modality is not TEXT}


def parse_class(
    definition: Mapping[str, Any],
    modules: Mapping[str, KnownModule],
    default_module: str,
    *,
    by_position: bool = False,
    vector: str = "",
) -> ClassConfig:
    """Check a class definition.

    Args:
        definition: JSON as sent to Weaviate's ``POST /v1/schema``.
        modules: those that can be used, by name.
        default_module: vectorizer of a class that names none.
        by_position: give weights to fields as Weaviate does, whose lists of names it has sorted before.
        vector: which of the named vectors of a class with ``vectorConfig``; may be left out if it has one.

    Raises:
        InvalidClass: with Weaviate's message, or ours where Weaviate accepts what can only go wrong.
    """
    definition = _of_vector(definition, vector)
    name = _class_name(definition.get("class"))
    module = definition.get("vectorizer") or default_module
    if module not in modules:
        raise InvalidClass(f'vectorizer: no module with name "{module}" present')
    settings = _settings(definition, name, module)
    kind = modules[module]
    try:
        fields = (
            read_fields(settings, kind.modalities, by_position=by_position)
            if kind.lists
            else read_only_images(settings)
        )
    except InvalidClass as error:
        raise InvalidClass(f"module '{module}': {error}") from error
    origin = settings.get("inferenceUrl") if kind.lists else ""
    return ClassConfig(
        name,
        module,
        fields,
        frozenset(name for name, types in declared_types(definition) if BLOB in types),
        plain_types(definition),
        origin if isinstance(origin, str) else "",
        {**definition, "class": name, "vectorizer": module},
    )


def _of_vector(definition: Mapping[str, Any], vector: str) -> Mapping[str, Any]:
    """The definition with one of its named vectors alone; each of several makes a class, ``Class_vector``."""
    if "vectorConfig" not in definition:
        if vector:
            raise InvalidClass(f"the class has no named vectors (vectorConfig), so none named {vector!r}")
        return definition
    vectors = vector_names(definition)
    if vector not in vectors and (vector or len(vectors) > 1):
        raise InvalidClass(f"vectorConfig has the vectors {', '.join(vectors)}; name one of them: vector=...")
    chosen = vector or vectors[0]
    settings = definition["vectorConfig"][chosen]
    vectorizer = settings.get("vectorizer") if isinstance(settings, Mapping) else None
    if not isinstance(vectorizer, Mapping) or len(vectorizer) != 1:
        raise InvalidClass(f'vectorConfig.{chosen}.vectorizer must be {{"<module>": {{...}}}}')
    plain = {key: value for key, value in definition.items() if key != "vectorConfig"}
    if undeclared := _undeclared_media(definition):
        plain["properties"] = [*plain.get("properties", []), *undeclared]
    name = f"{definition.get('class')}_{chosen}" if len(vectors) > 1 else definition.get("class")
    return {**plain, "class": name, "vectorizer": next(iter(vectorizer)), "moduleConfig": dict(vectorizer)}


def vector_names(definition: Mapping[str, Any]) -> list[str]:
    """The names in ``vectorConfig``; raises InvalidClass if it is none."""
    vectors = definition.get("vectorConfig")
    if not isinstance(vectors, Mapping) or not vectors:
        raise InvalidClass('vectorConfig must be {"<name>": {"vectorizer": {"<module>": {...}}}}')
    return list(vectors)


def _undeclared_media(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Declarations of media that only the settings of the vectors name: what is one's medium is no other's property."""
    declared = {name for name, _ in declared_types(definition)}
    settings = (setting for vector in definition["vectorConfig"].values() for setting in _settings_in(vector))
    keys = [modality.fields_key for modality in MODALITIES if modality is not TEXT]
    names = {str(name) for setting in settings for key in keys for name in _as_list(setting.get(key, []))}
    return [{"name": name, "dataType": [BLOB]} for name in sorted(names - declared)]


def _settings_in(vector: object) -> list[Mapping[str, Any]]:
    vectorizer = vector.get("vectorizer") if isinstance(vector, Mapping) else None
    return [one for one in vectorizer.values() if isinstance(one, Mapping)] if isinstance(vectorizer, Mapping) else []


def _class_name(name: object) -> str:
    if not isinstance(name, str) or not CLASS_NAME.fullmatch(name[:1].upper() + name[1:]):
        raise InvalidClass(f"{name!r} is not a valid class name: a letter, then letters, digits and underscores")
    return name[:1].upper() + name[1:]


def _settings(definition: Mapping[str, Any], name: str, module: str) -> Mapping[str, Any]:
    config = definition.get("moduleConfig")
    if not isinstance(config, Mapping):
        raise InvalidClass(f"no moduleconfig for class {name} present")
    settings = config.get(module)
    if not isinstance(settings, Mapping):
        raise InvalidClass(f'no vectorizer found for class "{name}"')
    return settings


def declared_types(definition: Mapping[str, Any]) -> list[tuple[str, list[object]]]:
    """Names, as Weaviate stores them, and data types of the declared properties."""
    properties = definition.get("properties") or []
    if not isinstance(properties, list):
        raise InvalidClass("properties must be a list")
    for one in properties:
        if not isinstance(one, Mapping) or not PROPERTY_NAME.fullmatch(str(one.get("name", ""))):
            raise InvalidClass(
                f'{one!r} is not a property: {{"name": "<letters, digits, underscores>", "dataType": [...]}}'
            )
    return [(lower_first(one["name"]), _as_list(one.get("dataType"))) for one in properties]


def plain_types(definition: Mapping[str, Any]) -> dict[str, PropertyType]:
    """Types of the declared properties that hold plain values or lists of them, by name."""
    return {name: kind for name, types in declared_types(definition) for one in types if (kind := read_type(one))}


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def lower_first(name: str) -> str:
    """A property name as Weaviate stores it."""
    return name[:1].lower() + name[1:]
