"""Ten times what can be done: each is answered, most of what is too much at once, and no less is done than before."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image

import running
from dummy_model import DummyModel
from growth import growth_below
from pictures import b64, encoded

# Eight pictures in 0.2 s.
CAPACITY = 40


class Told(NamedTuple):
    status: int
    seconds: float
    retry_after: int


def picture(number: int) -> str:
    return b64(encoded(Image.new("RGB", (2, 2), (number % 256, number // 256 % 256, number // 65536))))


def offer(caller: running.Caller, callers: int, seconds: float, pause: float) -> list[Told]:
    """Who is refused comes again soon, whatever he is told."""
    end = time.monotonic() + seconds
    numbers = iter(range(1 << 24))
    lock = threading.Lock()

    def call(_: int) -> list[Told]:
        told = []
        while (start := time.monotonic()) < end:
            with lock:
                number = next(numbers)
            answer = caller("POST", "/vectors", {"image": picture(number)})
            told.append(Told(answer.status, time.monotonic() - start, int(answer.headers.get("retry-after", 0))))
            if answer.status == 200:
                assert answer.json()["vector"] == [number % 256, number // 256 % 256, number // 65536]
            else:
                time.sleep(pause)
        return told

    with ThreadPoolExecutor(callers) as pool:
        return [one for told in pool.map(call, range(callers)) for one in told]


def rate(told: list[Told], seconds: float) -> float:
    return sum(one.status == 200 for one in told) / seconds


def with_pace(test: Callable[[running.Caller, DummyModel], None], max_wait: float) -> None:
    model = DummyModel(seconds=0.2)
    with running.in_thread(running.service_of(lambda: model, max_wait=max_wait)) as caller:
        test(caller, model)


def test_ten_times_too_much() -> None:
    def overload(caller: running.Caller, _: DummyModel) -> None:
        peak = offer(caller, callers=24, seconds=3, pause=1)
        assert {one.status for one in peak} == {200}
        with growth_below(100):
            told = offer(caller, callers=64, seconds=5, pause=0.05)
        assert {one.status for one in told} == {200, 503}
        assert len(told) / 5 > 5 * CAPACITY
        assert rate(told, 5) > 0.8 * rate(peak, 3)
        refused = [one for one in told if one.status == 503]
        assert np.median([one.seconds for one in refused]) < 0.1
        assert {one.retry_after for one in refused} == {1}
        # Nobody was let in who then waited in vain, but for a few while the pace was being learnt.
        assert sum(one.seconds > 0.9 for one in refused) < 0.1 * len(refused)
        # What was refused was not decoded.
        decoded = caller.metric('vecmod_stage_seconds_count{stage="decode"}')
        assert decoded < 1.3 * sum(one.status == 200 for one in peak + told)
        assert caller.metric('vecmod_expected_wait_seconds{modality="image"}') == 0

    with_pace(overload, max_wait=1.0)


def test_retry_after_is_how_long_it_takes() -> None:
    def overload(caller: running.Caller, model: DummyModel) -> None:
        offer(caller, callers=32, seconds=2, pause=1)
        model.release.clear()
        with ThreadPoolExecutor(64) as callers:
            waiting = [callers.submit(caller, "POST", "/vectors", {"image": picture(n)}) for n in range(64)]
            running.wait_for(lambda: caller.metric('vecmod_expected_wait_seconds{modality="image"}') > 1.2)
            refused = caller("POST", "/vectors", {"image": picture(999)}, X_Vecmod_Timeout="0.1")
            assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (503, "busy", "2")
            assert "what waits here takes 1." in refused.json()["error"]
            assert "send it again later" in refused.json()["error"]
            model.release.set()
            assert {one.result().status for one in waiting} == {200}
        assert caller("POST", "/vectors", {"image": picture(999)}, X_Vecmod_Timeout="5").status == 200

    with_pace(overload, max_wait=50)
