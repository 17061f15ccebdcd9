"""Recordings sent to two services that really run, and to some that answer what a test says."""

import base64
import json
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import running
from fake_service import Sent, always, fake_service, short_lived
from pictures import SAMPLES, b64, encoded, gradient, photo
from vecmod.replay.recording import RecordedRequest, Recording
from vecmod.replay.replay_errors import ReplayError
from vecmod.replay.report import Report
from vecmod.replay.resend import Replay, Server

Reply = Callable[[Sent], tuple[int, str, dict[str, str]]]


def written(path: Path, *bodies: object, route: str = "/vectors", times: int = 1) -> Path:
    recording = Recording(path)
    for _ in range(times):
        for body in bodies:
            recording.add(RecordedRequest(route, None, json.dumps(body).encode()))
    recording.close()
    return path


@contextmanager
def servers(old: str, new: str, seconds: float = 10, token: str = "") -> Iterator[tuple[Server, Server]]:
    both = Server(old, None, 4, seconds), Server(new, token, 4, seconds)
    try:
        yield both
    finally:
        for one in both:
            one.close()


def replayed(path: Path, old: str, new: str, repeat: int = 0, seconds: float = 10, token: str = "") -> Report:
    with servers(old, new, seconds, token) as both:
        return Replay(path, *both, concurrency=4, threshold=0.9999, repeat=repeat).run()


def answered(path: Path, old: Reply, new: Reply, repeat: int = 0, seconds: float = 10) -> Report:
    with fake_service(old) as one, fake_service(new) as other:
        return replayed(path, one.origin, other.origin, repeat, seconds)


def says(answer: object) -> Reply:
    return always(200, json.dumps(answer))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    names = sorted((SAMPLES / "photos").iterdir())[:6]
    return written(tmp_path / "r.jsonl", *({"id": "x", "image": b64(name.read_bytes())} for name in names))


def test_a_service_against_itself(service: running.Caller, photos: Path) -> None:
    found = replayed(photos, service.url, service.url, repeat=2)
    assert (found.requests, found.items, found.timed, found.objections()) == (6, 6, 12, [])
    assert found.worst[0].item.cosine == pytest.approx(1, abs=1e-6)
    assert found.mean_cosine == pytest.approx(1, abs=1e-6)
    assert found.old.seconds > 0
    assert found.ratio == found.old.seconds / found.new.seconds


def test_other_lengths_are_seen_though_cosine_is_1(service: running.Caller, photos: Path, cache: Path) -> None:
    with running.in_thread(running.img2vec(cache, VECMOD_NORMALIZE=1)) as normalized:
        found = replayed(photos, service.url, normalized.url)
    assert found.objections() == []
    assert found.worst_length is not None
    item = found.worst_length.item
    assert item.new_length == pytest.approx(1)
    assert item.length_ratio == pytest.approx(1 / item.old_length)


def test_another_model_is_not_safe(service: running.Caller, photos: Path, seeded_weights: Path, cache: Path) -> None:
    resnet = running.img2vec(cache, MODEL_NAME="resnet50", VECMOD_MODEL_PATH=seeded_weights)
    with running.in_thread(resnet) as other:
        found = replayed(photos, service.url, other.url)
    assert found.objections() == ["6 items cannot be compared"]
    assert found.unlike[0].item.fault == "old has 1280 numbers, new has 2048"


def test_what_one_service_refuses(service: running.Caller, tmp_path: Path, cache: Path) -> None:
    square, wide = ({"image": b64(encoded(gradient(width, 20)))} for width in (20, 60))
    path = written(tmp_path / "r.jsonl", square, wide, {"image": "no picture"})
    with running.in_thread(running.img2vec(cache, VECMOD_MAX_ASPECT=2)) as strict:
        found = replayed(path, service.url, strict.url, repeat=1)
        back = replayed(path, strict.url, service.url)
    unknown = "1 of 3 lines are damaged or failed with both, so nothing is known of them"
    assert found.objections() == ["1 requests that old answered fail with new", unknown]
    assert (found.items, found.old.failed, found.new.failed, found.timed) == (1, 1, 2, 1)
    (only,) = found.differences
    assert (only.line, only.old_status, only.new_status, only.old_error) == (2, 200, 422, "")
    assert "60x20" in only.new_error
    # The other way round it is a gain.
    assert (back.objections(), dict(back.statuses)) == ([unknown], {"422 200": 1})


def test_texts_and_pictures(clip_service: running.Caller, tmp_path: Path) -> None:
    body = {"texts": ["a cat", "a dog"], "images": [b64(photo("cat"))]}
    found = replayed(written(tmp_path / "r.jsonl", body, route="/vectorize"), clip_service.url, clip_service.url)
    assert (found.items, found.objections()) == (3, [])
    assert {one.item.place for one in found.worst} == {"textVectors[0]", "textVectors[1]", "imageVectors[0]"}


def test_embeddings_as_numbers_and_as_base64(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", {"input": ["a", "b"]}, route="/v1/embeddings")
    packed = base64.b64encode(struct.pack("<3f", 1, 2, 3)).decode()
    numbers = says({"data": [{"index": 1, "embedding": [0, 1, 0]}, {"index": 0, "embedding": [1, 2, 3]}]})
    strings = says({"data": [{"index": 0, "embedding": packed}, {"index": 1, "embedding": packed}]})
    found = answered(path, numbers, strings)
    first, second = found.worst
    assert (first.line, first.item.place) == (1, "data[1].embedding")
    assert first.item.cosine == pytest.approx(2 / 14**0.5)
    assert (second.item.place, second.item.difference) == ("data[0].embedding", 0)
    assert found.max_difference == 3
    assert found.mean_cosine == pytest.approx((1 + 2 / 14**0.5) / 2)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ({"vector": [1]}, {}, "new is missing"),
        ({}, {"vector": [1]}, "old is missing"),
        ({"vector": [1]}, {"vector": ["1"]}, "new is not a list of numbers"),
        ({"vector": [1]}, {"vector": [[1]]}, "new is not a list of numbers"),
        ({"vector": None}, {"vector": [True]}, "old is not a list of numbers, new is not a list of numbers"),
        ({"vector": [1]}, {"vector": []}, "new is empty"),
        ({"vector": [1]}, {"vector": "%%"}, "new is not float32 in base64"),
        ({"vector": [1]}, {"vector": [float("nan")]}, "new has numbers beyond float32"),
        ({"vector": [1]}, {"vector": [1e300]}, "new has numbers beyond float32"),
        ({"vector": [1]}, {"vector": [10**400]}, "new has numbers beyond float32"),
        ({"imageVectors": [[1], [1]]}, {"imageVectors": [[1]]}, "new is missing"),
    ],
)
def test_what_cannot_be_compared(old: Any, new: Any, fault: str, tmp_path: Path) -> None:
    found = answered(written(tmp_path / "r.jsonl", {}), says(old), says(new))
    assert [one.item.fault for one in found.unlike] == [fault]
    assert "1 items cannot be compared" in found.objections()
    json.dumps(found.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("old", "new", "cosine", "ratio"), [([0, 0], [0, 0], 1, 1), ([0, 0], [0, 1], 0, 0), ([-1, 0], [3, 0], -1, 1 / 3)]
)
def test_zero_and_opposite_vectors(old: list[int], new: list[int], cosine: float, ratio: float, tmp_path: Path) -> None:
    found = answered(written(tmp_path / "r.jsonl", {}), says({"vector": old}), says({"vector": new}))
    assert (found.worst[0].item.cosine, found.worst[0].item.length_ratio) == (cosine, ratio)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (422, '{"error":"bad [3]","code":"undecodable"}', "bad [3]"),
        (400, '{"error":{"message":"no input"}}', "no input"),
        (422, '{"detail":[{"msg":"field required"}]}', "[{'msg': 'field required'}]"),
        (500, "<html>oops</html>", "<html>oops</html>"),
        (503, "[]", "status 503"),
        (500, "", "status 500"),
        (200, "<html>", "the answer is not JSON: <html>"),
        (200, "[" * 100_000, "the answer is not JSON: " + "[" * 300),
        (200, "[1]", "the answer is not a JSON object"),
        (0, "", "did not answer (Remote end closed connection without response)"),
    ],
)
def test_requests_that_get_worse(status: int, body: str, error: str, tmp_path: Path) -> None:
    found = answered(written(tmp_path / "r.jsonl", {}), says({"vector": [1]}), always(status, body))
    assert "1 requests that old answered fail with new" in found.objections()
    assert found.differences[0].new_error.endswith(error)


def test_nothing_compared_proves_nothing(tmp_path: Path) -> None:
    found = answered(written(tmp_path / "r.jsonl", {}), always(500, "{}"), always(500, "{}"))
    assert found.objections() == [
        "1 of 1 lines are damaged or failed with both, so nothing is known of them",
        "no answer held a vector, so nothing was compared",
    ]


@pytest.mark.parametrize("good", [17, 18])
def test_little_compared_proves_little(good: int, tmp_path: Path) -> None:
    """One line in ten may be damaged or fail with both, no more."""

    def picky(sent: Sent) -> tuple[int, str, dict[str, str]]:
        return (422, "", {}) if sent.body == '"bad"' else (200, '{"vector":[1]}', {})

    path = written(tmp_path / "r.jsonl", "bad", *["good"] * good)
    with path.open("a") as file:
        file.write("damaged\n")
    found = answered(path, picky, picky)
    unknown = f"2 of {good + 2} lines are damaged or failed with both, so nothing is known of them"
    assert found.objections() == ([unknown] if good == 17 else [])
    assert found.as_json()["requests_that_failed_with_both"] == 1


@pytest.mark.parametrize("seconds", ["1", "0"])
def test_a_busy_service_is_asked_again(seconds: str, tmp_path: Path) -> None:
    answers = iter([(503, "{}", {"Retry_After": seconds}), (200, '{"vector":[1]}', {})])

    def busy_once(sent: Sent) -> tuple[int, str, dict[str, str]]:
        return (204, "", {}) if sent.method == "GET" else next(answers)

    assert answered(written(tmp_path / "r.jsonl", {}), busy_once, says({"vector": [1]})).objections() == []


def test_a_service_that_stays_busy_is_given_up_on(tmp_path: Path) -> None:
    times: list[float] = []

    def busy(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.method == "GET":
            return 204, "", {}
        times.append(time.monotonic())
        # The last one asks for a pause that nothing would follow.
        return 503, "", {"Retry_After": "0" if len(times) < 6 else "5"}

    path = written(tmp_path / "r.jsonl", {})
    assert answered(path, says({"vector": [1]}), busy).differences[0].new_error == "status 503"
    assert len(times) == 6
    assert time.monotonic() - times[-1] < 4


def test_a_service_that_hangs_fails_that_request(tmp_path: Path) -> None:
    def slow(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.body == '"slow"':
            time.sleep(1)
        return 200, '{"vector":[1]}', {}

    found = answered(written(tmp_path / "r.jsonl", {}, "slow"), says({"vector": [1]}), slow, seconds=0.3)
    assert (found.worse, found.items, found.differences[0].line) == (1, 1, 2)
    assert "timed out" in found.differences[0].new_error


def test_faults_under_load_count(tmp_path: Path) -> None:
    """The first answer is good, later ones are not."""
    seen: list[str] = []

    def tires(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.method == "POST":
            seen.append(sent.body)
        return (500, "{}", {}) if len(seen) > 3 else (200, '{"vector":[1]}', {})

    found = answered(written(tmp_path / "r.jsonl", 1, 2, 3), says({"vector": [1]}), tires, repeat=1)
    assert (found.old.timed_failed, found.new.timed_failed) == (0, 3)
    assert found.objections() == ["new failed 3 requests while timed"]


def test_turns_alternate(tmp_path: Path) -> None:
    order: list[str] = []

    def noting(name: str) -> Reply:
        def reply(sent: Sent) -> tuple[int, str, dict[str, str]]:
            if sent.method == "POST":
                order.append(name)
            return 200, '{"vector":[1]}', {}

        return reply

    path = written(tmp_path / "r.jsonl", 1, times=20)
    with (
        fake_service(noting("old")) as old,
        fake_service(noting("new")) as new,
        servers(old.origin, new.origin) as both,
    ):
        found = Replay(path, *both, concurrency=1, threshold=1, repeat=1).run()
    # Turns of 8, 8 and 4: old new, new old, old new.
    assert order[-40:] == ["old"] * 8 + ["new"] * 16 + ["old"] * 12 + ["new"] * 4
    assert found.timed == 20
    assert 0 < found.turns[0] <= found.ratio <= found.turns[1]


def test_tokens_go_to_their_service(service: running.Caller, cache: Path, photos: Path) -> None:
    token = "not a secret"  # noqa: S105
    with running.in_thread(running.img2vec(cache, VECMOD_API_TOKEN=token)) as guarded:
        assert replayed(photos, service.url, guarded.url).worse == 6
        assert replayed(photos, service.url, guarded.url, token=token).objections() == []


def test_large_recordings_are_not_held(tmp_path: Path) -> None:
    """Neither the file nor the answers: what is under way is a few requests."""
    path = written(tmp_path / "r.jsonl", "x" * 1_000_000, times=60)
    answer = says({"vector": [1]})
    with fake_service(answer) as old, fake_service(answer) as new:
        # The services live in this process and would note every body.
        old.requests = new.requests = type("Forgetful", (list,), {"append": lambda *_: None})()
        tracemalloc.start()
        found = replayed(path, old.origin, new.origin)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.requests == 60
    assert peak < 40_000_000


def test_corrupt_lines_are_named_and_left_out(service: running.Caller, photos: Path) -> None:
    good = photos.read_bytes().splitlines(keepends=True)
    request = {"method": "POST", "path": "/vectors", "content_type": None, "body": ""}
    changes: list[dict[str, object]] = [
        {"method": "GET"},
        {"path": "http://h/vectors"},
        {"path": "/a b"},
        {"content_type": "a\r\nX: y"},
        {"content_type": 1},
        {"body": {}},
        {"body": "\ud800"},
    ]
    bad = [b'{"method": "POST"', b"[]", b"\xff\xfe", b"[" * 100_000]
    bad += [json.dumps({**request, **change}).encode() for change in changes]
    photos.write_bytes(good[0] + b"\n".join(bad) + b"\n\n \n" + good[1])
    found = replayed(photos, service.url, service.url)
    assert [line for line, _ in found.corrupt] == list(range(2, 2 + len(bad)))
    assert (found.requests, found.items, found.corrupt_count) == (2, 2, len(bad))


def test_what_stops_a_replay(tmp_path: Path, photos: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n{\n")
    nobody = f"http://127.0.0.1:{running.free_port()}"
    with fake_service(says({"vector": [1]})) as there, fake_service(lambda _: (503, "{}", {})) as loading:
        for path, new, words in (
            (empty, there.origin, "holds no requests; record some with vecmod record"),
            (photos, nobody, r"cannot be reached \(.*refused\); is it running\?"),
            (photos, loading.origin, "is not ready .status 503.; wait until it is"),
        ):
            with pytest.raises(ReplayError, match=words):
                replayed(path, there.origin, new)


@pytest.mark.parametrize(
    ("answers", "compared", "timed", "line"),
    [(12, 12, 0, 13), (20 + 8 + 3, 20, 8, 12)],
)
def test_a_service_that_goes_away_in_the_middle(
    answers: int, compared: int, timed: int, line: int, tmp_path: Path
) -> None:
    """What was found until then is told, whether it was being compared or timed."""
    path = written(tmp_path / "r.jsonl", 1, times=20)
    with (
        fake_service(says({"vector": [1]})) as old,
        short_lived(answers) as new,
        servers(old.origin, new) as both,
    ):
        found = Replay(path, *both, concurrency=1, threshold=0.9, repeat=1).run()
    assert (found.requests, found.items, found.timed) == (compared, compared, timed)
    assert (found.old.timed_failed, found.new.timed_failed) == (0, 0)
    (objection,) = found.objections()
    assert objection == found.stopped == found.as_json()["stopped"]
    assert objection.startswith(f"stopped at line {line}: {new} cannot be reached")


def test_a_service_that_goes_away_before_the_first_answer(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", 1, times=20)
    with (
        fake_service(says({"vector": [1]})) as old,
        short_lived(0) as new,
        pytest.raises(ReplayError, match=r"stopped at line 1: .* cannot be reached"),
    ):
        replayed(path, old.origin, new)
