"""Conditions on properties, as every adapter must understand them.

A property that an object does not have meets no ``OneOf`` and no ``Order``, and every ``NoneOf``.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Value = str | int | float | bool


@dataclass(frozen=True)
class OneOf:
    """The property equals one of the values, or is a list that has one of them."""

    name: str
    values: tuple[Value, ...]
    is_list: bool


@dataclass(frozen=True)
class NoneOf:
    """The property equals none of the values, and is no list that has one of them."""

    name: str
    values: tuple[Value, ...]
    is_list: bool


@dataclass(frozen=True)
class Order:
    """The property is a number on this side of a bound."""

    name: str
    sign: Literal["<", "<=", ">", ">="]
    bound: int | float


@dataclass(frozen=True)
class And:
    """Every part is met; there is at least one."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True)
class Or:
    """At least one part is met."""

    parts: "tuple[Filter, ...]"


Filter = OneOf | NoneOf | Order | And | Or

_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def meets(properties: Mapping[str, Any], condition: Filter) -> bool:
    """Whether properties meet a condition: what all databases must agree with."""
    match condition:
        case And(parts):
            return all(meets(properties, part) for part in parts)
        case Or(parts):
            return any(meets(properties, part) for part in parts)
        case OneOf(name, values):
            return _has_one(properties.get(name), values)
        case NoneOf(name, values):
            return not _has_one(properties.get(name), values)
        case Order(name, sign, bound):
            number = properties.get(name)
            return _is_number(number) and _SIGNS[sign](number, bound)


def _has_one(value: object, values: tuple[Value, ...]) -> bool:
    held = value if isinstance(value, list) else [value]
    return any(_same(one, other) for one in held for other in values)


def _same(one: object, other: Value) -> bool:
    # In Python True == 1, in JSON it is not.
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
