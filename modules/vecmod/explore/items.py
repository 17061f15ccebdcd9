"""Objects as the page shows them."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from vecmod.explore.media_folders import MediaFolders
from vecmod.explore.media_types import kind_of, media_type_of
from vecmod.explore.opened import Opened
from vecmod.explore.thumbnails import can_show
from vecmod.host.folder import PLACE
from vecmod.host.stores.store import Hit, Record

Item = dict[str, Any]
# Properties that name an object which has no file.
_TITLES = ("title", "name")


class Items:
    """Makes items; the URLs of files that are not there are None."""

    def __init__(self, folders: MediaFolders) -> None:
        self._folders = folders

    def item(self, opened: Opened, one: Record | Hit) -> Item:
        """An object, and its distance if it was found by one."""
        place = place_of(one.properties)
        there = place is not None and self._folders.find(opened.folder, str(place)) is not None
        return {
            "id": one.id,
            **({"distance": one.distance} if isinstance(one, Hit) else {}),
            "properties": dict(one.properties),
            "kind": kind_of(place) if place else "other",
            "title": title_of(one),
            "thumbnail": thumbnail_of(opened.name, one) if there else None,
            "media": f"{_url(opened.name, one.id)}/media" if there and place and media_type_of(place) else None,
        }


def place_of(properties: Mapping[str, Any]) -> PurePosixPath | None:
    """What an object says of where its file is, or None."""
    place = properties.get(PLACE)
    return PurePosixPath(place) if isinstance(place, str) and place else None


def title_of(one: Record | Hit) -> str:
    """What an object is called: like its file, or as it says itself, or its id."""
    place = place_of(one.properties)
    named = (one.properties.get(name) for name in _TITLES)
    return next((name for name in (place.name if place else "", *named) if isinstance(name, str) and name), one.id)


def thumbnail_of(name: str, one: Record | Hit) -> str | None:
    """The URL of an object's thumbnail, if its file is of a kind that has one; whether it is there is not looked at."""
    place = place_of(one.properties)
    return f"{_url(name, one.id)}/thumbnail" if place and can_show(place) else None


def _url(name: str, object_id: str) -> str:
    return f"/api/collections/{quote(name, safe='')}/items/{quote(object_id, safe='')}"
