"""Which file of a folder goes into which field of a class."""

from pathlib import Path
from typing import Any

import pytest

from vecmod.host.catalog import known_modules
from vecmod.host.classconfig import ClassConfig, parse_class
from vecmod.host.folder import MediaFolder
from vecmod.host.host_errors import InvalidClass

FILES = ("a.JPG", "deep/b.gif", "c.mp4", "deep/d.wav", "e.csv", "f.txt", "g", ".h.jpg", ".deep/i.jpg")
ALL = {"imageFields": ["image"], "audioFields": ["audio"], "videoFields": ["video"], "imuFields": ["imu"]}


def config(settings: dict[str, Any], name: str = "Thing", module: str = "multi2vec-bind") -> ClassConfig:
    definition = {"class": name, "vectorizer": module, "moduleConfig": {module: settings}}
    return parse_class(definition, known_modules(), "none")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (ALL, {"a.JPG": "image", "c.mp4": "video", "deep/b.gif": "image", "deep/d.wav": "audio", "e.csv": "imu"}),
        ({"imageFields": ["i"]}, {"a.JPG": "i", "deep/b.gif": "i"}),
        ({"videoFields": ["v"], "textFields": ["t"]}, {"c.mp4": "v", "deep/b.gif": "v"}),
        ({"audioFields": ["s"]}, {"deep/d.wav": "s"}),
        ({"imuFields": ["m"]}, {"e.csv": "m"}),
        ({"depthFields": ["d"]}, {"a.JPG": "d", "deep/b.gif": "d"}),
        ({"thermalFields": ["t"], "videoFields": ["v"]}, {"a.JPG": "t", "c.mp4": "v", "deep/b.gif": "v"}),
        ({"thermalFields": ["t"], "depthFields": ["d", "e"], "imageFields": ["i"]}, {"a.JPG": "i", "deep/b.gif": "i"}),
        ({"depthFields": ["i"], "imageFields": ["i"]}, {"a.JPG": "i", "deep/b.gif": "i"}),
    ],
)
def test_the_suffix_tells_the_field(settings: dict[str, Any], places: dict[str, str], folder: Path) -> None:
    media = MediaFolder(config(settings), folder)
    found = {}
    for one in media.objects():
        ((field, file),) = [(name, value) for name, value in one["properties"].items() if name != "path"]
        assert file == folder / one["properties"]["path"]
        found[one["properties"]["path"]] = field
    assert found == places
    assert list(found) == [file.relative_to(folder).as_posix() for file in media.files]
    assert media.others.total() == 7 - len(places)
    assert media.others[".txt"] == media.others[""] == 1


def test_ids_follow_from_class_and_place(folder: Path) -> None:
    first, second = MediaFolder(config({"imageFields": ["image"]}, "Photo", "img2vec-neural"), folder).objects()
    # As they were when a folder held nothing but pictures: stores are full of them.
    assert first["id"] == "d9e19fbf-aea5-5c09-986e-bf5467a3092b"
    assert second["id"] == "47f0cea8-5e75-58e8-a4f2-fad01a7de171"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"textFields": ["title"]}, "class Thing has no field that files could go into: give it imageFields or audioF"),
        ({**ALL, "videoFields": ["v", "w"]}, "a folder fills one video field, class Thing has 2: v, w"),
        ({**ALL, "imageFields": ["i", "j"]}, "a folder fills one image field, class Thing has 2: i, j"),
        ({"depthFields": ["d", "e"]}, "a folder fills one depth field, class Thing has 2: d, e"),
        ({"audioFields": ["path"]}, "the audio field cannot be 'path', which holds the file's place; rename it"),
        ({"depthFields": ["d"], "thermalFields": ["t"]}, "'d' for depth and 't' for thermal pictures, and no suffix"),
        ({"imageFields": ["x"], "videoFields": ["x"]}, "class Thing reads 'x' as image and video: give each a field"),
    ],
)
def test_classes_that_no_folder_fits(settings: dict[str, Any], words: str, folder: Path) -> None:
    with pytest.raises(InvalidClass, match=words):
        MediaFolder(config(settings), folder)


def test_a_module_is_offered_the_fields_it_has(folder: Path) -> None:
    with pytest.raises(InvalidClass, match=r"could go into: give it imageFields$"):
        MediaFolder(config({"textFields": ["title"]}, module="multi2vec-clip"), folder)
