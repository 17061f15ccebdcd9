"""Queries and imports over HTTP, and how long either may take."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

import running
from dummy_model import DummyModel
from pictures import b64, encoded
from vecmod.contract.modality import IMAGE, TEXT
from vecmod.serving.engine.engine import Inputs
from vecmod.serving.flow.pipeline import Item
from vecmod.serving.flow.terms import Terms
from vecmod.serving.http.request_terms import TermsReader


def picture(number: int) -> str:
    """Of which the model makes ``[number, 0, 0]``."""
    return b64(encoded(Image.new("RGB", (2, 2), (number, 0, 0))))


class Held:
    """A service whose model is held with one picture in it; all others wait."""

    def __init__(self, max_wait: float = 50.0) -> None:
        self.batches: list[list[float]] = []
        self.model = DummyModel(before_run=self._note)
        self._server = running.service_of(lambda: self.model, max_wait=max_wait)

    def _note(self, items: Sequence[Inputs]) -> None:
        self.batches.append([float(item[0]) for item in items])

    @contextmanager
    def busy(self) -> Iterator[tuple[running.Caller, ThreadPoolExecutor, Future[running.Answer]]]:
        with running.in_thread(self._server) as caller, ThreadPoolExecutor(64) as callers:
            self.model.release.clear()
            first = callers.submit(caller, "POST", "/vectors", {"image": picture(0)})
            assert self.model.entered.wait(30)
            try:
                yield caller, callers, first
            finally:
                self.model.release.set()


def test_queries_go_before_imports() -> None:
    held = Held()
    with held.busy() as (caller, callers, _):
        # More than there are slots for imports, so that some of them have not even been decoded.
        imports = [
            callers.submit(caller, "POST", "/vectors", {"image": picture(number)}, X_Vecmod_Priority="import")
            for number in range(1, 41)
        ]
        running.wait_for(lambda: caller.metric('vecmod_queue_depth{modality="image"}') >= 27)
        query = callers.submit(caller, "POST", "/vectors", {"image": picture(200)}, X_Vecmod_Priority=" Query ")
        running.wait_for(lambda: caller.metric('vecmod_queue_depth{modality="image"}') >= 28)
        held.model.release.set()
        assert query.result().json()["vector"] == [200, 0, 0]
        assert [future.result().json()["vector"][0] for future in imports] == list(range(1, 41))
    assert held.batches[0] == [0]
    assert held.batches[1][0] == 200


def test_whoever_has_no_more_time_is_told_and_costs_nothing() -> None:
    held = Held()
    with held.busy() as (caller, callers, first):
        start = time.monotonic()
        late = [
            callers.submit(caller, "POST", path, body, X_Vecmod_Timeout="0.3")
            for path, body in (
                ("/vectors", {"image": picture(1)}),
                ("/vectorize", {"images": [picture(number) for number in range(2, 90)]}),
                ("/v1/embeddings", {"input": [{"image": picture(1)}]}),
            )
        ]
        answers = [future.result() for future in late]
        assert 0.3 <= time.monotonic() - start < 3
        assert [answer.status for answer in answers] == [503] * 3
        assert answers[0].json()["code"] == "busy"
        assert "X-Vecmod-Timeout" in answers[0].json()["error"]
        assert int(answers[0].headers["retry-after"]) >= 1
        assert not first.done()
        held.model.release.set()
        assert first.result().status == 200
        assert caller("POST", "/vectors", {"image": picture(9)}, X_Vecmod_Timeout="5").status == 200
    assert held.batches == [[0], [9]]


def test_nobody_waits_longer_than_the_operator_says_but_work_is_finished() -> None:
    held = Held(max_wait=0.5)
    with held.busy() as (caller, callers, first):
        start = time.monotonic()
        # Some wait in the queue, some for a slot.
        late = [callers.submit(caller, "POST", "/vectors", {"image": picture(number)}) for number in range(1, 51)]
        assert {future.result().status for future in late} == {503}
        assert time.monotonic() - start < 5
        time.sleep(0.5)
        held.model.release.set()
        # Its turn had come long before.
        assert first.result().status == 200
    assert held.batches == [[0]]


def test_waiting_for_ones_own_list_does_not_count() -> None:
    """40 pictures take five batches of 0.3 s, more than anybody may wait for others."""
    model = DummyModel(seconds=0.3)
    with running.in_thread(running.service_of(lambda: model, max_wait=1.0)) as caller:
        images = [picture(number) for number in range(40)]
        start = time.monotonic()
        vectors = caller("POST", "/vectorize", {"images": images}).json()["imageVectors"]
        assert time.monotonic() - start > 1.4
    assert [vector[0] for vector in vectors] == list(range(40))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X_Vecmod_Priority": "urgent"}, "X-Vecmod-Priority: must be query or import"),
        ({"X_Vecmod_Timeout": "soon"}, "X-Vecmod-Timeout: must be seconds, such as 2.5"),
        ({"X_Vecmod_Timeout": "0"}, "X-Vecmod-Timeout: must be seconds"),
        ({"X_Vecmod_Timeout": "-1"}, "X-Vecmod-Timeout: must be seconds"),
        ({"X_Vecmod_Timeout": "inf"}, "X-Vecmod-Timeout: must be seconds"),
        ({"X_Vecmod_Timeout": "nan"}, "X-Vecmod-Timeout: must be seconds"),
    ],
)
def test_headers_that_cannot_be_read(headers: dict[str, str], words: str) -> None:
    with running.in_thread(running.service_of(DummyModel)) as caller:
        for path, body in (("/vectors", {"image": picture(1)}), ("/v1/embeddings", {"input": [{"image": picture(1)}]})):
            answer = caller("POST", path, body, **headers)
            assert answer.status == 400
            assert words in answer.body.decode()


class Headers(dict[str, str]):
    """Stands where a request does: its headers are all that is asked of it."""

    @property
    def headers(self) -> "Headers":
        return self


def terms(items: Sequence[Item], **headers: str) -> Terms:
    given = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return TermsReader(50.0).read(given, items)  # type: ignore[arg-type]


def test_what_a_query_is() -> None:
    text, image = Item(TEXT.name, "a cat", ""), Item(IMAGE.name, "AAAA", "")
    assert [terms(items).priority for items in ([text], [text] * 8, [text] * 9, [image], [text, image])] == [
        "query",
        "query",
        "import",
        "import",
        "import",
    ]
    assert terms([Item(TEXT.name, "x" * 20_000, "")]).priority == "import"
    assert terms([image], X_Vecmod_Priority="query").priority == "query"
    assert terms([text], X_Vecmod_Priority="IMPORT").priority == "import"


def test_the_shorter_time_holds() -> None:
    assert terms([])[1:] == (50.0, None)
    assert terms([], X_Vecmod_Timeout="2.5")[1:] == (2.5, 2.5)
    assert terms([], X_Vecmod_Timeout="100")[1:] == (50.0, 100.0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_threads_for_media_let_those_for_words_go_first(cache: Path) -> None:
    def tasks() -> list[str]:
        return [path.name for path in Path("/proc/self/task").iterdir()]

    def nice() -> dict[int, int]:
        return {task: os.getpriority(os.PRIO_PROCESS, task) for task in map(int, tasks())}

    before = nice()
    with running.in_thread(running.clip(cache, VECMOD_THREADS=3)) as caller:
        assert caller("POST", "/vectorize", {"texts": ["a cat"], "images": [picture(1)]}).status == 200
        now = nice()
        mine = {thread.native_id: thread.name for thread in threading.enumerate()}
        named = {mine[task]: number for task, number in now.items() if task in mine and task not in before}
    media = {name: number for name, number in named.items() if "image" in name}
    words = {name: number for name, number in named.items() if "text" in name}
    assert set(media.values()) == {10}
    assert set(words.values()) == {0}
    assert any("batcher" in name for name in media)
    assert any("decode" in name for name in media)
    # Of each runtime's three threads one is ours, which calls it.
    others = [number for task, number in now.items() if task not in before and task not in mine]
    assert others.count(10) == 2
    assert others.count(0) >= 2
