"""An object and its class to pieces: the values that are vectorised, in the order Weaviate visits them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecmod.contract.modality import Modality
from vecmod.host.classconfig import ClassConfig


@dataclass(frozen=True)
class Piece:
    """One value of one field; field, modality and value stay together up to the combination."""

    field: str
    modality: Modality
    value: str


def collect(config: ClassConfig, properties: Mapping[str, Any]) -> list[Piece]:
    """The pieces of an object, by field name in byte order; absent values, and others than strings, are left out."""
    return [
        Piece(field.name, field.modality, value)
        for field in sorted(config.fields, key=lambda field: field.name)
        if isinstance(value := properties.get(field.name), str)
    ]
