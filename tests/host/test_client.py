"""One service over HTTP: what is sent again, what is not, and what is said when it fails."""

import itertools
import time

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
        (200, '{"vector":["a"]}', "not a list of numbers"),
        (200, '{"vector":[[1],[2]]}', "not a list of finite numbers"),
        (200, '{"vector":[1,NaN]}', "not a list of finite numbers"),
        (200, '{"vector":[1e39]}', "not a list of finite numbers"),
        (307, "", r"failed to parse vectorization response \(status 307\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # 1e39 on its way to float32 infinity
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


def test_an_origin_must_be_a_url() -> None:
    with pytest.raises(InvalidSettings, match="IMAGE_INFERENCE_API='localhost:8080' is not a URL"):
        client_of("localhost:8080")


def test_dimension_of_a_real_service(service: running.Caller) -> None:
    assert client_of(service.url).dimension() == 1280
