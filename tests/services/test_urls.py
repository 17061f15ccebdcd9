"""Media by URL: fetched only if the operator opened the host, and never at the cost of others."""

import gc
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import running
from dummy_model import DummyModel
from fetching import fault, fetching
from file_server import Behaviour, FileServer, Names, answer, certificate, redirect, serving
from hostile_urls import HOSTILE
from pictures import b64, encoded, gradient, photo

PICTURE = encoded(gradient(40, 30))
OTHER = encoded(gradient(40, 30, 3))
PNG = "Content-Type: image/png"


@pytest.fixture
def files() -> Iterator[FileServer]:
    with serving() as server:
        server.files["/cat.png"] = answer(PICTURE, PNG)
        yield server


def test_a_url_gives_the_vector_of_its_bytes(files: FileServer, cache: Path) -> None:
    files.files["/cat.jpg"] = answer(photo("cat"), "Content-Type: image/jpeg")
    with running.in_thread(running.img2vec(cache, VECMOD_ALLOW_URLS=files.authority)) as caller:
        assert caller.vector(files.url("/cat.jpg")) == caller.vector(b64(photo("cat")))
        mixed = caller("POST", "/vectorize", {"images": [b64(PICTURE), files.url("/cat.jpg"), files.url("/cat.png")]})
        assert mixed.status == 200
        assert caller("GET", "/meta").json()["limits"]["urls"] is True
        assert caller.metric('vecmod_stage_seconds_count{stage="fetch"}') == 3
    request = files.requests[0].decode()
    assert request.startswith(f"GET /cat.jpg HTTP/1.1\r\nHost: {files.authority}\r\nUser-Agent: vecmod/")
    assert "Accept: image/*, */*;q=0.1\r\nAccept-Encoding: identity\r\nConnection: close\r\n" in request
    assert "cookie" not in request.lower()


def test_nothing_is_fetched_by_default(files: FileServer, service: running.Caller) -> None:
    for text in (files.url("/cat.png"), "https://images.example.com/a"):
        status, code, sentence = fault(service, text)
        assert (status, code) == (422, "url_refused")
        assert "is a URL, and this service fetches none; send the file's bytes as base64, or let the" in sentence
        assert f"add {text.split('/')[2]} to VECMOD_ALLOW_URLS" in sentence
    assert files.connections == 0
    assert service("GET", "/meta").json()["limits"]["urls"] is False


def test_texts_are_not_urls(clip_service: running.Caller) -> None:
    assert clip_service("POST", "/vectorize", {"texts": ["http://127.0.0.1/"]}).status == 200


def test_the_environment_is_no_way_around(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.authority}")
        with fetching(files.authority) as caller:
            caller.vector(files.url("/cat.png"))
        # Of what it was asked to GET: onnxruntime in this process may ask it to CONNECT, for its telemetry.
        assert (proxy.requests, len(files.requests)) == ([], 1)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_urls_reach_nobody(text: str, hostile_door: tuple[running.Caller, FileServer]) -> None:
    caller, canary = hostile_door
    here = text.replace("127.0.0.1:80", canary.authority).replace("127.0.0.1/", f"{canary.authority}/")
    for url in (text, here):
        got = caller("POST", "/vectors", {"image": url})
        # What does not even begin as a URL is base64 that is none.
        assert (got.status, got.json()["code"]) in ((422, "url_refused"), (422, "undecodable"))
        assert "base64" in got.json()["error"]
    assert canary.connections == 0


@pytest.fixture(scope="module")
def hostile_door() -> Iterator[tuple[running.Caller, FileServer]]:
    """A service that may fetch from every public host, on whatever port the canary listens."""
    with serving() as canary, fetching("*", f"*:{canary.port}", "good.example") as caller:
        yield caller, canary


@pytest.mark.parametrize(
    "host",
    "127.0.0.1 [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::7f00:1] localhost inside.test mixed.test".split(),
)
def test_addresses_inside_are_refused_before_anything_is_connected(
    host: str, hostile_door: tuple[running.Caller, FileServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, canary = hostile_door
    Names(monkeypatch, inside=[["169.254.169.254"]], mixed=[["93.184.216.34", "127.0.0.1"]])
    status, code, sentence = fault(caller, f"http://{host}:{canary.port}/latest/meta-data")
    assert (status, code) == (422, "url_refused")
    assert "not public; send the file's bytes as base64, or let the operator" in sentence
    assert "93.184" not in sentence
    assert "169.254.169.254" not in sentence
    assert canary.connections == 0


def test_a_port_must_be_named(files: FileServer) -> None:
    with fetching("127.0.0.1", "*") as caller:
        assert fault(caller, files.url("/cat.png"))[1] == "url_refused"
    assert files.connections == 0


def test_a_name_is_looked_up_once_and_its_checked_address_is_used(
    files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name leads elsewhere when it is looked up again."""
    with serving("127.0.0.2", files.port) as listed, fetching(f"rebind.test:{files.port}", "127.0.0.2") as caller:
        listed.files["/cat.png"] = answer(OTHER, PNG)
        names = Names(monkeypatch, rebind=[["127.0.0.2"], ["127.0.0.1"]])
        assert caller.vector(f"http://rebind.test:{files.port}/cat.png") == caller.vector(b64(OTHER))
        assert names.asked == ["rebind.test"]
        assert b"\r\nHost: rebind.test:" in listed.requests[0]
        # From now on it leads to where nothing was opened.
        assert fault(caller, f"http://rebind.test:{files.port}/cat.png")[1] == "url_refused"
        assert (listed.connections, files.connections) == (1, 0)


def test_another_address_of_a_name_is_tried(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, two=[["127.0.0.9", "127.0.0.1"]])  # nobody listens on the first
    with fetching(f"two.test:{files.port}", "127.0.0.0/8") as caller:
        caller.vector(f"http://two.test:{files.port}/cat.png")


def test_redirects_are_checked_as_urls_are(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, outside=[["127.0.0.1"]], inside=[["169.254.169.254"]])
    outside = f"outside.test:{files.port}"
    with serving("127.0.0.2", files.port) as canary, fetching(outside, "127.0.0.1", "inside.test") as caller:
        for number, target in enumerate(
            [
                canary.url("/"),
                f"//127.0.0.2:{canary.port}/",
                f"http://127.0.0.1:{files.port}/cat.png",  # an address that names may lead to, on 80 and 443 itself
                f"http://2130706434:{canary.port}/",
                f"http://{outside}@127.0.0.2:{canary.port}/",
                f"http://{outside}\\@127.0.0.2:{canary.port}/",
                "http://169.254.169.254/latest/meta-data",
                "http://inside.test/latest/meta-data",
                "file:///etc/passwd",
                "ftp://127.0.0.2/",
            ]
        ):
            files.files[f"/{number}"] = redirect(target)
            status, code, sentence = fault(caller, f"http://{outside}/{number}")
            assert (status, code) == (422, "url_refused"), target
            assert "inside.test" in sentence or f"redirected by {outside}: is" in sentence
        assert (canary.connections, len(files.requests)) == (0, 10)


def test_redirects_are_followed_three_times(files: FileServer) -> None:
    for number in range(5):
        location = f"/{number - 1}" if number > 1 else files.url("/cat.png")
        files.files[f"/{number}"] = redirect(location, ["301 x", "302 x", "303 x", "307 x", "308 x"][number])
    files.files["/loop"] = redirect("/loop")
    files.files["/nowhere"] = answer(b"", status="302 Found")
    files.files["/brackets"] = redirect("http://[x/")
    with fetching(files.authority) as caller:
        for number in (1, 2, 3):
            caller.vector(files.url(f"/{number}"))
        before = files.connections
        for path in ("/4", "/loop"):
            assert "it is reached over more than 3 redirects" in fault(caller, files.url(path))[2]
        assert files.connections - before == 8
        assert "more than 3 redirects" in fault(caller, files.url("/nowhere"))[2]
        assert fault(caller, files.url("/brackets"))[1] == "url_failed"


def dripping(head: bytes, part: bytes) -> Behaviour:
    def drip(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(part)
            time.sleep(0.05)

    return drip


def late(seconds: float, behaviour: Behaviour) -> Behaviour:
    def wait(connection: socket.socket) -> None:
        time.sleep(seconds)
        behaviour(connection)

    return wait


def silent(connection: socket.socket) -> None:
    connection.recv(1)


SLOW = {
    "silent": silent,
    "body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "chunks": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "chunk head": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "status line": dripping(b"HTTP/1.1 200 ", b"O"),
    "header": dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "redirects": late(0.5, redirect("/redirects")),
}


def test_slow_servers_are_given_up_in_time(files: FileServer) -> None:
    files.files.update({f"/{name.replace(' ', '%20')}": behaviour for name, behaviour in SLOW.items()})
    with fetching(files.authority, seconds=1) as caller, ThreadPoolExecutor(8) as callers:
        start = time.monotonic()
        faults = list(callers.map(lambda name: fault(caller, files.url(f"/{name.replace(' ', '%20')}")), SLOW))
        assert 0.9 < time.monotonic() - start < 2.5
        wanted = f"cannot be fetched from {files.authority} now: it took longer than 1 s (VECMOD_URL_TIMEOUT)"
        for status, code, sentence in faults:
            assert (status, code) == (502, "url_unavailable")
            assert wanted in sentence
            assert sentence.endswith("or send the file's bytes as base64")
        running.wait_for(lambda: lines_to(files) == 0, 5)


def lines_to(server: FileServer) -> int:
    """Connections that this process still has to a server."""
    open_ones = psutil.Process().net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.raddr[1] == server.port for one in open_ones)


def test_a_name_server_that_does_not_answer_costs_only_its_time(
    files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    ask = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *args, **more: (args[0] == "slow.test" and answered.wait(20), ask(*args, **more))[1],
    )
    try:
        with fetching(files.authority, "slow.test", seconds=0.5) as caller:
            start = time.monotonic()
            assert "took longer than 0.5 s" in fault(caller, "http://slow.test/")[2]
            assert time.monotonic() - start < 2
            caller.vector(files.url("/cat.png"))
            answered.set()
    finally:
        answered.set()


CHUNKED = "Transfer-Encoding: chunked"
FOUND = "HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        (answer(b"", status="404 Not Found"), "url_failed", "it answered with status 404;"),
        (answer(PICTURE, status="500 x"), "url_unavailable", "it answered with status 500;"),
        (answer(PICTURE, status="206 x"), "url_failed", "it answered with status 206;"),
        (answer(b""), "url_failed", "it answered with nothing;"),
        (answer(b"<html>", "Content-Type: text/HTML; charset=x"), "url_failed", "with a web page, not with a file"),
        (answer(b"<html>"), "undecodable", "is not a picture; formats"),
        (answer(PICTURE[:-30]), "undecodable", "is damaged"),
        (answer(PICTURE, "Content-Encoding: gzip"), "url_failed", "it sent the file compressed, though asked not to;"),
        (answer(PICTURE, "Content-Encoding: br, identity"), "url_failed", "it sent the file compressed"),
        (answer(b"x" * 2**20 + b"x"), "too_large", "than 1048576 bytes; send a smaller copy, or raise VECMOD_URL"),
        (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), "too_large", "is larger than"),
        (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nx"), "url_unavailable", "broke off"),
        (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nxxxxx"), "url_unavailable", "broke off"),
        (lambda c: c.sendall(f"{FOUND}{CHUNKED}\r\n\r\nffff\r\nx".encode()), "url_unavailable", "broke off"),
        (lambda c: c.sendall(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\nzz\r\nx".encode()), "url_unavailable", "broke off"),
        (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n"), "url_unavailable", "was no HTTP"),
        (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000), "url_unavailable", "was no HTTP"),
        (lambda c: c.sendall(b"-ERR unknown command\r\nsecret\r\n"), "url_unavailable", "was no HTTP"),
        (lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "url_unavailable", "was no HTTP"),
        (lambda _: None, "url_unavailable", "broke off"),
    ],
)  # fmt: skip
def test_every_fault_of_a_server_is_named(behaviour: Behaviour, code: str, words: str, files: FileServer) -> None:
    with fetching(files.authority) as caller:
        status, found, sentence = fault(caller, files.url("/x", behaviour))
        assert (status, found) == ({"too_large": 413, "url_unavailable": 502}.get(code, 422), code)
        assert words in sentence
        assert files.authority in sentence
        assert "OpenSSH" not in sentence
        assert "secret" not in sentence
        caller.vector(files.url("/cat.png"))


def test_bodies_without_end_are_cut_off(files: FileServer) -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 65536)

    with fetching(files.authority) as caller:
        assert fault(caller, files.url("/endless", endless))[:2] == (413, "too_large")
        time.sleep(0.2)
    assert sent < 40 * 2**20  # what fits into the buffers in between; nobody reads more


def test_servers_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, known=[["127.0.0.1"]])
    port = running.free_port()
    with fetching(f"known.test:{port}", "unknown.test", "127.0.0.1") as caller:
        assert "it refused the connection" in fault(caller, f"http://known.test:{port}/")[2]
        assert "its name is not known" in fault(caller, "http://unknown.test/")[2]


def test_certificates_are_checked_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, trusted = certificate(tmp_path, "DNS:right.test")
    stranger, _ = certificate(tmp_path, "DNS:stranger.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    here = [["127.0.0.1"]]
    names = Names(monkeypatch, right=here, wrong=here, stranger=here, plain=here)
    with serving(tls=tls) as right, serving(tls=stranger) as other, serving() as plain:
        entries = [f"*.test:{server.port}" for server in (right, other, plain)]
        with fetching("127.0.0.1", *entries) as caller:
            right.files["/x"] = answer(PICTURE)
            right.files["/down"] = redirect(f"http://plain.test:{plain.port}/x")
            assert caller.vector(f"https://right.test:{right.port}/x") == caller.vector(b64(PICTURE))
            assert names.asked == ["right.test"]
            wrong = fault(caller, f"https://wrong.test:{right.port}/x")[2]
            assert "its certificate cannot be trusted (Hostname mismatch" in wrong
            assert "cannot be trusted (self" in fault(caller, f"https://stranger.test:{other.port}/x")[2]
            assert "no TLS connection" in fault(caller, f"https://plain.test:{plain.port}/x")[2]
            assert "from https to http" in fault(caller, f"https://right.test:{right.port}/down")[2]
            assert len(right.requests) == 2
            assert other.requests == []


def test_urls_are_fetched_at_once_and_nobody_else_waits_for_them(files: FileServer) -> None:
    urls = [files.url(f"/late-{number}", late(1.0, answer(PICTURE, PNG))) for number in range(16)]
    with fetching(files.authority) as caller, ThreadPoolExecutor(2) as callers:
        start = time.monotonic()
        slow = callers.submit(caller, "POST", "/vectorize", {"images": urls})
        running.wait_for(lambda: len(files.requests) == 16)
        for _ in range(20):
            caller.vector(b64(OTHER))
        assert time.monotonic() - start < 1.0
        assert not slow.done()
        assert slow.result().json()["imageVectors"] == [caller.vector(b64(PICTURE))] * 16
        assert time.monotonic() - start < 2.5  # one after the other they would take 16


def test_one_request_leaves_turns_to_others(files: FileServer) -> None:
    release = threading.Event()
    urls = [files.url(f"/held-{number}", lambda _: (release.wait(20), None)[1]) for number in range(40)]
    with fetching(files.authority, seconds=20) as caller, ThreadPoolExecutor(1) as callers:
        slow = callers.submit(caller, "POST", "/vectorize", {"images": urls})
        running.wait_for(lambda: len(files.requests) == 16)
        caller.vector(files.url("/cat.png"))
        assert len(files.requests) == 17
        release.set()
        assert slow.result().json()["code"] == "url_unavailable"


def test_callers_who_leave_take_their_fetches_with_them(files: FileServer) -> None:
    ended = threading.Event()

    def watch(connection: socket.socket) -> None:
        connection.settimeout(10)
        if connection.recv(1) == b"":
            ended.set()

    with fetching(files.authority, seconds=60) as caller:
        body = json.dumps({"image": files.url("/watch", watch)}).encode()
        opened = running.send(caller, body)
        running.wait_for(lambda: len(files.requests) == 1)
        opened.close()
        assert ended.wait(5)
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 0)


def test_a_fault_ends_the_fetches_beside_it(files: FileServer) -> None:
    with fetching(files.authority, seconds=60) as caller:
        start = time.monotonic()
        got = caller("POST", "/vectorize", {"images": [files.url("/silent", silent), "!"]})
        assert got.json()["error"].startswith("images[1] (item 2 of 2): is not base64")
        assert time.monotonic() - start < 5
        running.wait_for(lambda: lines_to(files) == 0, 5)


def test_files_that_wait_for_the_model_are_bounded(files: FileServer) -> None:
    """Four requests of 50 files of 4 MB each: all of them would be 800 MB."""
    # Pillow does not mind what follows a PNG; each comes another time, as equal ones would wait for each other.
    turns = itertools.count()

    def large(connection: socket.socket) -> None:
        answer(PICTURE + bytes(4 * 2**20) + b"%d" % next(turns), PNG)(connection)

    urls = [files.url(f"/large-{number}", large) for number in range(50)]
    model = DummyModel()
    gc.collect()
    process = psutil.Process()
    with fetching(files.authority, max_bytes=5 * 2**20, seconds=60, model=model) as caller:
        model.release.clear()
        before = process.memory_info().rss
        with ThreadPoolExecutor(4) as callers:
            waiting = [callers.submit(caller, "POST", "/vectorize", {"images": urls}) for _ in range(4)]
            running.wait_for(lambda: len(files.requests) >= 60)
            time.sleep(1)
            # 32 whose turn it is, and those that were decoded before: three batches of 8, and one for each thread.
            assert len(files.requests) == 32 + 3 * 8 + 4
            assert process.memory_info().rss - before < 300e6
            model.release.set()
            assert [len(future.result().json()["imageVectors"]) for future in waiting] == [50] * 4


def test_refused_files_leave_nothing_behind(files: FileServer) -> None:
    url = files.url("/junk", answer(bytes(19 * 2**20)))
    with fetching(files.authority, max_bytes=20 * 2**20) as caller:
        fault(caller, url)
        gc.collect()
        before = psutil.Process().memory_info().rss
        gc.disable()
        try:
            for _ in range(25):
                assert fault(caller, url)[1] == "undecodable"
            # The C library keeps some for each thread, unless it is set up as in the container.
            assert psutil.Process().memory_info().rss - before < 200e6  # of 475
        finally:
            gc.enable()
