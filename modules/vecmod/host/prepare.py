"""One object, checked and ready: its id, what is vectorised, what is stored, and a fingerprint of both."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecmod.host.classconfig import ClassConfig, lower_first
from vecmod.host.collect import Piece, collect
from vecmod.host.host_errors import InvalidObject
from vecmod.host.media_input import to_base64


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

    A media property is base64, or what :func:`vecmod.host.media_input.to_base64` takes except for file names: a
    string is always base64, so that an object from elsewhere cannot name a file of this machine.

    Raises:
        InvalidObject: if it has nothing to vectorise, or properties that are no JSON.
        InvalidQuery: if a medium cannot be read.
    """
    properties = {lower_first(name): value for name, value in _properties(given).items() if value is not None}
    media = config.media()
    for name in media & properties.keys():
        if not isinstance(properties[name], str):
            properties[name] = to_base64(properties[name])
    pieces = tuple(collect(config, properties))
    if not pieces:
        fields = ", ".join(field.name for field in config.fields)
        raise InvalidObject(f"has nothing to vectorise: class {config.name} reads {fields}")
    stored = {name: value for name, value in properties.items() if name not in media}
    return PreparedObject(object_id(given), pieces, stored, _fingerprint(config, pieces, stored))


def object_id(given: Mapping[str, Any]) -> str:
    """The id of an object; a new UUID if it has none."""
    return str(given.get("id") or uuid.uuid4())


def _properties(given: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = given.get("properties")
    if not isinstance(properties, Mapping):
        raise InvalidObject('has no properties; write {"id": ..., "properties": {...}}')
    return properties


def _fingerprint(config: ClassConfig, pieces: tuple[Piece, ...], stored: Mapping[str, Any]) -> str:
    made_from = [config.module, *([piece.field, piece.modality.name, piece.value] for piece in pieces)]
    try:
        return f"{_digest(made_from)}:{_digest(stored)}"
    except (TypeError, ValueError) as error:
        raise InvalidObject(f"has a property that is no JSON value: {error}") from error


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()[:32]
