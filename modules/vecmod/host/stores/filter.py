"""Conditions on properties, as every adapter must understand them.

A property that an object does not have meets no ``OneOf`` and no ``Order``, and every ``NoneOf``.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Value = str | int | float | bool


@dataclass(frozen=True)
class _Among:
    """A property, values to look for in it, and whether it is declared a list."""

    name: str
    values: tuple[Value, ...]
    is_list: bool

    @cached_property
    def distinct(self) -> frozenset[tuple[bool, Value]]:
        """The values, each with whether it is a boolean (in Python True == 1), to be found quickly among many."""
        return frozenset((isinstance(value, bool), value) for value in self.values)


@dataclass(frozen=True)
class OneOf(_Among):
    """The property equals one of the values, or is a list that has one of them."""


@dataclass(frozen=True)
class NoneOf(_Among):
    """The property equals none of the values, and is no list that has one of them."""


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
        case OneOf(name):
            return _has_one(properties.get(name), condition.distinct)
        case NoneOf(name):
            return not _has_one(properties.get(name), condition.distinct)
        case Order(name, sign, bound):
            number = properties.get(name)
            return _is_number(number) and _SIGNS[sign](number, bound)


def _has_one(value: object, distinct: frozenset[tuple[bool, Value]]) -> bool:
    held = value if isinstance(value, list) else [value]
    return any(isinstance(one, str | int | float) and (isinstance(one, bool), one) in distinct for one in held)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
