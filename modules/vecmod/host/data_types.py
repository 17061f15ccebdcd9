"""What a declared property holds: those of Weaviate's data types that are plain values or lists of them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Databases keep integers in 64 bits.
_INT64 = 2**63


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _is_number(value: object) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


# Dates and UUIDs are texts in JSON; they are compared as such.
_HOLDS: Mapping[str, Callable[[object], bool]] = {
    "text": _is_text,
    "string": _is_text,
    "uuid": _is_text,
    "date": _is_text,
    "int": _is_int,
    "number": _is_number,
    "boolean": _is_boolean,
}


@dataclass(frozen=True)
class PropertyType:
    """A data type: ``of`` is that of one value (``text``, ``int``, ...), ``is_list`` whether there are several."""

    of: str
    is_list: bool

    @property
    def spelled(self) -> str:
        """As in a class definition."""
        return f"{self.of}[]" if self.is_list else self.of

    def holds_one(self, value: object) -> bool:
        """Whether this is one value of the type."""
        return _HOLDS[self.of](value)

    def holds(self, value: object) -> bool:
        """Whether this is what a property of the type has."""
        if self.is_list:
            return isinstance(value, list | tuple) and all(self.holds_one(one) for one in value)
        return self.holds_one(value)


def read_type(spelled: object) -> PropertyType | None:
    """The type of a name such as ``text[]``; None for those that are no plain values (blob, object, references)."""
    if not isinstance(spelled, str):
        return None
    one = spelled.removesuffix("[]")
    return PropertyType(one, one != spelled) if one in _HOLDS else None
