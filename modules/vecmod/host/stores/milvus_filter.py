"""Conditions in the words of Milvus, as both a server and Milvus Lite understand them."""

import json
from collections.abc import Sequence

from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order, Value

# Of either parser, in any case; `$meta["in"]` says them, but on Lite neither in a function nor before `in`.
_WORDS = frozenset(
    "and or not in like is null exists true false iso interval _seq _partition "
    "json_contains json_contains_all json_contains_any array_contains array_contains_all array_contains_any "
    "array_length text_match phrase_match random_sample element_filter match_all match_any match_least match_most "
    "match_exact minimum_should_match threshold st_equals st_touches st_overlaps st_crosses st_contains st_intersects "
    "st_within st_dwithin st_isvalid".split()
)
# For more values, one list instead of a chain of `==`; a server goes by the type of its first, so numbers get one type.
_FEW = 16


def one_of_ids(ids: Sequence[str]) -> str:
    """A filter for these ids; pymilvus's own ``ids=`` does not quote them."""
    return f"id in {_json(ids)}"


def sayable_on_lite(condition: Filter | None) -> bool:
    """Whether Milvus Lite can be asked for this, and answers soon.

    It cannot about a list whose name is a word of the language, and compares every list with every value in turn,
    1.4 µs for each pair; all records are fetched and compared here in less time than it takes for many values.
    """
    match condition:
        case And(parts) | Or(parts):
            return all(map(sayable_on_lite, parts))
        case OneOf(name, values, is_list) | NoneOf(name, values, is_list):
            return not is_list or (len(values) <= _FEW and not _is_word(name))
    return True


def expression(condition: Filter | None) -> str:
    """Milvus' words. Values are written as JSON: neither server nor client can be given them apart from the text."""
    match condition:
        case None:
            return ""
        case And(parts):
            return " and ".join(f"({expression(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({expression(part)})" for part in parts)
        case OneOf(name, values, is_list):
            return _list_has(name, values) if is_list else _equals(name, values)
        case NoneOf(name, values, is_list):
            # What is compared with a missing property is neither true nor false.
            return f'not (exists $meta["{name}"]) or not ({expression(OneOf(name, values, is_list))})'
        case Order(name, sign, bound):
            return f'$meta["{name}"] {sign} {json.dumps(bound)}'


def _list_has(name: str, values: Sequence[Value]) -> str:
    field = f'$meta["{name}"]' if _is_word(name) else name
    return f"json_contains_any({field}, {_json(values)})"


def _equals(name: str, values: Sequence[Value]) -> str:
    if len(values) <= _FEW or _is_word(name):
        return " or ".join(f'$meta["{name}"] == {json.dumps(value, ensure_ascii=False)}' for value in values)
    if any(isinstance(value, float) for value in values):
        values = [float(value) for value in values]
    return f"{name} in {_json(values)}"


def _is_word(name: str) -> bool:
    return name.lower() in _WORDS


def _json(values: Sequence[Value]) -> str:
    return json.dumps(list(values), ensure_ascii=False)
