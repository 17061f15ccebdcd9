"""``vecmod record`` and ``vecmod replay`` as a user types them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import running
from fake_service import always, fake_service, short_lived
from pictures import SAMPLES, b64
from start import vecmod


@contextmanager
def recording(*arguments: object, cwd: Path, ending: signal.Signals) -> Iterator[tuple[running.Caller, list[str]]]:
    """``vecmod record`` at any port, told to end at the end of the block; then the list has what it said by then."""
    # A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "vecmod", "record", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    caller, last_words = running.Caller(process.stderr.readline().split()[1]), [process.stderr.readline()]
    try:
        yield caller, last_words
    finally:
        caller.close()
        process.send_signal(ending)
        last_words[:] = process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_record_then_replay(service: running.Caller, tmp_path: Path, cache: Path, ending: signal.Signals) -> None:
    names = sorted((SAMPLES / "photos").iterdir())[:4]
    to_service = ("--to", service.url, "--output", "requests.jsonl")
    with recording(*to_service, cwd=tmp_path, ending=ending) as (caller, last_words):
        direct = [caller.vector(b64(name.read_bytes())) for name in names]
    assert last_words == ["4 requests recorded in requests.jsonl\n", ""]
    assert direct == [service.vector(b64(name.read_bytes())) for name in names]

    same = vecmod("replay", "requests.jsonl", service.url, service.url, "--json", "report.json", cwd=tmp_path)
    assert (same.returncode, same.stderr) == (0, "")
    assert "safe: 4 items reach 0.9999, no request got worse" in same.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["safe"], report["requests"], report["items"], report["old"]["timed"]["requests"]) == (True, 4, 4, 4)
    assert report["speed_ratio"]["all"] > 0

    with running.in_thread(running.img2vec(cache, VECMOD_NORMALIZE=1)) as normalized:
        lengths = vecmod("replay", "requests.jsonl", service.url, normalized.url, "--repeat", 0, cwd=tmp_path)
    assert lengths.returncode == 0
    assert "for cosine distance only: lengths differ" in lengths.stdout
    assert "requests/s" not in lengths.stdout


def test_it_is_not_safe(service: running.Caller, tmp_path: Path) -> None:
    vector = service.vector(b64((SAMPLES / "photos/cat.jpg").read_bytes()))
    vector[0] += 5
    reply = always(200, json.dumps({"vector": vector}))
    line = {"path": "/vectors", "body": json.dumps({"image": b64((SAMPLES / "photos/cat.jpg").read_bytes())})}
    good = json.dumps({"method": "POST", "content_type": None, **line}) + "\n"
    (tmp_path / "r.jsonl").write_text(good + "{[red]\n" + good * 8)
    with fake_service(reply) as other:
        done = vecmod("replay", "r.jsonl", service.url, other.origin, cwd=tmp_path)
        assert done.returncode == 1
        assert "not safe: 9 of 9 items are below 0.9999" in done.stdout
        assert "corrupt line 2: " in done.stderr
        assert vecmod("replay", "r.jsonl", service.url, other.origin, "--threshold", 0.5, cwd=tmp_path).returncode == 0
    with fake_service(always(422, '{"error":"[bold]no[/] picture"}')) as other:
        done = vecmod("replay", "r.jsonl", service.url, other.origin, cwd=tmp_path)
    assert done.returncode == 1
    assert "new: [bold]no[/] picture" in done.stdout


def test_the_recorder_itself_may_be_asked(tmp_path: Path) -> None:
    """Every request that is sent makes the recording longer; what was there at the start is all that counts."""
    with fake_service(always(200, '{"vector":[1]}')) as service:
        to_service = ("--to", service.origin, "--output", "r.jsonl")
        with recording(*to_service, cwd=tmp_path, ending=signal.SIGINT) as (caller, last_words):
            for _ in range(3):
                caller("POST", "/vectors", "{}")
            done = vecmod("replay", "r.jsonl", service.origin, caller.url, "--json", "report.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["requests"], report["new"]["timed"]["requests"]) == (3, 3)
    # As they came, compared, timed.
    assert last_words[0] == "9 requests recorded in r.jsonl\n"


def test_a_service_that_goes_away_leaves_a_report(tmp_path: Path) -> None:
    line = json.dumps({"method": "POST", "path": "/vectors", "content_type": None, "body": "{}"}) + "\n"
    (tmp_path / "r.jsonl").write_text(line * 20)
    (tmp_path / "report.json").write_text("of last week, and longer than nothing")
    with fake_service(always(200, '{"vector":[1]}')) as old, short_lived(12) as new:
        options = ("--concurrency", 1, "--json", "report.json")
        done = vecmod("replay", "r.jsonl", old.origin, new, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert f"not safe: stopped at line 13: {new} cannot be reached" in done.stdout
    assert "12 requests, 12 items" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["safe"], report["items"], report["objections"]) == (False, 12, [report["stopped"]])


def test_a_report_that_cannot_be_written_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("")
    with fake_service(always(200, "{}")) as service:
        done = vecmod("replay", "r.jsonl", service.origin, service.origin, "--json", "no/report.json", cwd=tmp_path)
        assert done.returncode == 2
        assert "no/report.json cannot be written: No such file" in " ".join(done.stderr.split())
        # A replay that cannot begin makes no report, and spoils none.
        for before in (None, "of last week"):
            if before:
                (tmp_path / "report.json").write_text(before)
            vecmod("replay", "r.jsonl", service.origin, service.origin, "--json", "report.json", cwd=tmp_path)
            assert (tmp_path / "report.json").exists() == bool(before)
    assert (tmp_path / "report.json").read_text() == "of last week"


def test_record_says_what_it_left_out(tmp_path: Path) -> None:
    with fake_service(always(200, "{}")) as service:
        to_service = ("--to", service.origin, "--output", "r.jsonl", "--max-body-mb", 1, "--limit", 1)
        with recording(*to_service, cwd=tmp_path, ending=signal.SIGINT) as (caller, last_words):
            for body in ("x" * (1 << 20), "a", "b"):
                caller("POST", "/vectors", body)
    assert last_words == [
        "1 requests recorded in r.jsonl\n",
        "1 larger than --max-body-mb 1 were passed on, not recorded\n",
    ]
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["record", "--to", "nonsense", "--output", "x"], "'nonsense' is not a URL; write http://host:port"),
        (["record", "--to", "http://h", "--output", "no/x"], "no/x cannot be written: No such file or directory"),
        (["record", "--to", "http://h"], "Missing option '--output'"),
        (["replay", "none.jsonl", "http://h", "http://h"], "does not exist"),
        (["replay", os.devnull, "http://h", "h"], "'h' is not a URL"),
        (["replay", os.devnull, "http://127.0.0.1:9", "http://127.0.0.1:9"], "cannot be reached"),
        (["replay", os.devnull, "http://h", "http://h", "--threshold", 2], "Invalid value for '--threshold'"),
    ],
)
def test_mistakes_are_sentences_with_exit_code_2(arguments: list[object], words: str, tmp_path: Path) -> None:
    done = vecmod(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
