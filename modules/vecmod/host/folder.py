"""A folder of pictures to objects."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vecmod.contract.modality import IMAGE
from vecmod.host.classconfig import ClassConfig
from vecmod.host.host_errors import InvalidClass

# What cameras, phones and the web produce; everything else in a folder is left alone.
PICTURE_SUFFIXES = frozenset(".avif .bmp .gif .jp2 .jpeg .jpg .jpe .jfif .png .ppm .tga .tif .tiff .webp".split())
# Ids must be the same on every run, so that a second run finds what the first has stored.
_PLACE = "path"
_NAMESPACE = uuid.UUID("6e2d5c0a-6f0d-5c7e-9a53-8c0c4c0f7b11")


def picture_files(folder: Path) -> list[Path]:
    """All pictures under a folder, sorted; hidden files and folders are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file() and not _is_hidden(path.relative_to(folder))
    )


def objects_of(config: ClassConfig, folder: Path, files: list[Path]) -> Iterator[dict[str, Any]]:
    """One object for each file: the picture in the class's image field, its place under the folder in ``path``.

    The id follows from class and place. Files are read as the objects are used, not before.

    Raises:
        InvalidClass: unless the class has exactly one image field, and calls it other than ``path``.
    """
    fields = [field.name for field in config.fields if field.modality is IMAGE]
    if len(fields) != 1:
        names = ", ".join(fields) or "none"
        raise InvalidClass(f"a folder fills one image field, class {config.name} has {len(fields)}: {names}")
    if fields[0] == _PLACE:
        raise InvalidClass(f"the image field cannot be {_PLACE!r}, which holds the file's place; rename it")
    for file in files:
        place = _printable(file.relative_to(folder))
        yield {
            "id": str(uuid.uuid5(_NAMESPACE, f"{config.name}/{place}")),
            "properties": {fields[0]: file, _PLACE: place},
        }


def _printable(place: Path) -> str:
    r"""File names on Linux are bytes; those that are not UTF-8 are shown as ``\xff``."""
    return os.fsencode(place.as_posix()).decode("utf-8", "backslashreplace")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
