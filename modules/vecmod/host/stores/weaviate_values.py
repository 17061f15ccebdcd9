"""Ids and properties, ours to Weaviate's and back."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vecmod.host.host_errors import InvalidObject
from vecmod.host.stores.store import FINGERPRINT, ORIGINAL_ID

_NAMESPACE = uuid.UUID("2f0a8a3e-5f0b-5d5e-9d43-0b7f2c6c9e55")
# Weaviate's client sends single numbers as float64.
_LARGEST_INT = 2**53


def uuid_of(object_id: str) -> str:
    """The UUID that an id has in Weaviate: a UUID's own, else one that follows from the text."""
    try:
        given = uuid.UUID(object_id)
    except ValueError:
        given = None
    # uuid.UUID reads braces, URNs and digits without hyphens, too; these are other texts.
    if given is not None and str(given) == object_id.lower():
        return str(given)
    return str(uuid.uuid5(_NAMESPACE, object_id))


def to_weaviate(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """A property as the client can send it.

    Raises:
        InvalidObject: if Weaviate has no type for it, or would store another number.
    """
    if isinstance(value, Mapping):
        return {name: to_weaviate(one) for name, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return _to_list([to_weaviate(one) for one in value])
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INT:
        raise InvalidObject(f"has the integer {value}, which Weaviate would keep as another number; store it as text")
    return value


def _to_list(values: list[Any]) -> list[Any]:
    kinds = {type(one) for one in values}
    if kinds == {int, float}:
        return [float(one) for one in values]
    if len(kinds) > 1 or kinds & {list, type(None)}:
        raise InvalidObject("has a list of lists, of nulls, or of values of several types, for which Weaviate has none")
    return values


def from_weaviate(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties as JSON values, without those that only this host knows."""
    return {
        name: _plain(value)
        for name, value in properties.items()
        if value is not None and name not in (FINGERPRINT, ORIGINAL_ID)
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 -- JSON
    match value:
        case None | str() | int() | float():
            return value
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case uuid.UUID():
            return str(value)
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {name: _plain(one) for name, one in value.items() if one is not None}
        case _:  # coordinates and phone numbers are small classes of the client's
            return _plain(dict(vars(value)))
