"""The command line as a user types it, in processes of its own, on real parts."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import running
import tiny_chinese_clip
import tiny_clip
import tiny_open_clip
import tiny_sbert
import tiny_siglip
from explorers import Page
from pictures import SAMPLES, b64, encoded, gradient, photo
from start import vecmod
from vecmod.host.stores.milvus_store import MilvusStore

CLASS_FILE = SAMPLES / "photo.class.json"


def insert(folder: Path, cwd: Path, url: str) -> subprocess.CompletedProcess[str]:
    return vecmod("insert", folder, "--class-file", CLASS_FILE, "--service", url, cwd=cwd)


def test_a_folder_goes_in_and_the_right_photo_comes_out(service: running.Caller, tmp_path: Path) -> None:
    first = insert(SAMPLES / "photos", tmp_path, service.url)
    assert first.returncode == 0, first.stderr
    assert "16 stored, 0 unchanged, 0 failed, 0 not tried; 16 in the class now" in first.stdout
    assert "16 unchanged" in insert(SAMPLES / "photos", tmp_path, service.url).stdout
    query = SAMPLES / "queries/rocket-rotated.jpg"
    found = vecmod("search", "--image", query, "--limit", 2, "--json", cwd=tmp_path, IMAGE_INFERENCE_API=service.url)
    hits = [json.loads(line) for line in found.stdout.splitlines()]
    assert [hit["properties"]["path"] for hit in hits] == ["rocket.jpg", hits[1]["properties"]["path"]]
    table = vecmod("search", "--image", query, "--distance", "0.5", "--service", service.url, cwd=tmp_path).stdout
    assert "rocket.jpg" in table
    assert hits[1]["properties"]["path"] not in table
    likes = vecmod("search", "--object", hits[0]["id"], "--offset", 1, "--limit", 3, "--json", cwd=tmp_path)
    assert len(likes.stdout.splitlines()) == 3
    assert hits[0]["id"] not in likes.stdout
    narrowed = ["search", "--image", query, "--filter", '{"path": {"$in": ["cat.jpg", "lime.jpg"]}}', "--json"]
    found = vecmod(*narrowed, cwd=tmp_path, IMAGE_INFERENCE_API=service.url)
    assert {json.loads(line)["properties"]["path"] for line in found.stdout.splitlines()} == {"cat.jpg", "lime.jpg"}


def test_bad_photos_are_named_and_the_rest_goes_in(service: running.Caller, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "deep" / ".hidden").mkdir(parents=True)
    for name in ("a.png", "deep/B.PNG", ".hidden.png", "deep/.hidden/c.png"):
        (folder / name).write_bytes(encoded(gradient(30, 20)))
    (folder / "words.jpg").write_text("these are words")
    (folder / "half.jpg").write_bytes((SAMPLES / "photos/cat.jpg").read_bytes()[:9000])
    (folder / "empty.gif").write_bytes(b"")
    (folder / "notes.txt").write_text("not a picture, and not taken for one")
    done = insert(folder, tmp_path, service.url)
    assert done.returncode == 1
    assert "2 stored, 0 unchanged, 3 failed, 0 not tried; 2 in the class now" in done.stdout
    for words in ("is not a picture", "is damaged: image file is truncated", "is empty: zero bytes"):
        assert words in done.stderr
    assert "words.jpg" in done.stderr


def test_a_service_killed_in_the_middle_loses_and_doubles_nothing(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}.png").write_bytes(encoded(gradient(300, 200, number)))
    port = running.free_port()
    with running.process(cache, port) as (caller, process):

        def kill_in_the_middle() -> None:
            running.wait_for(lambda: caller.metric('vecmod_items_total{modality="image"}') >= 60)
            process.kill()

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        first = insert(folder, tmp_path, caller.url)
        killer.join()
    assert first.returncode == 1
    assert "stopped: img2vec-neural at" in first.stderr
    assert "run the same command again to go on" in first.stderr
    stored = int(first.stdout.split()[0])
    assert 0 < stored < 200
    with running.process(cache, port) as (caller, _):
        second = insert(folder, tmp_path, caller.url)
        assert second.returncode == 0, second.stderr
        assert (
            f"{200 - stored} stored, {stored} unchanged, 0 failed, 0 not tried; 200 in the class now" in second.stdout
        )
        third = insert(folder, tmp_path, caller.url)
    assert "0 stored, 200 unchanged, 0 failed, 0 not tried; 200 in the class now" in third.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search"], "say what to search by, with one of --image, --text"),
        (["search", "--image", "a", "--object", "b"], "with one of --image"),
        (["search", "--object", "x", "--store", "memory://"], "the store is empty; fill it with vecmod insert"),
        (
            ["search", "--object", "x", "--store", "ftp://x"],
            "VECMOD_STORE='ftp://x' is not a store: a file name ending in .db",
        ),
        (["search", "--object", "x", "--filter", "tags=cat"], "--filter is not JSON"),
        (["search", "--object", "x", "--filter", "[1]"], "--filter must be an object"),
        (["search", "--object", "x", "--class", "Nope", "--store", "memory://"], "there is no class Nope"),
        (["insert", "/nowhere", "--class-file", "x"], "does not exist"),
        (["serve", "img3vec"], "there is no service named 'img3vec'; known here: img2vec-neural"),
        (["serve", "img2vec-neural", "--model", "x"], "no model for img2vec-neural named 'x'"),
        (["convert", "img2vec-neural", "--output", "x.bin", "--model", running.BUILTIN], "must end in .onnx"),
    ],
)
def test_mistakes_are_sentences(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = vecmod(*arguments, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert words in " ".join((done.stderr + done.stdout).split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no class definition"),
        (
            '{"class": "Photo", "vectorizer": "img2vec-neural", "moduleConfig": {"img2vec-neural": {}}}',
            "imageFields not present",
        ),
        ('{"class": "Photo", "vectorizer": "x"}', 'no module with name "x" present'),
    ],
)
def test_bad_class_files(text: str, words: str, service: running.Caller, tmp_path: Path) -> None:
    (tmp_path / "class.json").write_text(text)
    done = vecmod("insert", tmp_path, "--class-file", "class.json", "--service", service.url, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("model", "dim"), [("resnet50", 2048), (running.BUILTIN, 1280)])
def test_convert_then_serve_without_the_weights(
    model: str, dim: int, seeded_weights: Path, cache: Path, tmp_path: Path
) -> None:
    graph = tmp_path / "model.onnx"
    weights = ["--weights", seeded_weights] if model == "resnet50" else []
    done = vecmod("convert", "img2vec-neural", "--model", model, *weights, "--output", graph, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"serve it with VECMOD_MODEL_PATH={graph}" in done.stdout
    with running.in_thread(running.img2vec(cache, MODEL_NAME=model, VECMOD_MODEL_PATH=graph)) as caller:
        assert caller("GET", "/meta").json()["details"]["dimensions"] == {"image": dim}
    again = vecmod("convert", "img2vec-neural", "--model", model, "--weights", graph, "--output", graph, cwd=tmp_path)
    assert again.returncode == 2
    assert "is a graph already" in again.stderr


def with_both(folder: Path) -> Path:
    """As in many repositories: open_clip's weights, beside them transformers', and an export that nobody reads."""
    for file in (folder / "reference").iterdir():
        if not (folder / file.name).exists():
            shutil.copy(file, folder / file.name)
    (folder / "openvino").mkdir()
    for name in ("model.bin", "model_qint8.bin"):
        (folder / "openvino" / name).write_bytes(b"other")
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {
    "clip": lambda folder: tiny_clip.write(folder, end=49407, activation="quick_gelu"),
    "pair": tiny_sbert.write_pair,
    "siglip": lambda folder: tiny_siglip.write(folder, "SiglipTokenizer"),
    "open_clip": lambda folder: tiny_open_clip.write(folder, quick=True),
    "chinese_clip": tiny_chinese_clip.write,
    "both": lambda folder: with_both(tiny_open_clip.write(folder, quick=True)),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_convert_folders_then_serve_without_the_weights(kind: str, cache: Path, tmp_path: Path) -> None:
    source = WRITERS[kind](tmp_path / "source")
    shutil.rmtree(source / "reference", ignore_errors=True)  # what a tiny OpenCLIP was made from
    output = tmp_path / "converted"
    done = vecmod("convert", "multi2vec-clip", "--weights", source, "--output", output, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"serve it with VECMOD_MODEL_PATH={output}" in done.stdout
    assert not any(path.suffix in (".safetensors", ".bin") for path in output.rglob("*"))
    body = {"texts": ["a cat"], "images": [b64(photo("cat"))]}
    answers = []
    for folder in (source, output):
        with running.in_thread(running.clip(cache, MODEL_NAME="", VECMOD_MODEL_PATH=folder)) as caller:
            details = caller("GET", "/meta").json()["details"]
            answers.append((caller("POST", "/vectorize", body).json(), details["revision"], details["normalized"]))
    assert answers[0] == answers[1]
    for weights, target, words in (
        (source, output, "is there already"),
        (output, tmp_path / "x", "is a graph already"),
    ):
        again = vecmod("convert", "multi2vec-clip", "--weights", weights, "--output", target, cwd=tmp_path)
        assert (again.returncode, words in again.stderr) == (2, True)


def test_file_names_that_are_no_text(service: running.Caller, tmp_path: Path) -> None:
    """File names on Linux are bytes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in (b"bad\xff.png", b"[red]x.png", "漢字 é.png".encode(), b"-line\nbreak.png"):
        (folder / os.fsdecode(name)).write_bytes(encoded(gradient(30, 20)))
    (folder / os.fsdecode(b"words\xfe.jpg")).write_text("words")
    done = insert(folder, tmp_path, service.url)
    assert "4 stored, 0 unchanged, 1 failed" in done.stdout, done.stderr
    assert "words\\xfe.jpg: " in done.stderr
    assert "4 unchanged, 1 failed" in insert(folder, tmp_path, service.url).stdout


def test_a_folder_without_media(service: running.Caller, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = insert(tmp_path / "empty", tmp_path, service.url)
    assert done.returncode == 2
    assert "has nothing for class Photo: files ending in .avif, .bmp" in done.stderr


def test_a_store_that_another_process_holds(service: running.Caller, tmp_path: Path) -> None:
    holder = MilvusStore(str(tmp_path / "vecmod.db"))
    done = insert(SAMPLES / "photos", tmp_path, service.url)
    holder.close()
    assert done.returncode == 1
    assert "does another process have it open" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_demo_that_is_ended_leaves_nothing_running(ending: signal.Signals, tmp_path: Path) -> None:
    # A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    demo = psutil.Popen([sys.executable, "-m", "vecmod", "demo"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    url = ""
    for line in demo.stdout:
        url = line.strip() if line.startswith("  http://127.0.0.1:") else url
        if "Ctrl-C" in line:
            break
    # The explorer shows what the tables were about: films, too, which takes a process of its own.
    page = Page(url.rstrip("/"))
    running.wait_for(page.answers)
    status = page.get("/api/status")
    assert {one["name"]: one["items"] for one in status["collections"]} == {"Film": 4, "Photo": 16, "PhotoInWords": 16}
    assert [one["ready"] for one in status["services"]] == [True] * 3
    (film,) = page.search("Film", by="text", text="a rocket launch", limit=1)["hits"]
    assert (film["title"], page("GET", film["thumbnail"]).status) == ("rocket.webm", 200)
    page.close()
    service = demo.children(recursive=True)
    demo.send_signal(ending)
    assert demo.wait(30) in (0, 128 + ending)
    demo.stdout.close()
    assert service
    assert not any(process.is_running() for process in service)


def rows_of(text: str) -> list[list[str]]:
    """The cells of tables that the command has drawn."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in re.findall(r"^│.*│$", text, re.MULTILINE)]


def test_demo(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert len(rows_of(readme)) == 4
    expected = {"cat-crop.png": "cat.jpg", "temple-webp.webp": "temple.jpg", "a hot drink": "coffee.jpg"}
    of_films = {"cat-crop.png": "cat.mp4", "temple-webp.webp": "temple.mp4", "a rocket launch": "rocket.webm"}
    for stored in (16, 0):
        done = vecmod("demo", "--check", cwd=tmp_path, VECMOD_CACHE_DIR=str(tmp_path / "cache"))
        assert done.returncode == 0, done.stderr
        assert f"PhotoInWords: {stored} photos stored" in done.stdout
        assert f"Film: {stored // 4} films stored" in done.stdout
        photos, films = done.stdout.split("multi2vec-bind serves builtin/conse-en")
        for shown, answers in ((photos, expected), (films, of_films)):
            for query, nearest in answers.items():
                assert any(query in line and nearest in line for line in shown.splitlines())
        for told, found in zip(rows_of(readme), rows_of(photos), strict=False):
            assert [told[at] for at in (0, 1, 3)] == [found[at] for at in (0, 1, 3)]
            assert [float(told[at]) for at in (2, 4)] == pytest.approx([float(found[at]) for at in (2, 4)], abs=0.002)
        assert "It embeds no sounds and no motion" in done.stdout
        assert "VECMOD_ACCEPT_NONCOMMERCIAL=1 vecmod serve multi2vec-bind --model imagebind_huge" in done.stdout
    for service in ("img2vec-neural", "multi2vec-clip", "multi2vec-bind"):
        assert "stopped" in (tmp_path / f".demo/{service}.log").read_text()


def test_a_demo_whose_queries_miss_fails(tmp_path: Path) -> None:
    samples = shutil.copytree(SAMPLES, tmp_path / "samples")
    for cat, coffee in (("photos/cat.jpg", "photos/coffee.jpg"), ("films/cat.mp4", "films/coffee.mp4")):
        (samples / cat).rename(tmp_path / "other")
        (samples / coffee).rename(samples / cat)
        (tmp_path / "other").rename(samples / coffee)
    code = (
        "import sys; from pathlib import Path; from rich.console import Console; from vecmod import demo; "
        "demo.files = lambda _: Path('samples'); sys.exit(demo.run_demo(Console(width=200), Path('demo'), stay=False))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    pictures, words = ["cat-crop.png", "coffee-small.jpg"], ["a cat", "a pet animal", "a cup of coffee", "a hot drink"]
    assert f"were made from: {', '.join(pictures + words + words + pictures)}" in " ".join(done.stdout.split())
    assert done.returncode == 1
