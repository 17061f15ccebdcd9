"""How far a fault reaches: to the input that causes it, not to others; and to the process only if the model is lost."""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

import running
from dummy_model import DummyModel
from pictures import b64, encoded
from vecmod.serving.engine.engine import Inputs


def picture(number: int) -> str:
    return b64(encoded(Image.new("RGB", (2, 2), (number, 0, 0))))


def test_an_input_that_failed_is_not_tried_again() -> None:
    def fail_on_13(items: Sequence[Inputs]) -> None:
        if any(item[0] == 13 for item in items):
            raise RuntimeError("out of luck")

    model = DummyModel(before_run=fail_on_13)
    with running.in_thread(running.service_of(lambda: model)) as caller:
        caller.vector(picture(1))
        first = caller("POST", "/vectors", {"image": picture(13)})
        runs = caller.metric('vecmod_stage_seconds_count{stage="decode"}')
        again = caller("POST", "/vectors", {"image": f"data:image/png;base64,{picture(13)}"})
        assert (first.status, first.json()["code"]) == (500, "engine_fault")
        assert (again.status, again.json()) == (first.status, first.json())
        assert caller.metric('vecmod_stage_seconds_count{stage="decode"}') == runs
        assert caller.metric('vecmod_vector_lookups_total{result="quarantined"}') == 1
        assert caller.vector(picture(14)) == [14, 0, 0]


def test_a_batch_that_memory_does_not_suffice_for() -> None:
    def fail_on_many(items: Sequence[Inputs]) -> None:
        if len(items) > 2:
            raise RuntimeError("bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 8")

    model = DummyModel(seconds=0.01, before_run=fail_on_many)
    with running.in_thread(running.service_of(lambda: model)) as caller, ThreadPoolExecutor(16) as callers:
        assert caller.metric('vecmod_batch_limit{modality="image"}') == 8
        vectors = list(callers.map(lambda number: caller.vector(picture(number)), range(100)))
        assert [vector[0] for vector in vectors] == list(range(100))
        assert caller.metric('vecmod_batch_limit{modality="image"}') in (1, 2)


def test_a_model_that_is_lost_takes_the_process_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecmod.serving.http.lifecycle._GRACE", 0.1)
    model = DummyModel()
    server = running.service_of(lambda: model, drain=(1.5, 20), run_timeout=0.5)
    with running.in_thread(server) as caller, ThreadPoolExecutor(16) as callers:
        model.release.clear()
        lost = callers.submit(caller, "POST", "/vectors", {"image": picture(0)})
        assert model.entered.wait(30)
        start = time.monotonic()
        waiting = [callers.submit(caller, "POST", "/vectors", {"image": picture(number)}) for number in range(1, 5)]
        assert (lost.result().status, lost.result().json()["code"]) == (500, "engine_fault")
        assert "image: the model has not come back for 1 s (VECMOD_RUN_TIMEOUT)" in lost.result().json()["error"]
        assert {(one.result().status, one.result().json()["code"]) for one in waiting} == {(503, "not_ready")}
        assert 0.5 < time.monotonic() - start < 5
        ready = caller("GET", "/.well-known/ready")
        assert ready.status == 503
        assert "the model has not come back" in ready.json()["error"]
        assert caller("POST", "/vectors", {"image": picture(9)}).status == 503
        assert caller("GET", "/meta").json()["state"] == "failed"
        running.wait_for(lambda: server.should_exit)
        model.release.set()


def test_a_model_that_takes_its_time_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a process that was stopped goes on: the run is old at once, but comes back soon."""
    monkeypatch.setattr("vecmod.serving.http.lifecycle._GRACE", 1.0)
    model = DummyModel(seconds=0.7)
    with running.in_thread(running.service_of(lambda: model, run_timeout=0.3)) as caller:
        for number in range(5):
            assert caller.vector(picture(number)) == [number, 0, 0]
        assert caller("GET", "/.well-known/ready").status == 204


HANGING = """
import threading, sys
sys.path.insert(0, {tests!r})
import running
from dummy_model import DummyModel
from vecmod.serving.run import _leave

model = DummyModel(before_run=lambda items: items[0][0] == 13 and threading.Event().wait())
server = running.service_of(lambda: model, drain=(0.2, 20), run_timeout=0.5)
server.config.port = {port}
sys.exit(_leave(server, server.serve_until_stopped()))
"""


def test_the_exit_code_tells_the_supervisor(tmp_path: Path) -> None:
    port = running.free_port()
    script = tmp_path / "hanging.py"
    script.write_text(HANGING.format(tests=str(Path(__file__).parents[1]), port=port))
    with running.command([sys.executable, str(script)], port, {}) as (caller, process):
        assert caller.vector(picture(1)) == [1, 0, 0]
        assert caller("POST", "/vectors", {"image": picture(13)}).status == 500
        assert process.wait(20) == 1
