"""One service over HTTP: what is sent again, what is not, and what is said when it fails."""

import itertools
import socket
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

import running
from fake_service import Sent, always, by_image, fake_service
from vecmod.contract.modality import IMAGE
from vecmod.host.catalog import IMG2VEC_NEURAL
from vecmod.host.client import ServiceClient
from vecmod.host.collect import Piece
from vecmod.host.host_errors import HostError, InvalidSettings, ServiceError, ServiceUnreachable

PIECES = [Piece("image", IMAGE, "aW1n")]
GOOD: tuple[int, str, dict[str, str]] = (200, '{"id":"x","vector":[1,2],"dim":2}', {})


def client_of(origin: str, timeout: float = 10) -> ServiceClient:
    return ServiceClient(IMG2VEC_NEURAL, origin, timeout)


@pytest.mark.parametrize("suffix", ["", "/", "//"])
def test_a_trailing_slash_of_the_origin_does_no_harm(suffix: str) -> None:
    with fake_service(by_image({"aW1n": [1, 2]})) as service:
        client = client_of(service.origin + suffix)
        np.testing.assert_array_equal(client.vectorize(PIECES, "a")[0], np.array([1, 2], np.float32))
        assert client.is_ready() == ""
        client.close()
    assert [sent.path for sent in service.requests] == ["/vectors"]


def test_imports_say_that_others_may_go_first() -> None:
    with fake_service(by_image({"aW1n": [1, 2]})) as service:
        client = client_of(service.origin)
        client.importing().vectorize(PIECES, "a")
        client.vectorize_query(IMAGE, "aW1n")
        client.close()
    assert [sent.priority for sent in service.requests] == ["import", "query"]


def test_a_lost_answer_is_asked_for_again() -> None:
    replies = itertools.chain([(0, "", {}), (0, "", {})], itertools.repeat(GOOD))
    with fake_service(lambda _: next(replies)) as service:
        assert len(client_of(service.origin).vectorize(PIECES, "a")) == 1
    assert len(service.requests) == 3
    assert len({sent.body for sent in service.requests}) == 1


def test_busy_is_waited_for() -> None:
    replies = itertools.chain([(503, '{"error":"busy"}', {"Retry_After": "1"})], itertools.repeat(GOOD))
    with fake_service(lambda _: next(replies)) as service:
        start = time.monotonic()
        assert len(client_of(service.origin).vectorize(PIECES, "a")) == 1
    assert 0.9 < time.monotonic() - start < 5


def test_busy_for_longer_than_the_time_limit_is_an_error() -> None:
    with (
        fake_service(always(503, '{"error":"too many","code":"busy"}', Retry_After="5")) as service,
        pytest.raises(ServiceError, match="fail with status 503: too many") as caught,
    ):
        client_of(service.origin, timeout=2).vectorize(PIECES, "a")
    assert caught.value.code == "busy"
    assert len(service.requests) == 1


@pytest.mark.parametrize("header", [{"Retry_After": "²"}, {"Retry_After": "soon"}, {}])
def test_busy_without_a_time_is_an_error(header: dict[str, str]) -> None:
    with (
        fake_service(always(503, '{"error":"too many"}', **header)) as service,
        pytest.raises(ServiceError, match="too many"),
    ):
        client_of(service.origin).vectorize(PIECES, "a")


def test_an_answer_that_cannot_be_unpacked() -> None:
    with (
        fake_service(always(200, "not gzip", Content_Encoding="gzip")) as service,
        pytest.raises(ServiceError, match="failed to parse vectorization response"),
    ):
        client_of(service.origin).vectorize(PIECES, "a")


def test_the_time_limit_is_for_the_whole_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=_drip, args=(listener,))
        dripping.start()
        start = time.monotonic()
        with pytest.raises(HostError, match=r"did not answer within 0\.6 s"):
            client_of(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.6).vectorize(PIECES, "a")
        assert time.monotonic() - start < 2
        dripping.join()


def _drip(listener: socket.socket) -> None:
    """An answer that comes byte by byte, for three seconds or until nobody wants it."""
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(30):
            time.sleep(0.1)
            connection.sendall(b" ")


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_errors_are_not_asked_for_again(status: int) -> None:
    with (
        fake_service(always(status, '{"error":"no","code":"word"}')) as service,
        pytest.raises(ServiceError, match=f"fail with status {status}: no") as caught,
    ):
        client_of(service.origin).vectorize(PIECES, "a")
    assert caught.value.code == "word"
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, "<html>", r"failed to parse vectorization response \(status 200\)"),
        (502, "<html>bad gateway</html>", r"failed to parse vectorization response \(status 502\)"),
        (200, "[1]", "not a JSON object"),
        (200, '{"vector":[]}', "no vector in the answer"),
        (200, '{"vector":["a"]}', "not a list of finite numbers"),
        (200, '{"vector":[true,"2"]}', "not a list of finite numbers"),
        (200, f'{{"vector":[1{"0" * 400}]}}', "not a list of finite numbers"),
        (200, "[" * 100_000, "failed to parse"),
        (200, '{"vector":[[1],[2]]}', "not a list of finite numbers"),
        (200, '{"vector":[1,NaN]}', "not a list of finite numbers"),
        (200, '{"vector":[1e39]}', "not a list of finite numbers"),
        (307, "", r"failed to parse vectorization response \(status 307\)"),
    ],
)
def test_answers_that_are_no_vector(status: int, body: str, message: str) -> None:
    with fake_service(always(status, body)) as service, pytest.raises(ServiceError, match=message):
        client_of(service.origin).vectorize(PIECES, "a")


@pytest.mark.parametrize(
    ("probed", "fault", "message"),
    [
        (True, ServiceError, r"did not answer within 0\.3 s \(MODULES_CLIENT_TIMEOUT\)$"),
        (False, ServiceUnreachable, r"did not answer within 0\.3 s .* nor its probe .*timed out"),
    ],
)
def test_silence_is_not_asked_twice(probed: bool, fault: type[HostError], message: str) -> None:
    """A slow answer is one object's fault; a service that does not answer its probe either is gone."""

    def sleep(sent: Sent) -> tuple[int, str, dict[str, str]]:
        if sent.method == "POST" or not probed:
            time.sleep(1)
        return (204, "", {}) if sent.method == "GET" else GOOD

    with fake_service(sleep) as service:
        with pytest.raises(fault, match=message):
            client_of(service.origin, timeout=0.3).vectorize(PIECES, "a")
        assert len(service.requests) == 1


def test_nobody_there() -> None:
    client = client_of(f"http://127.0.0.1:{running.free_port()}")
    with pytest.raises(ServiceUnreachable, match=r"cannot be reached \(.*refused\); is it running\?"):
        client.vectorize(PIECES, "a")
    assert "refused" in client.is_ready()
    with pytest.raises(
        ServiceUnreachable, match=r"start it \(vecmod serve img2vec-neural\), or correct IMAGE_INFERENCE_API"
    ):
        client.wait_until_ready(0.5)


def test_waiting_for_a_service_that_starts() -> None:
    port = running.free_port()
    client = client_of(f"http://127.0.0.1:{port}")
    ready: tuple[int, str, dict[str, str]] = (204, "", {})
    replies = itertools.chain([(503, '{"error":"still loading"}', {})], itertools.repeat(ready))
    with fake_service(lambda _: next(replies), port):
        assert client.is_ready() == "status 503 (still loading)"
        client.wait_until_ready(5)


@pytest.mark.parametrize("origin", ["localhost:8080", "http://", "http://localhost:99999", "ftp://localhost", ""])
def test_an_origin_must_be_a_url(origin: str) -> None:
    with pytest.raises(InvalidSettings, match=f"IMAGE_INFERENCE_API='{origin}' is not a URL"):
        client_of(origin)


def test_dimension_of_a_real_service(service: running.Caller) -> None:
    assert client_of(service.url).dimension() == 1280
