"""Weights of a web server: fetched once, checked, gone on with after a break; what is something else is not kept."""

import hashlib
import logging
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from file_server import Behaviour, FileServer, answer, serving
from running import wait_for
from vecmod.serving.model import download
from vecmod.serving.model.download import RemoteWeights, fetch_file
from vecmod.serving.model.weights import WeightsNotFound, WeightsPlace

BODY = hashlib.shake_256(b"weights").digest(5 * 2**20 + 77)
DIGEST = hashlib.sha256(BODY).hexdigest()
PATH = "/weights.pth"


class Shelf:
    """A file, given from where it is asked for.

    Attributes:
        breaks: after how many bytes each answer breaks off, the last one for ever; None: it does not.
        asked: where each answer was to begin.
    """

    def __init__(self, body: bytes = BODY, *, ranges: bool = True, breaks: tuple[int | None, ...] = (None,)) -> None:
        self.body = body
        self.ranges = ranges
        self.breaks = list(breaks)
        self.asked: list[int] = []

    def put_on(self, server: FileServer) -> RemoteWeights:
        def give(connection: socket.socket) -> None:
            self._give(server.requests[-1], connection)

        return RemoteWeights(server.url(PATH, give), "weights.pth", DIGEST, len(BODY))

    def _give(self, request: bytes, connection: socket.socket) -> None:
        asked = re.search(rb"\r\nRange: bytes=(\d+)-\r\n", request)
        start = int(asked[1]) if asked and self.ranges else 0
        self.asked.append(start)
        head = [b"HTTP/1.1 200 OK"]
        if asked and self.ranges:
            said = f"Content-Range: bytes {start}-{len(self.body) - 1}/{len(self.body)}"
            head = [b"HTTP/1.1 206 Partial Content", said.encode()]
        head += [b"Content-Length: %d" % (len(self.body) - start), b"", b""]
        most = self.breaks.pop(0) if len(self.breaks) > 1 else self.breaks[0]
        connection.sendall(b"\r\n".join(head) + self.body[start:][:most])


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> WeightsPlace:
    return WeightsPlace(None, tmp_path, offline=False)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.001)


def moved(to: str) -> Behaviour:
    return answer(b"", f"Location: {to}", "Connection: close", status="302 Found")


def files(place: WeightsPlace) -> dict[str, int]:
    """What is kept, but for the empty file by which processes take turns."""
    found = [path for path in place.cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path.name: path.stat().st_size for path in found}


def test_fetched_once_and_checked(server: FileServer, place: WeightsPlace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    remote = Shelf().put_on(server)
    file = fetch_file(place, remote)
    assert file.path.read_bytes() == BODY
    assert file.digest == DIGEST
    assert files(place) == {"weights.pth": len(BODY)}
    news = [record.getMessage() for record in caplog.records]
    assert news[0] == f"fetching {remote.url} (0.0 GB) into {file.path.parent}"
    # Told at each tenth that a part has reached: there are fewer parts here than tenths.
    assert news[1:] == ["fetched 0.0 of 0.0 GB"] * 6
    assert fetch_file(place, remote) == file
    assert fetch_file(WeightsPlace(None, place.cache, offline=True), remote) == file
    assert len(server.requests) == 1


def test_a_break_loses_nothing(server: FileServer, place: WeightsPlace, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(breaks=(2**20 + 5, 0, 2**20, None))
    assert fetch_file(place, shelf.put_on(server)).path.read_bytes() == BODY
    assert shelf.asked == [0, 2**20 + 5, 2**20 + 5, 2 * 2**20 + 5]
    broken = [record.getMessage() for record in caplog.records]
    assert broken == ["the download broke off at 0.00 GB (ProtocolError); going on"] * 3


def test_a_line_that_is_reset_is_taken_up_again(server: FileServer, place: WeightsPlace) -> None:
    shelf = Shelf(breaks=(2**20, None))
    remote = shelf.put_on(server)
    give = server.files[PATH]

    def reset_once(connection: socket.socket) -> None:
        if not shelf.asked:
            # Closed with nothing waited for: the other side is told that the line is dead.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        give(connection)

    server.files[PATH] = reset_once
    assert fetch_file(place, remote).path.read_bytes() == BODY
    assert len(shelf.asked) == 2


def test_the_next_start_goes_on(server: FileServer, place: WeightsPlace) -> None:
    """As after a power cut: what is there was written by another process."""
    shelf = Shelf(breaks=(3 * 2**20, 0))
    remote = shelf.put_on(server)
    with pytest.raises(
        WeightsNotFound, match=r"could not be fetched \(ProtocolError: .*; start again to go on, or mou"
    ):
        fetch_file(place, remote)
    assert shelf.asked == [0, *[3 * 2**20] * 5]
    assert files(place) == {"weights.pth.partial": 3 * 2**20}
    shelf.breaks = [None]
    assert fetch_file(place, remote).path.read_bytes() == BODY
    assert shelf.asked[6:] == [3 * 2**20]
    assert files(place) == {"weights.pth": len(BODY)}


def test_a_slow_line_that_breaks_often_gets_there(server: FileServer, place: WeightsPlace) -> None:
    shelf = Shelf(breaks=(2**19,))
    assert fetch_file(place, shelf.put_on(server)).path.read_bytes() == BODY
    assert len(shelf.asked) == 11


def test_a_server_without_ranges(server: FileServer, place: WeightsPlace) -> None:
    shelf = Shelf(ranges=False, breaks=(2**20, 3 * 2**20, 2**20, None))
    assert fetch_file(place, shelf.put_on(server)).path.read_bytes() == BODY
    assert shelf.asked == [0] * 4


def test_a_server_without_ranges_that_always_breaks_off(server: FileServer, place: WeightsPlace) -> None:
    """It is given up after five breaks that reached nothing new, however much each of them gave."""
    shelf = Shelf(ranges=False, breaks=(2**20, 2**21, *[2**20, 2**21] * 20))
    with pytest.raises(WeightsNotFound, match="could not be fetched"):
        fetch_file(place, shelf.put_on(server))
    assert len(shelf.asked) == 7


def test_an_answer_that_does_not_tell_its_length(server: FileServer, place: WeightsPlace) -> None:
    """Where it ends early nobody notices, but for the size that is known here."""
    remote = Shelf().put_on(server)
    bodies = [BODY[: 2**20], BODY]
    server.files[PATH] = lambda connection: answer(bodies.pop(0), length=False)(connection)
    assert fetch_file(place, remote).path.read_bytes() == BODY
    assert len(server.requests) == 2


def test_answers_that_always_end_early_are_given_up(server: FileServer, place: WeightsPlace) -> None:
    remote = Shelf().put_on(server)
    server.files[PATH] = answer(BODY[: 2**20], length=False)
    with pytest.raises(WeightsNotFound, match="BrokenOff: the answer ended early"):
        fetch_file(place, remote)
    assert len(server.requests) == 6


@pytest.mark.parametrize("status", ["503 Busy", "429 Too Many Requests", "500 Internal Server Error"])
def test_a_server_that_is_busy_is_asked_again(status: str, server: FileServer, place: WeightsPlace) -> None:
    remote = Shelf().put_on(server)
    whole = server.files[PATH]
    behaviours = [answer(b"later", status=status), whole]
    server.files[PATH] = lambda connection: behaviours.pop(0)(connection)
    assert fetch_file(place, remote).path.read_bytes() == BODY
    server.files[PATH] = answer(b"later", status=status)
    (place.cache / "weights" / DIGEST[:16] / "weights.pth").unlink()
    with pytest.raises(
        WeightsNotFound, match=rf"\(BrokenOff: the server answered with status {status[:3]}\); start again"
    ):
        fetch_file(place, remote)


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "401 Unauthorized", "204 No Content"])
def test_a_refusal_is_said_and_what_is_there_stays(status: str, server: FileServer, place: WeightsPlace) -> None:
    shelf = Shelf(breaks=(2**20, 0))
    remote = shelf.put_on(server)
    with pytest.raises(WeightsNotFound):
        fetch_file(place, remote)
    server.files[PATH] = answer(b"" if status.startswith("204") else b"no", status=status)
    before = len(server.requests)
    with pytest.raises(WeightsNotFound) as caught:
        fetch_file(place, remote)
    assert str(caught.value) == (
        f"{remote.url} answered with status {status[:3]}; mount the weights and name them in VECMOD_MODEL_PATH"
    )
    assert len(server.requests) == before + 1
    assert files(place) == {"weights.pth.partial": 2**20}


OTHERS: dict[str, tuple[Behaviour, str]] = {
    "page": (answer(b"<html>please log in</html>"), "26 bytes, not 5242957"),
    "longer": (
        answer(BODY[9:] + b"x", f"Content-Range: bytes 9-{len(BODY)}/{len(BODY) + 1}", status="206 Partial Content"),
        "5242958 bytes, not 5242957",
    ),
    "shorter": (
        answer(b"", "Content-Range: bytes */1000", status="416 Range Not Satisfiable"),
        "1000 bytes, not 5242957",
    ),
    "shorter, untold": (answer(b"", status="416 Range Not Satisfiable"), "fewer bytes, not 5242957"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_size_is_refused_before_anything_is_lost(
    name: str, server: FileServer, place: WeightsPlace
) -> None:
    shelf = Shelf(breaks=(2**20, 0))
    remote = shelf.put_on(server)
    with pytest.raises(WeightsNotFound):
        fetch_file(place, remote)
    server.files[PATH], what = OTHERS[name]
    with pytest.raises(WeightsNotFound, match=re.escape(f"is not what it was ({what}); start again, or mount")):
        fetch_file(place, remote)
    assert files(place) == {"weights.pth.partial": 2**20}


def test_a_wrong_digest_is_refused_and_not_kept(server: FileServer, place: WeightsPlace) -> None:
    other = bytes(len(BODY))
    remote = Shelf(other).put_on(server)
    digest = hashlib.sha256(other).hexdigest()
    with pytest.raises(WeightsNotFound, match=rf"is not what it was \(sha256 {digest}, not {DIGEST}\); start again"):
        fetch_file(place, remote)
    assert files(place) == {}
    remote = Shelf().put_on(server)
    assert fetch_file(place, remote).path.read_bytes() == BODY


def test_an_answer_without_end_does_not_fill_the_disk(server: FileServer, place: WeightsPlace) -> None:
    remote = Shelf().put_on(server)
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(100):
            connection.sendall(bytes(2**20))
            sent += 1

    server.files[PATH] = endless
    with pytest.raises(WeightsNotFound, match=r"is not what it was \(more than 5242957 bytes\)"):
        fetch_file(place, remote)
    assert sent < 100
    assert sum(files(place).values()) == 0


@pytest.mark.parametrize("said", [None, "bytes */*", f"bytes 4194304-{len(BODY) - 1}/{len(BODY)}"])
def test_another_part_than_was_asked_for_is_not_put_in(
    said: str | None, server: FileServer, place: WeightsPlace
) -> None:
    remote = Shelf().put_on(server)
    server.files[PATH] = answer(BODY, *([f"Content-Range: {said}"] if said else []), status="206 Partial Content")
    with pytest.raises(WeightsNotFound, match="the server sent another part than was asked for"):
        fetch_file(place, remote)
    assert sum(files(place).values()) == 0


def test_a_part_that_begins_earlier_is_put_where_it_belongs(server: FileServer, place: WeightsPlace) -> None:
    shelf = Shelf(breaks=(2**20, 0))
    remote = shelf.put_on(server)
    with pytest.raises(WeightsNotFound):
        fetch_file(place, remote)
    said = f"Content-Range: bytes 0-{len(BODY) - 1}/{len(BODY)}"
    server.files[PATH] = answer(BODY, said, status="206 Partial Content")
    assert fetch_file(place, remote).path.read_bytes() == BODY


def test_redirects_are_followed_with_what_is_asked_for(server: FileServer, place: WeightsPlace) -> None:
    shelf = Shelf(breaks=(2**20, None))
    remote = shelf.put_on(server)
    first = RemoteWeights(server.url("/moved", moved(remote.url)), remote.name, DIGEST, len(BODY))
    assert fetch_file(place, first).path.read_bytes() == BODY
    assert shelf.asked == [0, 2**20]


def test_redirects_end(server: FileServer, place: WeightsPlace) -> None:
    remote = Shelf().put_on(server)
    server.files[PATH] = moved(remote.url)
    with pytest.raises(WeightsNotFound, match=r"could not be fetched .*too many redirects"):
        fetch_file(place, remote)


def test_nobody_is_there(place: WeightsPlace) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/weights.pth"
        with pytest.raises(WeightsNotFound, match=r"Connection refused.*; start again to go on, or mount the weights"):
            fetch_file(place, RemoteWeights(url, "weights.pth", DIGEST, len(BODY)))


def test_offline_nobody_is_asked(server: FileServer, place: WeightsPlace) -> None:
    remote = Shelf().put_on(server)
    with pytest.raises(
        WeightsNotFound, match=r"VECMOD_OFFLINE forbids fetching weights\.pth, and .*/weights\.pth is not"
    ):
        fetch_file(WeightsPlace(None, place.cache, offline=True), remote)
    assert server.requests == []
    assert list(place.cache.iterdir()) == []


def test_what_was_damaged_since_is_refused(server: FileServer, place: WeightsPlace) -> None:
    remote = Shelf().put_on(server)
    path = fetch_file(place, remote).path
    path.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(
        WeightsNotFound, match=rf"{path} is damaged \(sha256 .*, not {DIGEST}\); delete it, start again"
    ):
        fetch_file(place, remote)


def test_a_cache_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsNotFound, match=r"could not be fetched \(NotADirectoryError"):
        fetch_file(WeightsPlace(None, tmp_path / "file", offline=False), Shelf().put_on(server))


def test_processes_with_one_cache_take_turns(server: FileServer, place: WeightsPlace) -> None:
    """Replicas on one volume, all started at once: were both to write, neither file would be whole."""
    remote = Shelf().put_on(server)
    whole = server.files[PATH]
    go = threading.Event()

    def slow(connection: socket.socket) -> None:
        go.wait(30)
        whole(connection)

    server.files[PATH] = slow
    with ThreadPoolExecutor(4) as replicas:
        fetching = [replicas.submit(fetch_file, place, remote) for _ in range(4)]
        wait_for(lambda: len(server.requests) >= 1)
        go.set()
        assert len({future.result() for future in fetching}) == 1
    assert len(server.requests) == 1
    assert files(place) == {"weights.pth": len(BODY)}
