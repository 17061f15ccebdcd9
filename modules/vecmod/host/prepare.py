"""One object, checked and ready: its id, what is vectorised, what is stored, and a fingerprint of both."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecmod.host.classconfig import ClassConfig, lower_first
from vecmod.host.collect import Piece, collect
from vecmod.host.host_errors import InvalidObject, NothingToVectorize
from vecmod.host.media_input import to_wire
from vecmod.host.stores.store import id_fault, name_fault


@dataclass(frozen=True)
class PreparedObject:
    """An object of a class.

    Attributes:
        id: given, or a new UUID.
        pieces: what is vectorised.
        properties: what is stored: everything but media.
        fingerprint: two digests, of pieces and of properties, joined by a colon.
    """

    id: str
    pieces: tuple[Piece, ...]
    properties: Mapping[str, Any]
    fingerprint: str

    def same_vector(self, fingerprint: str) -> bool:
        """Whether a record with that fingerprint was made from the same pieces."""
        return self.fingerprint.partition(":")[0] == fingerprint.partition(":")[0]


def prepare(config: ClassConfig, given: Mapping[str, Any]) -> PreparedObject:
    """Check an object, JSON as Weaviate takes it: ``{"id": ..., "properties": {...}}``.

    A media property is base64, or what :func:`vecmod.host.media_input.to_wire` takes except for file names: a
    string is always base64, so that an object from elsewhere cannot name a file of this machine.

    Raises:
        InvalidObject: if it has nothing to vectorise, an id or properties that no database could store, or a declared
            property of another type.
        InvalidQuery: if a medium cannot be read.
    """
    object_id = name_of(given)
    properties = properties_of(given)
    if fault := id_fault(object_id) or name_fault(properties):
        raise InvalidObject(fault)
    properties = _in_one_spelling(properties)
    _check_types(config, properties)
    media = config.media()
    for name in media & properties.keys():
        if not isinstance(properties[name], str):
            properties[name] = to_wire(properties[name])
    pieces = tuple(collect(config, properties))
    if not pieces:
        fields = ", ".join(field.name for field in config.fields)
        raise NothingToVectorize(f"has nothing to vectorise: class {config.name} reads {fields}")
    made_from = [config.module, *map(_made_from, pieces)]
    stored = _to_json({name: value for name, value in properties.items() if name not in media})
    fingerprint = f"{_digest(_to_json(made_from))}:{_digest(stored)}"
    return PreparedObject(object_id, pieces, _from_json(stored), fingerprint)


def name_of(given: object) -> str:
    """The id of an object; a new UUID if it has none."""
    given_id = given.get("id") if isinstance(given, Mapping) else None
    return str(uuid.uuid4() if given_id is None else given_id)


def properties_of(given: object) -> Mapping[str, Any]:
    """The properties of an object; raises InvalidObject if it has none."""
    properties = given.get("properties") if isinstance(given, Mapping) else None
    if not isinstance(properties, Mapping):
        raise InvalidObject('has no properties; write {"id": ..., "properties": {...}}')
    return properties


def _in_one_spelling(properties: Mapping[str, Any]) -> dict[str, Any]:
    stored = {lower_first(name): value for name, value in properties.items() if value is not None}
    if len(stored) < sum(value is not None for value in properties.values()):
        raise InvalidObject("has a property in two spellings; names that differ in their first letter's case are one")
    return stored


def _made_from(piece: Piece) -> list[object]:
    """What of a piece decides on the vector."""
    weight = [] if piece.weight is None else [piece.weight]
    return [piece.field, piece.modality.name, piece.value, *weight]


def _check_types(config: ClassConfig, properties: Mapping[str, Any]) -> None:
    """Weaviate's check of declared properties; without it some databases would refuse, others compare wrongly."""
    for name in config.types.keys() & properties.keys():
        kind, value = config.types[name], properties[name]
        if not kind.holds(value):
            raise InvalidObject(
                f"invalid {kind.spelled} property '{name}' on class '{config.name}': not {kind.spelled}, "
                f"but {value!r:.80} ({type(value).__name__})"
            )


def _to_json(value: object) -> bytes:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidObject(f"has a property that is no JSON value: {error}") from error


def _from_json(text: bytes) -> dict[str, Any]:
    """What every database gives back: tuples are lists by now, and all keys are strings."""
    properties: dict[str, Any] = json.loads(text, parse_int=_small_enough)
    return properties


def _small_enough(digits: str) -> int:
    """Databases keep integers in 64 bits; some would fail, others would store another number."""
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise InvalidObject(f"has an integer that does not fit into 64 bits ({digits[:30]}); store it as text")
    return number


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]
