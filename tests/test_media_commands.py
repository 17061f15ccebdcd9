"""Media of every kind on the command line: into the field that fits, and found by their like."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_service import FakeService, by_content, fake_service
from start import vecmod

MODULE = "multi2vec-bind"
FIELDS = {"videoFields": ["film"], "imageFields": ["picture"], "audioFields": ["sound"], "imuFields": ["motion"]}
FILES = {"a.jpg": b"1 0 0", "b.wav": b"0 1 0", "c.mp4": b"0 0 1", "d.csv": b"1 1 0", "notes.txt": b"?", "e.tex": b"?"}


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service(by_content) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Media, as far as a fake service looks at them: their content is their vector."""
    (tmp_path / "media").mkdir()
    for name, content in FILES.items():
        (tmp_path / "media" / name).write_bytes(content)
    return tmp_path / "media"


def class_file(place: Path, **fields: Any) -> Path:
    path = place / "class.json"
    path.write_text(json.dumps({"class": "Thing", "vectorizer": MODULE, "moduleConfig": {MODULE: fields}}))
    return path


def sent_lists(service: FakeService) -> list[dict[str, list[bytes]]]:
    """Media as they came, without what was asked to learn the length of vectors."""
    bodies = [json.loads(one.body) for one in service.requests]
    return [
        {key: [base64.b64decode(value) for value in values] for key, values in body.items()}
        for body in bodies
        if body != {"texts": ["dimension"]}
    ]


def test_each_file_goes_into_its_field_and_is_found_by_its_like(
    service: FakeService, folder: Path, tmp_path: Path
) -> None:
    inserted = ["insert", folder, "--class-file", class_file(tmp_path, **FIELDS), "--service", service.origin]
    done = vecmod(*inserted, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "4 stored, 0 unchanged, 0 failed, 0 not tried; 4 in the class now"
    assert second == "2 left alone, as the class has no field for them: 1 .tex, 1 .txt"
    lists = {"images": "a.jpg", "audio": "b.wav", "video": "c.mp4", "imu": "d.csv"}
    assert sorted(sent_lists(service), key=str) == sorted(
        ({key: [FILES[name]]} for key, name in lists.items()), key=str
    )
    assert "4 unchanged, 0 failed" in vecmod(*inserted, cwd=tmp_path).stdout
    for option, key, content, nearest in (
        ("--image", "images", b"7 0 2", "a.jpg"),
        ("--audio", "audio", b"1 9 0", "b.wav"),
        ("--video", "video", b"0 1 2", "c.mp4"),
        ("--imu", "imu", b"3 4 0", "d.csv"),
        ("--thermal", "thermal", b"0 5 1", "b.wav"),
        ("--depth", "depth", b"9 0 1", "a.jpg"),
    ):
        (tmp_path / "query").write_bytes(content)
        service.requests.clear()
        found = vecmod(
            "search", option, "query", "--limit", 1, "--json", cwd=tmp_path, BIND_INFERENCE_API=service.origin
        )
        assert json.loads(found.stdout)["properties"] == {"path": nearest}, found.stderr
        assert sent_lists(service) == [{key: [content]}]


def test_what_the_class_has_no_field_for_is_left_alone(service: FakeService, folder: Path, tmp_path: Path) -> None:
    for number in range(9):
        (folder / f"x.{number}").touch()
    (folder / "y.[red]").touch()
    (folder / "z.[RED]").touch()
    sounds = class_file(tmp_path, audioFields=["sound"])
    done = vecmod("insert", folder, "--class-file", sounds, "--service", service.origin, cwd=tmp_path)
    assert "1 stored, 0 unchanged, 0 failed" in done.stdout
    left = "16 left alone, as the class has no field for them: 2 .[red], "
    assert left in done.stdout
    assert done.stdout.rstrip().endswith(", ...")
    assert done.stdout.count(", 1 .") == 7


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"textFields": ["title"]}, "class Thing has no field that files could go into: give it imageFields or"),
        ({"videoFields": ["a", "b"]}, "a folder fills one video field, class Thing has 2: a, b"),
        ({"imuFields": ["motion"]}, "has nothing for class Thing: files ending in .csv"),
        (
            {"videoFields": ["film"]},
            "has nothing for class Thing: files ending in .3gp, .avi, .gif, .m4v, .mkv, .mov, ",
        ),
    ],
)
def test_a_folder_that_does_not_fit_makes_no_class(
    fields: dict[str, Any], words: str, service: FakeService, tmp_path: Path
) -> None:
    """A class that were there could not be mended: it would be there with another definition."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media/a.jpg").write_bytes(b"1 0 0")
    done = vecmod(
        *("insert", "media", "--class-file", class_file(tmp_path, **fields), "--service", service.origin), cwd=tmp_path
    )
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "the store is empty" in vecmod("search", "--text", "x", cwd=tmp_path).stderr
    assert service.requests == []


@pytest.mark.parametrize("given", [[], ["--audio", "a", "--video", "b"], ["--text", "x", "--depth", "y"]])
def test_one_query_at_a_time(given: list[str], tmp_path: Path) -> None:
    done = vecmod("search", *given, cwd=tmp_path)
    assert done.returncode == 2
    options = "--image, --text, --audio, --video, --imu, --thermal, --depth, --object"
    assert f"say what to search by, with one of {options}" in " ".join(done.stderr.split())
