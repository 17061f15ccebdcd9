"""Records as Typesense's documents, conditions as its filters; the client is elsewhere.

Typesense compares texts without case and symbols, floats in 32 bits, and a field that a document lacks with nothing.
So a document carries, beside its properties, what makes conditions exact: a digest of each property with its value,
and for numbers an integer in the same order. A name with a dot cannot be a property's.
"""

import base64
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from vecmod.host.classconfig import plain_types
from vecmod.host.data_types import PropertyType
from vecmod.host.stores.filter import And, Filter, NoneOf, OneOf, Or, Order
from vecmod.host.stores.store import FINGERPRINT, RESERVED, Record, StoredClass

VECTOR = "vector"
_KEYS = "vecmod.keys"
# JSON of properties that Typesense would not keep as they are: null, and what the class declares as something else.
_MISFITS = "vecmod.misfits"
_ORDER = "{}.order"

_TYPES = {
    "text": "string",
    "string": "string",
    "uuid": "string",
    "date": "string",
    "int": "int64",
    "number": "float",
    "boolean": "bool",
}
_NUMBERS = ("int", "number")
# A filter needs no quotes around these, and nothing but letters and digits begins one of ours.
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ENCODED = "~"
_EVERYTHING = f"{_KEYS}:!=[none]"
# Of a longer filter, 0.24 says that it is not valid. A list of values is as long as one value, whatever it has in it.
_MOST_TOKENS = 99
# Below, every integer is a float64 of its own.
_EXACT = 2**53


class Clause(NamedTuple):
    """A filter in Typesense's words.

    Attributes:
        text: the words.
        tokens: how many Typesense counts: comparisons, what joins them, and parentheses.
        is_whole: whether it asks for all of the condition; if not, others may meet it, too.
    """

    text: str
    tokens: int = 1
    is_whole: bool = True

    def in_parentheses(self) -> "Clause":
        """To stand in another; one comparison needs none."""
        return self if self.tokens == 1 else Clause(f"({self.text})", self.tokens + 2, self.is_whole)


def schema_of(name: str, stored: StoredClass) -> dict[str, Any]:
    """The collection of a class; declared properties are fields, so that Typesense's own search reads them too."""
    types = field_types(stored.definition)
    declared = {one: _TYPES[kind.of] + "[]" * kind.is_list for one, kind in types.items()}
    orders = {_ORDER.format(one): "int64" for one, kind in types.items() if kind.of in _NUMBERS and not kind.is_list}
    return {
        "name": name,
        "fields": [
            {"name": VECTOR, "type": "float[]", "num_dim": stored.dim},
            {"name": _KEYS, "type": "string[]"},
            *({"name": one, "type": kind, "optional": True} for one, kind in {**declared, **orders}.items()),
        ],
    }


def is_ours(collection: Mapping[str, Any]) -> bool:
    """Whether a collection was made from such a schema, and by nobody else."""
    return any(field["name"] == _KEYS for field in collection["fields"])


def field_types(definition: Mapping[str, Any]) -> dict[str, PropertyType]:
    """The declared properties that can be compared."""
    return {name: kind for name, kind in plain_types(definition).items() if name not in RESERVED}


def to_line(record: Record, types: Mapping[str, PropertyType]) -> str:
    """What is imported: one line of JSON. The vector's numbers have a decimal point, else Typesense misreads them.

    Raises:
        ValueError: if a property is no JSON value.
    """
    return _to_json(_to_document(record, types))


def _to_document(record: Record, types: Mapping[str, PropertyType]) -> dict[str, Any]:
    fitting: dict[str, Any] = {}
    misfits: dict[str, Any] = {}
    keys: list[str] = []
    orders: dict[str, int] = {}
    for name, value in record.properties.items():
        kind = types.get(name)
        fits = value is not None and (kind is None or kind.holds(value))
        (fitting if fits else misfits)[name] = value
        if kind is None:
            continue
        keys += [_key(name, one) for one in _values(value)]
        if isinstance(value, int | float) and not isinstance(value, bool):
            orders[_ORDER.format(name)] = _rank(value)
    return {
        **fitting,
        **orders,
        **({_MISFITS: _to_json(misfits)} if misfits else {}),
        "id": to_document_id(record.id),
        # Nine digits are all that a float32 has; the server reads them again for each hit.
        VECTOR: [float(f"{number:.9g}") for number in record.vector.tolist()],
        FINGERPRINT: record.fingerprint,
        _KEYS: keys,
    }


def to_record(document: Mapping[str, Any]) -> Record:
    """The record of a document; its vector is empty if it was left out."""
    return Record(
        to_object_id(document["id"]),
        np.array(document.get(VECTOR, ()), np.float32),
        {
            **{name: value for name, value in document.items() if name not in RESERVED and "." not in name},
            **json.loads(document.get(_MISFITS, "{}")),
        },
        document.get(FINGERPRINT, ""),
    )


def to_document_id(object_id: str) -> str:
    """An id that stands in a filter without quotes: the object's own, or an encoded one."""
    if _PLAIN_ID.fullmatch(object_id):
        return object_id
    return _ENCODED + base64.urlsafe_b64encode(object_id.encode()).decode().rstrip("=")


def to_object_id(document_id: str) -> str:
    """The id that an object was given."""
    if not document_id.startswith(_ENCODED):
        return document_id
    encoded = document_id.removeprefix(_ENCODED)
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def one_of(object_ids: Iterable[str]) -> str:
    """A filter for these ids."""
    return f"id:[{','.join(map(to_document_id, object_ids))}]"


def filter_by(condition: Filter | None) -> Clause:
    """Typesense's words for a condition; for none, a filter that everything meets.

    They are exact but for bounds beyond 2**53, where neighbours of the bound may meet them, too, and for conditions
    that are too long for Typesense: what meets these meets their clause, but so may others, and it is not whole.
    """
    match condition:
        case None:
            return Clause(_EVERYTHING)
        case And() | Or():
            return _joined(condition)
        case OneOf() | NoneOf():
            return _keyed([condition])
        case Order(name, sign, bound):
            return Clause(f"{_ORDER.format(name)}:{sign if abs(bound) < _EXACT else sign[0] + '='}{_rank(bound)}")


def _joined(condition: And | Or) -> Clause:
    is_and = isinstance(condition, And)
    together = NoneOf if is_and else OneOf
    parts = list(_flat(condition, type(condition)))
    keyed = [part for part in parts if isinstance(part, together)]
    clauses = [_keyed(keyed)] if keyed else []
    clauses += [filter_by(part) for part in parts if not isinstance(part, together)]
    if len(clauses) == 1:
        return clauses[0]
    # The short ones first, so that of an And that is too long as many parts as possible are asked for.
    clauses = sorted((one.in_parentheses() for one in clauses), key=lambda one: one.tokens)
    lengths = accumulate(one.tokens + 1 for one in clauses)
    kept = [one for one, length in zip(clauses, lengths, strict=True) if length <= _MOST_TOKENS + 1]
    is_whole = len(kept) == len(clauses)
    if not kept or not (is_and or is_whole):
        return Clause(_EVERYTHING, is_whole=False)
    return Clause(
        (" && " if is_and else " || ").join(one.text for one in kept),
        sum(one.tokens + 1 for one in kept) - 1,
        is_whole and all(one.is_whole for one in kept),
    )


def _flat(condition: Filter, kind: type[And] | type[Or]) -> Iterator[Filter]:
    """The parts of an And with those of each And in it, or of an Or likewise; what has one part is that part."""
    if isinstance(condition, And | Or) and (isinstance(condition, kind) or len(condition.parts) == 1):
        for part in condition.parts:
            yield from _flat(part, kind)
    else:
        yield condition


def _keyed(parts: Sequence[OneOf | NoneOf]) -> Clause:
    """One clause for parts of one kind, as a key has the property's name in it."""
    keys = dict.fromkeys(_key(part.name, value) for part in parts for value in part.values)
    return Clause(f"{_KEYS}:{'=' if isinstance(parts[0], OneOf) else '!='}[{','.join(keys)}]")


def _values(value: object) -> list[object]:
    held = value if isinstance(value, list) else [value]
    return [one for one in held if isinstance(one, str | int | float)]


def _to_json(value: object) -> str:
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()  # half a surrogate pair has no bytes
    return text


def _key(name: str, value: object) -> str:
    """Equal for values that are equal in JSON: 1 and 1.0, but not 1 and true."""
    same = int(value) if isinstance(value, float) and value.is_integer() else value
    return blake2b(json.dumps([name, same]).encode(), digest_size=16).hexdigest()


def _rank(number: float) -> int:
    """Among all float64, as an int64: the bits of IEEE 754 are in the order of the numbers, but for the sign."""
    bits: int = struct.unpack(">q", struct.pack(">d", float(number) + 0.0))[0]
    return bits if bits >= 0 else -(bits + 2**63)
