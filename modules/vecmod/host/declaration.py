"""What a class that is to be made must say of its properties; one that is there already is opened as it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from vecmod.contract.modality import TEXT
from vecmod.host.classconfig import BLOB, declared_types
from vecmod.host.data_types import read_type
from vecmod.host.fieldconfig import VectorField
from vecmod.host.host_errors import InvalidClass
from vecmod.host.stores.store import RESERVED

_BLOBS = frozenset({BLOB, "blobHash"})
# Weaviate's types beside plain values; what begins with a capital letter is a reference to objects of that class.
_OTHERS = _BLOBS | {"geoCoordinates", "phoneNumber", "object", "object[]"}
_KNOWN = (
    "text, int, number, boolean, date, uuid, object, each also with [], blob, geoCoordinates, phoneNumber, or a class"
)


def check_properties(definition: Mapping[str, Any], fields: Sequence[VectorField]) -> None:
    """Refuse declared properties that can only go wrong once objects come.

    Args:
        definition: JSON as sent to Weaviate's ``POST /v1/schema``; it has been parsed before.
        fields: what is vectorised of it.

    Raises:
        InvalidClass: for a name that is there twice or that the store needs itself, an unknown data type or none, and a
            vectorised field of a type that has nothing to vectorise.
    """
    seen: dict[str, object] = {}
    for name, types in declared_types(definition):
        if name in seen:
            raise InvalidClass(f"conflict for property {name!r}: already in use or provided multiple times")
        if name in RESERVED:
            raise InvalidClass(f"property {name!r}: the store needs this name itself; give it another one")
        seen[name] = _only_type(name, types)
    for field in fields:
        if field.name in seen and not _fits(field, seen[field.name]):
            key, wanted = field.modality.fields_key, "text or text[]" if field.modality is TEXT else BLOB
            raise InvalidClass(f"{key} names {field.name!r}, which is declared {seen[field.name]}: declare it {wanted}")


def _only_type(name: str, types: Sequence[object]) -> object:
    """The type, or the first class that a reference may lead to."""
    if not types or types == [None]:
        raise InvalidClass(f'property {name!r} has no data type: add "dataType": ["text"], for example')
    for one in types:
        if not (isinstance(one, str) and (read_type(one) or one in _OTHERS or one[:1].isupper())):
            raise InvalidClass(f"property {name!r}: invalid dataType {one!r}; there are {_KNOWN} to refer to")
    if len(types) > 1 and not all(str(one)[:1].isupper() for one in types):
        raise InvalidClass(f"property {name!r} has several data types, which only references to classes can have")
    return types[0]


def _fits(field: VectorField, declared: object) -> bool:
    if field.modality is not TEXT:
        return declared in _BLOBS
    kind = read_type(declared)
    return kind is not None and kind.of in ("text", "string")
