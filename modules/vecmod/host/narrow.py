"""A filter as callers write it, to checked conditions.

``{"tags": "cat", "year": {"$gte": 2003}, "$or": [...]}``: the operators that pytidb, MongoDB and others have, on
declared properties; everything in one object must be met. On a list, ``$eq``, ``$ne``, ``$in`` and ``$nin`` ask what it
has in it.
"""

from collections.abc import Mapping
from typing import Any, Literal

from vecmod.host.classconfig import ClassConfig
from vecmod.host.data_types import PropertyType
from vecmod.host.host_errors import InvalidQuery
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order

_ORDERS: Mapping[str, Literal["<", "<=", ">", ">="]] = {"$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}
_LISTS = ("$in", "$nin", "$all")
_OPERATORS = ("$eq", "$ne", *_LISTS, *_ORDERS)
_DEPTH = 20


def narrow(config: ClassConfig, given: Mapping[str, Any] | None) -> Filter | None:
    """The conditions of a filter; None if there are none.

    Raises:
        InvalidQuery: naming what cannot be asked, with what can.
    """
    return None if given is None or given == {} else _all_of(config, given, 0)


def _all_of(config: ClassConfig, given: object, depth: int) -> Filter:
    if not isinstance(given, Mapping) or not given:
        raise InvalidQuery(
            f'a filter is an object such as {{"tags": "cat", "year": {{"$gte": 2003}}}}, not {given!r:.80}'
        )
    if depth > _DEPTH:
        raise InvalidQuery(f"the filter is nested more than {_DEPTH} deep")
    parts: list[Filter] = []
    for name, wanted in given.items():
        parts += (
            _either_way(config, name, wanted, depth) if name in ("$and", "$or") else _of_property(config, name, wanted)
        )
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _either_way(config: ClassConfig, word: str, given: object, depth: int) -> list[Filter]:
    if not isinstance(given, list | tuple) or not given:
        raise InvalidQuery(f'{word} needs a list of filters: {{"{word}": [{{...}}, {{...}}]}}')
    parts = tuple(_all_of(config, one, depth + 1) for one in given)
    return [And(parts) if word == "$and" else Or(parts)]


def _of_property(config: ClassConfig, name: str, wanted: object) -> list[Filter]:
    kind = _type_of(config, name)
    asked = wanted if isinstance(wanted, Mapping) else {"$eq": wanted}
    if unknown := [word for word in asked if word not in _OPERATORS] or (not asked and [wanted]):
        raise InvalidQuery(f"filter: {name} has {unknown[0]!r}, which is none of {', '.join(_OPERATORS)}")
    return [_condition(name, kind, word, value) for word, value in asked.items()]


def _type_of(config: ClassConfig, name: str) -> PropertyType:
    kind = config.types.get(name)
    if kind is None:
        have = ", ".join(sorted(config.types)) or "none"
        raise InvalidQuery(
            f"filter: class {config.name} declares no property {name!r} that can be compared (it declares: {have}); "
            'declare it in the class: "properties": [{"name": ..., "dataType": ["text[]"]}]'
        )
    return kind


def _condition(name: str, kind: PropertyType, word: str, value: Any) -> Filter:  # noqa: ANN401 -- checked here
    if word in _ORDERS:
        if kind.of not in ("int", "number") or kind.is_list:
            raise InvalidQuery(f"filter: {word} compares numbers, but {name} is {kind.spelled}")
        _check(name, kind, value)
        return Order(name, _ORDERS[word], value)
    if word in _LISTS and (not isinstance(value, list | tuple) or not value):
        raise InvalidQuery(f"filter: {word} of {name} needs a list with at least one value")
    values = tuple(value) if word in _LISTS else (value,)
    for one in values:
        _check(name, kind, one)
    if word == "$all":
        return And(tuple(OneOf(name, (one,), kind.is_list) for one in values))
    return (NoneOf if word in ("$ne", "$nin") else OneOf)(name, values, kind.is_list)


def _check(name: str, kind: PropertyType, value: object) -> None:
    if not kind.holds_one(value):
        raise InvalidQuery(f"filter: {name} is {kind.spelled}, so it is not compared with {value!r:.80}")
