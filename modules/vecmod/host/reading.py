"""The media of an object, read once: a stream has its bytes only once, but several may ask for them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vecmod.host.classconfig import lower_first
from vecmod.host.host_errors import HostError, InvalidObject
from vecmod.host.media_input import to_wire
from vecmod.host.prepare import name_of, properties_of


def read_media(given: Mapping[str, Any], media: frozenset[str]) -> Mapping[str, Any]:
    """The object with an id, and with its media as text; what is at fault stays as it is, for :func:`prepare` to say.

    A string is left alone: an object from elsewhere cannot name a file of this machine.
    """
    try:
        properties = properties_of(given)
    except InvalidObject:
        return given
    readable = dict(properties)
    for name, value in properties.items():
        if lower_first(str(name)) in media and value is not None and not isinstance(value, str):
            with suppress(HostError):
                readable[name] = to_wire(value)
    return {"id": name_of(given), "properties": readable}


def media_of(given: Mapping[str, Any], media: frozenset[str]) -> dict[str, str]:
    """Those media of an object that are text, by property."""
    try:
        properties = properties_of(given)
    except InvalidObject:
        return {}
    return {
        stored: value
        for name, value in properties.items()
        if isinstance(value, str) and (stored := lower_first(str(name))) in media
    }
