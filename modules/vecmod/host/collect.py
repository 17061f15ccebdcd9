"""An object and its class to pieces: the values that are vectorised, in the order Weaviate visits them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecmod.contract.modality import MODALITIES, TEXT, Modality
from vecmod.host.classconfig import ClassConfig


@dataclass(frozen=True)
class Piece:
    """One value of one field; what belongs together stays together up to the combination."""

    field: str
    modality: Modality
    value: str
    weight: float | None = None


def collect(config: ClassConfig, properties: Mapping[str, Any]) -> list[Piece]:
    """The pieces of an object: by modality in wire order, then by field name in byte order.

    A string is one piece; a list of strings in a text field is one piece for each. Anything else is left out.
    """
    fields = sorted(config.fields, key=lambda field: (MODALITIES.index(field.modality), field.name))
    return [
        Piece(field.name, field.modality, value, field.weight)
        for field in fields
        for value in _values(field.modality, properties.get(field.name))
    ]


def _values(modality: Modality, value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if modality is TEXT and isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return list(value)
    return []
