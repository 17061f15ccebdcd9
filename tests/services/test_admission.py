"""Who gets in, and how long that may take: tokens, sizes, deadlines, and what is not quite HTTP."""

import json
import socket
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import running
from dummy_model import DummyModel
from pictures import b64, encoded, gradient
from running import send


def test_bodies_over_the_limit_are_refused_before_they_are_read() -> None:
    with running.in_thread(
        running.service_of(DummyModel, replace(running.DOOR, max_body=1000, max_in_flight=1500))
    ) as caller:
        assert caller("POST", "/vectors", b"x" * 1001).json()["code"] == "too_large"
        with send(caller, b"", announced=10**12) as opened:
            assert opened.recv(100).startswith(b"HTTP/1.1 413")
        chunked = (
            b"POST /vectors HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n"
        )
        host, port = caller.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as opened:
            opened.sendall(chunked + b"1\r\nx\r\n")
            assert opened.recv(100).startswith(b"HTTP/1.1 413")
        # What comes in counts, not what is announced.
        with send(caller, b"", announced=900), send(caller, b"x" * 400, announced=900):
            running.wait_for(lambda: caller("POST", "/vectors", b"x" * 1000).status == 400)
        with send(caller, b"x" * 800, announced=900):
            running.wait_for(lambda: caller("POST", "/vectors", b"x" * 900).status == 503)
        running.wait_for(lambda: caller("POST", "/vectors", b"x" * 900).status == 400)


def test_half_a_body_then_silence() -> None:
    with running.in_thread(running.service_of(DummyModel, replace(running.DOOR, body_timeout=0.3))) as caller:
        with send(caller, b'{"image":', announced=1000) as opened:
            answer = opened.recv(10000)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"body_timeout" in answer


def test_a_body_that_drips_is_ended() -> None:
    """Each byte used to buy its sender the whole time again."""
    with running.in_thread(running.service_of(DummyModel, replace(running.DOOR, body_timeout=1.0))) as caller:
        start = time.monotonic()
        with send(caller, b"{", announced=1000) as opened:
            opened.settimeout(0.1)
            answer = b""
            while not answer and time.monotonic() < start + 20:
                opened.sendall(b" ")
                with suppress(TimeoutError):
                    answer = opened.recv(100)
        assert answer.startswith(b"HTTP/1.1 408")
        assert time.monotonic() - start < 5


def test_time_cannot_be_saved_up() -> None:
    """64 KiB buy a second, but nobody may be silent for more than the limit."""
    with running.in_thread(running.service_of(DummyModel, replace(running.DOOR, body_timeout=1.0))) as caller:
        start = time.monotonic()
        with send(caller, b" " * 10_000_000, announced=10_000_001) as opened:
            assert opened.recv(100).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - start < 5


def test_headers_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecmod.serving.http.protocol._HEADER_SECONDS", 0.5)
    with running.in_thread(running.service_of(DummyModel)) as caller:
        host, port = caller.url.removeprefix("http://").split(":")
        complete = b"GET /.well-known/live HTTP/1.1\r\nHost: h\r\n\r\n"
        for begun in (b"", b"POST /vectors HTTP/1.1\r\nHost: h\r\nX-A: "):
            for before in (b"", complete):
                with socket.create_connection((host, int(port)), timeout=10) as opened:
                    if before:
                        opened.sendall(before)
                        assert opened.recv(1000).startswith(b"HTTP/1.1 204")
                    if begun or not before:
                        opened.sendall(begun)
                        assert opened.recv(1000) == b""  # closed
        with send(caller, b"", announced=2) as opened:  # the header is whole: another limit
            time.sleep(1)
            opened.sendall(b"{}")
            assert opened.recv(100).startswith(b"HTTP/1.1 400")


def was_cut_off(opened: socket.socket, data: bytes) -> bool:
    try:
        opened.sendall(data)
        return opened.recv(100) == b""
    except ConnectionError:
        return True


def test_bodies_in_crumbs() -> None:
    """A chunk for each byte of megabytes would hold up everybody for seconds."""
    head = b"POST /vectors HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = json.dumps({"image": b64(encoded(gradient(4, 4))), "other": "x" * 60_000}).encode()
    with running.in_thread(running.service_of(DummyModel)) as caller:
        host, port = caller.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as opened:
            opened.sendall(head)
            assert was_cut_off(opened, b"1\r\nx\r\n" * 2_000_000)
        for size in (40, 5000):  # what programs send
            chunks = [body[start : start + size] for start in range(0, len(body), size)]
            with socket.create_connection((host, int(port)), timeout=30) as opened:
                opened.sendall(head)
                for chunk in [*chunks, b""]:
                    opened.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                assert opened.recv(100).startswith(b"HTTP/1.1 200")


def test_what_is_not_http_gets_an_error_like_all_others() -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller:
        host, port = caller.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as opened:
            opened.sendall(b"\x16\x03\x01 hello\r\n\r\n")
            answer = opened.recv(10000)
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "malformed"


def test_a_slow_line_has_the_time_it_needs() -> None:
    """300 KB in 2 s, where 1 s is the limit for a small body."""
    body = json.dumps({"image": b64(encoded(gradient(4, 4))), "other": "x" * 300_000}).encode()
    with (
        running.in_thread(running.service_of(DummyModel, replace(running.DOOR, body_timeout=1.0))) as caller,
        send(caller, b"", announced=len(body)) as opened,
    ):
        for start in range(0, len(body), 30_000):
            time.sleep(0.2)
            opened.sendall(body[start : start + 30_000])
        assert opened.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("protocol", ["h2c", "foo", "websocket"])
def test_an_offer_to_upgrade_is_declined_and_the_request_served(protocol: str) -> None:
    """Java's client offers h2c with every request."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": protocol, "HTTP2_Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
    with running.in_thread(running.service_of(DummyModel)) as caller:
        answer = caller("POST", "/vectors", {"image": b64(encoded(gradient(4, 4)))}, **offer)
    assert (answer.status, answer.json()["dim"]) == (200, 3)


def test_token() -> None:
    image = {"image": b64(encoded(gradient(4, 4)))}
    with running.in_thread(running.service_of(DummyModel, replace(running.DOOR, token="secret"))) as caller:  # noqa: S106
        for wrong in (
            {},
            {"Authorization": "Bearer nonsense"},
            {"Authorization": "secret"},
            {"Authorization": "Basic secret"},
        ):
            answer = caller("POST", "/vectors", image, **wrong)
            assert (answer.status, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert caller("POST", "/vectors", image, Authorization="Bearer secret").status == 200
        assert caller("GET", "/meta").status == 200


@pytest.mark.parametrize("pause", [0.2, 2.5], ids=["slow", "gone"])
def test_answers_are_held_for_who_reads_them(pause: float, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecmod.serving.http.protocol._READ_SECONDS", 1.0)
    with running.in_thread(running.clip(cache)) as caller:
        body = json.dumps({"texts": ["a"] * 2048}).encode()
        with send(caller, body, path="/vectorize") as opened:
            received = 0
            with suppress(ConnectionError):
                while part := opened.recv(1_000_000):
                    received += len(part)
                    if part.endswith(b"}"):
                        break
                    if received < 4_000_000:
                        time.sleep(pause)
    assert (received > 7_000_000) is (pause < 1)
