"""The field lists of a class and their weights, with Weaviate's rules and messages.

What Weaviate accepts although it can only go wrong (a weight that no vector gets, weights without a sum) is refused.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vecmod.contract.modality import IMAGE, IMU, Modality
from vecmod.host.host_errors import InvalidClass

# Go's strconv.ParseFloat, base ten: what Python takes beside it are white space and digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+(_\d+)*\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)|nan", re.ASCII | re.IGNORECASE)

_CLIENTS_IMU = "IMUFields"


@dataclass(frozen=True)
class VectorField:
    """A property that is vectorised; ``weight`` is a float32 number, None where the class has no weights."""

    name: str
    modality: Modality
    weight: float | None = None


def read_only_images(settings: Mapping[str, Any]) -> tuple[VectorField, ...]:
    """Weaviate: modules/img2vec-neural/vectorizer/class_settings.go; the first fault wins."""
    if IMAGE.fields_key not in settings:
        raise InvalidClass("imageFields not present")
    return tuple(VectorField(name, IMAGE) for name in dict.fromkeys(_names(settings, IMAGE)))


def read_fields(
    settings: Mapping[str, Any], modalities: Sequence[Modality], *, by_position: bool
) -> tuple[VectorField, ...]:
    """Weaviate: usecases/modulecomponents/settings/base_class_multimodal_settings.go; all faults, in wire order."""
    settings = with_one_spelling(settings)
    faults: list[str] = []
    fields: list[VectorField] = []
    for modality in modalities:
        if modality.fields_key in settings:
            fields += _fields_of(settings, modality, faults)
    if faults:
        raise InvalidClass(", ".join(faults))
    if not fields:
        keys = " or ".join(modality.fields_key for modality in modalities)
        raise InvalidClass(f"{keys} setting needs to be present")
    _check_weights(settings, fields)
    return tuple(_by_position(fields, modalities) if by_position else fields)


def with_one_spelling(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """``IMUFields``, as Weaviate's Python client writes it and Weaviate itself does not read it, is ``imuFields``."""
    weights = settings.get("weights")
    if isinstance(weights, Mapping):
        settings = {**settings, "weights": _renamed(weights)}
    return _renamed(settings)


def _renamed(keys: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {IMU.fields_key if key == _CLIENTS_IMU else key: value for key, value in keys.items()}
    if len(renamed) < len(keys):
        raise InvalidClass(f"{IMU.fields_key} and {_CLIENTS_IMU} are the same; keep one of them")
    return renamed


def _fields_of(settings: Mapping[str, Any], modality: Modality, faults: list[str]) -> list[VectorField]:
    names: list[str] = []
    try:
        names = _names(settings, modality)
    except InvalidClass as fault:
        faults.append(str(fault))
    weights = _weight_list(settings, modality)
    if weights is None:
        return [VectorField(name, modality) for name in dict.fromkeys(names)]
    if len(weights) != len(names):
        faults.append(f"weights.{modality.fields_key} does not equal number of {modality.fields_key}")
        return []
    try:
        numbers = [_number(weight) for weight in weights]
    except InvalidClass as fault:
        faults.append(str(fault))
        return []
    if len(set(names)) < len(names):
        faults.append(f"{modality.fields_key} names a property twice, so that its weight is not clear")
    return [VectorField(name, modality, weight) for name, weight in zip(names, numbers, strict=True)]


def _names(settings: Mapping[str, Any], modality: Modality) -> list[str]:
    key, kind = modality.fields_key, modality.name
    names = settings[key]
    if not isinstance(names, list):
        raise InvalidClass(f"{key} must be an array")
    if not names:
        raise InvalidClass(f"must contain at least one {kind} field name in {key}")
    for name in names:
        if not isinstance(name, str):
            raise InvalidClass(f"{kind}Field must be a string")
        if not name:
            raise InvalidClass(f"{kind}Field values cannot be empty")
        if name[0].isupper():
            # Weaviate accepts this and never finds the property: stored names start with a lower-case letter.
            raise InvalidClass(
                f"{key} names {name!r}, but property names start with a lower-case letter: "
                f"write {name[0].lower() + name[1:]!r}"
            )
    return names


def _weight_list(settings: Mapping[str, Any], modality: Modality) -> list[Any] | None:
    weights = settings.get("weights")
    found = weights.get(modality.fields_key) if isinstance(weights, Mapping) else None
    return found if isinstance(found, list) else None


def _number(value: object) -> float:
    """A float32 number, from what Weaviate takes for one (settings/class_settings_property_helper.go)."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise InvalidClass(f'strconv.ParseFloat: parsing "{value}": invalid syntax')
        value = float(value.replace("_", ""))
    if value is None or isinstance(value, bool | list | dict):
        kinds = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
        raise InvalidClass(f"unrecognized type: {kinds.get(type(value), '<nil>')}")
    with np.errstate(over="ignore"):
        return float(np.float32(value))  # type: ignore[arg-type]


def _check_weights(settings: Mapping[str, Any], fields: Sequence[VectorField]) -> None:
    """What Weaviate lets pass, and what fails or gives nonsense when objects come."""
    weights = settings.get("weights", {})
    if not isinstance(weights, Mapping) or any(not isinstance(value, list) for value in weights.values()):
        raise InvalidClass('weights must be an object of lists: {"imageFields": [0.7], ...}')
    configured = {field.modality.fields_key for field in fields}
    if stray := [key for key in weights if key not in configured]:
        raise InvalidClass(f"weights.{stray[0]} has no {stray[0]} to belong to")
    if weights and (bare := [field for field in fields if field.weight is None]):
        raise InvalidClass(f"weights has no {bare[0].modality.fields_key}, but other fields have weights: add it")
    total = math.fsum(field.weight for field in fields if field.weight is not None)
    if weights and (not math.isfinite(total) or total == 0):
        raise InvalidClass(f"the weights sum to {total:g}; they must have a finite sum other than zero")


def _by_position(fields: Sequence[VectorField], modalities: Sequence[Modality]) -> list[VectorField]:
    """Weaviate's pairing: names in byte order, weights as configured (usecases/vectorizer/combine.go)."""
    slots = [
        name
        for modality in modalities
        for name in sorted({field.name for field in fields if field.modality is modality})
    ]
    return [replace(field, name=name) for field, name in zip(fields, slots, strict=True)]
