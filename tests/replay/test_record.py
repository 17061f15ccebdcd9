"""The recording proxy between real sockets: what it passes on, what it writes down, what it survives."""

import gzip
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

import running
from fake_service import always, fake_service
from pictures import b64, photo
from vecmod.replay.record import RecordingProxy
from vecmod.replay.recording import RecordedRequest, Recording, read_requests, size_now
from vecmod.replay.replay_errors import ReplayError
from vecmod.replay.upstream import Upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def proxy(origin: str, path: Path, limit: int | None = None, max_body: int = 1 << 20) -> Iterator[RecordingProxy]:
    upstream, recording = Upstream(origin, 8, 10), Recording(path, limit)
    with RecordingProxy(("127.0.0.1", 0), upstream, recording, max_body) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            recording.close()
            upstream.close()


@contextmanager
def raw_service(answers: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Answers its connections one after another, request by request; notes every byte that came."""
    seen: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        while answers:
            opened, _ = listening.accept()
            with opened, opened.makefile("rb") as file:
                while answers and (request := _read_request(file)):
                    seen.append(request)
                    opened.sendall(answers.pop(0))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", seen
        thread.join(10)
        assert not thread.is_alive()


def _read_request(file: BinaryIO) -> bytes:
    head = b""
    while (line := file.readline()).strip():
        head += line
    lengths = [part for part in head.lower().split(b"\r\n") if part.startswith(b"content-length:")]
    return head + line + (file.read(int(lengths[0].split(b":")[1])) if lengths else b"")


def connect(server: RecordingProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10)


def talk(server: RecordingProxy, raw: bytes) -> bytes:
    """The whole of what comes back until the proxy closes."""
    with connect(server) as opened:
        opened.sendall(raw)
        return b"".join(iter(lambda: opened.recv(1 << 16), b""))


def recorded(path: Path) -> list[RecordedRequest]:
    return [one.request for one in read_requests(path, size_now(path))]


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: h", *headers, f"Content-Length: {len(body)}".encode()]
    return b"\r\n".join([*lines, b"", body])


# As Go's client writes them (weaviate, modules/*/clients): img2vec and bind name no Content-Type.
GO = (b"User-Agent: Go-http-client/1.1", b"Accept-Encoding: gzip")
REQUESTS = [
    post("/vectors", '{"id":"é_0","image":"aW1n"}'.encode(), *GO),
    post("//vectorize", b'{"texts":["hi \\u003c"],"images":[', b"Content-Type: application/json", *GO),
    post("/vectors?a=%2F.", b""),
    post("/vectors", b"\xff\x00\xed\xa0", b"Authorization: Bearer secret", b"X-A: 1", b"X-A: 2"),
]


def test_requests_pass_as_they_came(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    with raw_service([OK] * 4) as (origin, seen), proxy(origin, path) as server, connect(server) as opened:
        for request in REQUESTS:
            opened.sendall(request)
            with opened.makefile("rb") as file:
                assert _read_request(file) == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    for sent, came in zip(REQUESTS, seen, strict=True):
        (line, *headers), (came_line, *came_headers) = (
            one.partition(b"\r\n\r\n")[0].split(b"\r\n") for one in (sent, came)
        )
        assert came_line == line
        # The host is the next one's; the order of headers means nothing.
        assert sorted(one for one in came_headers if not one.startswith(b"Host")) == sorted(headers[1:])
        assert came.partition(b"\r\n\r\n")[2] == sent.partition(b"\r\n\r\n")[2]
    assert recorded(path) == [
        RecordedRequest("/vectors", None, '{"id":"é_0","image":"aW1n"}'.encode()),
        RecordedRequest("//vectorize", "application/json", b'{"texts":["hi \\u003c"],"images":['),
        RecordedRequest("/vectors?a=%2F.", None, b""),
        RecordedRequest("/vectors", None, b"\xff\x00\xed\xa0"),
    ]
    assert "secret" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_others_could_read_is_theirs_no_more(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("{}\n")
    path.chmod(0o644)
    Recording(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "{}\n"


def test_what_is_no_file_keeps_its_mode() -> None:
    before = Path(os.devnull).stat().st_mode
    Recording(Path(os.devnull)).close()
    assert Path(os.devnull).stat().st_mode == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("{}")
    path.chmod(0o644)
    os.chown(path, 12345, -1)
    with pytest.raises(ReplayError, match="belongs to another user, and others may read it; choose another"):
        Recording(path)
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o644, "{}")
    path.chmod(0o600)
    Recording(path).close()


def test_a_prefix_belongs_to_the_service_not_to_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with fake_service(always(200, "{}")) as service, proxy(service.origin + "/clip/", path) as server:
        talk(server, b"POST /vectorize HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        assert [sent.path for sent in service.requests] == ["/clip/vectorize"]
    assert recorded(path) == [RecordedRequest("/vectorize", None, b"{}")]


def test_answers_pass_as_they_came(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"vector":[1]}')
    answers = [
        b"HTTP/1.1 200 Fine\r\nContent-Encoding: gzip\r\nX-A: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        + f"{len(packed):x}\r\n".encode()
        + packed
        + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nServer: theirs\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /vectors\r\nContent-Length: 1\r\n\r\nx",
    ]
    request = b"POST /vectors HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    with raw_service(answers) as (origin, _), proxy(origin, tmp_path / "r.jsonl") as server:
        came = [talk(server, request) for _ in range(3)]
    head = b"Content-Encoding: gzip\r\nX-A: 1\r\nX-A: 2\r\n"
    assert came == [
        b"HTTP/1.1 200 Fine\r\n"
        + head
        + f"Content-Length: {len(packed)}\r\n".encode()
        + b"Connection: close\r\n\r\n"
        + packed,
        b"HTTP/1.1 204 No Content\r\nServer: theirs\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /vectors\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
    ]


def test_in_front_of_a_real_service(service: running.Caller, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with proxy(service.url, path) as server:
        caller = running.Caller(f"http://127.0.0.1:{server.server_address[1]}")
        assert caller.vector(b64(photo("cat"))) == service.vector(b64(photo("cat")))
        refused = caller("POST", "/vectors", {"image": "no picture"})
        assert (refused.status, refused.json()["code"]) == (422, "undecodable")
        assert caller("GET", "/meta").json() == service("GET", "/meta").json()
        assert caller("HEAD", "/meta").headers["content-length"] == service("HEAD", "/meta").headers["content-length"]
        caller.close()
    assert [json.loads(one.body)["image"][:10] for one in recorded(path)] == [b64(photo("cat"))[:10], "no picture"]


def chunked(*parts: bytes) -> bytes:
    body = b"".join(f"{len(part):X};x=y\r\n".encode() + part + b"\r\n" for part in parts)
    return (
        b"POST /vectors HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        + body
        + b"0\r\nT: 1\r\n\r\n"
    )


def test_chunked_bodies_become_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with fake_service(always(200, "{}")) as service, proxy(service.origin, path) as server:
        assert talk(server, chunked(b'{"image":', b'"aW1n"}')).startswith(b"HTTP/1.1 200 ")
        assert service.requests[0].body == '{"image":"aW1n"}'
    assert recorded(path) == [RecordedRequest("/vectors", None, b'{"image":"aW1n"}')]


def test_large_bodies_pass_unrecorded(tmp_path: Path) -> None:
    path, big = tmp_path / "r.jsonl", b"x" * 300_000
    plain = b"POST /vectors HTTP/1.1\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n" + big
    with fake_service(always(200, "{}")) as service, proxy(service.origin, path, max_body=200_000) as server:
        assert talk(server, plain).startswith(b"HTTP/1.1 200 ")
        assert service.requests[0].body == big.decode()
        assert server.too_large == 1
    assert recorded(path) == []
    with raw_service([OK]) as (origin, seen), proxy(origin, path, max_body=200_000) as server:
        assert talk(server, chunked(big, b"y")).startswith(b"HTTP/1.1 200 ")
        assert b"Transfer-Encoding: chunked" in seen[0]
    assert recorded(path) == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"POST http://h/vectors HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"is not a path"),
        (b"POST /v HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"is not a number"),
        (b"POST /v HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"is not the size of a chunk"),
        (b"POST /v HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"only chunked is read here"),
        (b"POST /\xc3\xa9 HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"is not a path"),
    ],
)
def test_malformed_requests_are_refused(raw: bytes, words: bytes, tmp_path: Path) -> None:
    with fake_service(always(200, "{}")) as service, proxy(service.origin, tmp_path / "r.jsonl") as server:
        answer = talk(server, raw)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert words in answer
        assert service.requests == []


def test_clients_that_hang_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.jsonl"
    with fake_service(always(200, "{}")) as service, proxy(service.origin, path) as server:
        for cut in (b"POST /v HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", chunked(b"abc")[:-20], b"POS"):
            with connect(server) as opened:
                opened.sendall(cut)
                opened.shutdown(socket.SHUT_WR)
                assert b" 200 " not in opened.recv(100)
        assert talk(server, chunked(b"{}")).startswith(b"HTTP/1.1 200 ")
        assert [sent.body for sent in service.requests] == ["{}"]
    assert len(recorded(path)) == 1
    assert "Traceback" not in capfd.readouterr().err


def test_a_service_that_is_down(tmp_path: Path) -> None:
    path, port = tmp_path / "r.jsonl", running.free_port()
    with proxy(f"http://127.0.0.1:{port}", path) as server:
        caller = running.Caller(f"http://127.0.0.1:{server.server_address[1]}")
        down = caller("POST", "/vectors", {})
        assert down.status == 502
        assert down.json()["error"].endswith("cannot be reached ([Errno 111] Connection refused); is it running?")
        with fake_service(always(200, "{}"), port):
            assert caller("POST", "/vectors", {}).status == 200
        caller.close()
    assert len(recorded(path)) == 1


def test_a_kept_connection_that_breaks_is_no_fault(tmp_path: Path) -> None:
    replies: Iterator[tuple[int, str, dict[str, str]]] = iter([(0, "", {}), (200, "{}", {}), (0, "", {}), (0, "", {})])
    with fake_service(lambda _: next(replies)) as service, proxy(service.origin, tmp_path / "r.jsonl") as server:
        caller = running.Caller(f"http://127.0.0.1:{server.server_address[1]}")
        assert caller("POST", "/vectors", {}).status == 200
        twice = caller("POST", "/vectors", {})
        assert (twice.status, "did not answer" in twice.json()["error"]) == (502, True)
        caller.close()


def test_a_limit_ends_the_recording_not_the_traffic(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with fake_service(always(200, "{}")) as service, proxy(service.origin, path, limit=2) as server:
        for number in range(4):
            talk(server, chunked(str(number).encode()))
        assert len(service.requests) == 4
        assert server.recording.count == 2
    assert [one.body for one in recorded(path)] == [b"0", b"1"]


def test_a_full_disk_ends_the_recording_not_the_traffic() -> None:
    with fake_service(always(200, "{}")) as service, proxy(service.origin, Path("/dev/full")) as server:
        for _ in range(2):
            assert talk(server, chunked(b"{}")).startswith(b"HTTP/1.1 200 ")
        assert (server.recording.count, server.recording.fault) == (0, "No space left on device")


def test_recordings_are_appended_to_and_cut_lines_stay_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    request = RecordedRequest("/vectors", None, b"\x00\xff{}\r\n\xf0\x9f\x98\x80\xff")
    for _ in range(2):
        recording = Recording(path)
        recording.add(request)
        recording.close()
        recording.add(request)
    path.write_bytes(path.read_bytes()[:-9])
    recording = Recording(path)
    recording.add(request)
    recording.close()
    corrupt: list[int] = []
    assert [one.request for one in read_requests(path, size_now(path), lambda line, _: corrupt.append(line))] == [
        request,
        request,
    ]
    assert corrupt == [2]


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="No such file or directory; choose another with --output"):
        Recording(tmp_path / "none" / "r.jsonl")
    recording = Recording(tmp_path / "r.jsonl")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ReplayError, match="choose another --port"):
        RecordingProxy(taken.getsockname(), Upstream("http://h", 1, 1), recording, 1)
    recording.close()
    for url in ("nonsense", "ftp://h", "http://", "http://[", ""):
        with pytest.raises(ReplayError, match="is not a URL; write http://host:port"):
            Upstream(url, 1, 1)
