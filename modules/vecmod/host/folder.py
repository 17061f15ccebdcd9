"""A folder of pictures, sounds, films and motion sensors' tables to objects."""

import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from vecmod.contract.modality import AUDIO, DEPTH, IMAGE, IMU, MODALITIES, THERMAL, VIDEO, Modality
from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import ClassConfig
from vecmod.host.host_errors import InvalidClass

_PICTURES = ".avif .bmp .gif .jp2 .jpeg .jpg .jpe .jfif .png .ppm .tga .tif .tiff .webp".split()
_FILMS = ".3gp .avi .gif .m4v .mkv .mov .mp4 .webm".split()
_SOUNDS = ".aac .aif .aiff .flac .m4a .mka .mp3 .oga .ogg .opus .wav .weba".split()
# What cameras, phones, recorders and the web produce. Of two rows of a class for one suffix the later one counts: a GIF
# is a picture where there are pictures, else a film, and a depth picture only where there are no films either.
_SUFFIXES = {DEPTH: _PICTURES, THERMAL: _PICTURES, VIDEO: _FILMS, IMAGE: _PICTURES, AUDIO: _SOUNDS, IMU: [".csv"]}
# Ids must be the same on every run, so that a second run finds what the first has stored.
PLACE = "path"
_NAMESPACE = uuid.UUID("6e2d5c0a-6f0d-5c7e-9a53-8c0c4c0f7b11")


class FileFields:
    """Which field of a class a file goes into, which its suffix tells, and the object that it becomes.

    Args:
        config: the class.

    Attributes:
        takes: the field by suffix, in lower case with its dot.
        modalities: of those fields, in wire order.

    Raises:
        InvalidClass: if the class has no field for files, or several that a file could go into, or one that is called
            ``path``.
    """

    def __init__(self, config: ClassConfig) -> None:
        fields = _fields(config)
        self.modalities: Sequence[Modality] = tuple(fields)
        self.takes: Mapping[str, str] = {
            suffix: fields[modality]
            for modality, suffixes in _SUFFIXES.items()
            if modality in fields
            for suffix in suffixes
        }
        self._class_name = config.name

    def object_of(self, place: PurePath, file: Path) -> dict[str, Any]:
        """The object of a file whose place under its folder goes into ``path``; its id follows from class and place.

        The suffix of the place is one that the class takes. The file is read as the object is used, not before.
        """
        shown = _printable(place.as_posix())
        return {
            "id": str(uuid.uuid5(_NAMESPACE, f"{self._class_name}/{shown}")),
            "properties": {self.takes[_suffix(place)]: file, PLACE: shown},
        }


class MediaFolder:
    """What of a folder goes into a class; hidden files and folders are left out.

    Args:
        config: the class.
        folder: where to look, at any depth.

    Attributes:
        takes: the field by suffix, in lower case with its dot.
        files: those that have a field, sorted.
        others: those that have none, counted by suffix.

    Raises:
        InvalidClass: as :class:`FileFields`.
    """

    def __init__(self, config: ClassConfig, folder: Path) -> None:
        self._fields = FileFields(config)
        self.takes = self._fields.takes
        self._folder = folder
        found = [path for path in folder.rglob("*") if not is_hidden(path.relative_to(folder)) and path.is_file()]
        self.files = sorted(path for path in found if _suffix(path) in self.takes)
        self.others = Counter(_printable(_suffix(path)) for path in found if _suffix(path) not in self.takes)

    def objects(self) -> Iterator[dict[str, Any]]:
        """One object for each file."""
        for file in self.files:
            yield self._fields.object_of(file.relative_to(self._folder), file)


def _fields(config: ClassConfig) -> dict[Modality, str]:
    """The field that files of each modality go into."""
    modalities = [
        one for one in MODALITIES if one in _SUFFIXES and any(field.modality is one for field in config.fields)
    ]
    if IMAGE in modalities:
        # No suffix tells a depth or thermal picture from any other.
        modalities = [one for one in modalities if one not in (DEPTH, THERMAL)]
    if not modalities:
        keys = [one.fields_key for one in known_modules()[config.module].modalities if one in _SUFFIXES]
        raise InvalidClass(f"class {config.name} has no field that files could go into: give it {' or '.join(keys)}")
    fields = {one: _only_field(config, one) for one in modalities}
    if DEPTH in fields and THERMAL in fields:
        raise InvalidClass(
            f"class {config.name} has {fields[DEPTH]!r} for depth and {fields[THERMAL]!r} for thermal pictures, "
            "and no suffix tells which a file is: make a class for each, or insert them from Python"
        )
    for name in fields.values():
        if len(kinds := [one.name for one, other in fields.items() if other == name]) > 1:
            raise InvalidClass(
                f"class {config.name} reads {name!r} as {' and '.join(kinds)}: give each a field of its own"
            )
    return fields


def _only_field(config: ClassConfig, modality: Modality) -> str:
    names = [field.name for field in config.fields if field.modality is modality]
    if len(names) > 1:
        raise InvalidClass(
            f"a folder fills one {modality.name} field, class {config.name} has {len(names)}: {', '.join(names)}"
        )
    if names[0] == PLACE:
        raise InvalidClass(f"the {modality.name} field cannot be {PLACE!r}, which holds the file's place; rename it")
    return names[0]


def _suffix(path: PurePath) -> str:
    return path.suffix.lower()


def _printable(name: str) -> str:
    r"""File names on Linux are bytes; those that are not UTF-8 are shown as ``\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def is_hidden(path: PurePath) -> bool:
    """Whether a file, or a folder that it is in, begins with a dot."""
    return any(part.startswith(".") for part in path.parts)
