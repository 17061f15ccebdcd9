"""A recording sent to two services: once to compare their answers, then in turns to compare their speed."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from vecmod.replay.compare import Reading, read_answer
from vecmod.replay.recording import Recorded, RecordedRequest, read_requests, size_now
from vecmod.replay.replay_errors import NoAnswer, NotReached, ReplayError
from vecmod.replay.report import Report
from vecmod.replay.upstream import Reply, Upstream

Given = TypeVar("Given")
Result = TypeVar("Result")

_BUSY = 503
_FAULTS = 400
_MAX_RESENDS = 5
_MAX_PAUSE = 10.0
# A turn is long enough for a batch to form and to drain, and short enough for noise to hit both sides.
_TURN_REQUESTS = 8
_TURN_BYTES = 64 << 20


class Server:
    """One of the two.

    Args:
        url: of the service.
        token: bearer token that it wants; recordings hold none.
        connections: to keep.
        seconds: that an answer may take.

    Raises:
        ReplayError: if that is not a URL.
    """

    def __init__(self, url: str, token: str | None, connections: int, seconds: float) -> None:
        self._upstream = Upstream(url, connections, seconds)
        self._headers = [("Authorization", f"Bearer {token}")] if token else []

    def refuse_unless_ready(self) -> None:
        """Raises ReplayError if the service cannot be reached or says that it is not ready; 404 is no such word."""
        status = self._upstream.send("GET", "/.well-known/ready", self._headers, None).status
        if status == _BUSY:
            raise ReplayError(f"{self._upstream.url} is not ready (status 503); wait until it is, and run this again")

    def ask(self, one: Recorded) -> Reply:
        """The answer; a service that is busy is asked again when it says so.

        Raises:
            NotReached: if the service takes no connection; says at which line.
            NoAnswer: if it does not answer this request.
        """
        try:
            return self._ask(one.request)
        except NotReached as error:
            raise NotReached(f"stopped at line {one.line}: {error}") from error

    def _ask(self, request: RecordedRequest) -> Reply:
        headers = [*request.headers(), *self._headers]
        reply = self._upstream.send("POST", request.path, headers, request.body)
        for _ in range(_MAX_RESENDS):
            pause = _retry_after(reply)
            if pause is None:
                break
            time.sleep(pause)
            reply = self._upstream.send("POST", request.path, headers, request.body)
        return reply

    def read(self, one: Recorded) -> Reading:
        """The vectors of the answer, or why there are none."""
        try:
            reply = self.ask(one)
        except NoAnswer as error:
            return Reading(0, {}, str(error))
        return read_answer(reply.status, reply.body)

    def answers(self, one: Recorded) -> bool:
        """Whether it gives an answer, unread: reading would be timed too."""
        try:
            return self.ask(one).status < _FAULTS
        except NoAnswer:
            return False

    def close(self) -> None:
        """Close all connections."""
        self._upstream.close()


@dataclass(frozen=True)
class Replay:
    """What is to be done.

    Attributes:
        path: the recording.
        old: the service that vectors were stored from.
        new: the one that is to take its place.
        concurrency: requests at once.
        threshold: cosine that every item must reach.
        repeat: how often the recording is sent for speed.
    """

    path: Path
    old: Server
    new: Server
    concurrency: int
    threshold: float
    repeat: int

    def run(self, on_sent: Callable[[int], None] = lambda _count: None) -> Report:
        """Compare and time; ``on_sent`` is told how many more requests both have answered.

        A service that goes away in the middle leaves a report of what was found until then, ``stopped``.

        Raises:
            ReplayError: if the recording holds nothing, or a service cannot be reached from the start.
        """
        # It may grow while it is read: with live traffic, or because one side is the recorder itself.
        size = size_now(self.path)
        self.old.refuse_unless_ready()
        self.new.refuse_unless_ready()
        report = Report(self.threshold)
        try:
            self._run(report, size, on_sent)
        except ReplayError as error:
            if not report.requests:
                raise
            report.stopped = str(error)
        if not report.requests:
            raise ReplayError(f"{self.path} holds no requests; record some with vecmod record")
        return report

    def _run(self, report: Report, size: int, on_sent: Callable[[int], None]) -> None:
        with ThreadPoolExecutor(self.concurrency) as pool:
            failed = self._compare(pool, report, size, on_sent)
            for _ in range(self.repeat):
                both_answered = (one for one in read_requests(self.path, size) if one.line not in failed)
                for number, turn in enumerate(_turns(both_answered, _TURN_REQUESTS * self.concurrency)):
                    self._time(pool, report, turn, new_first=bool(number % 2))
                    on_sent(len(turn))

    def _compare(self, pool: ThreadPoolExecutor, report: Report, size: int, on_sent: Callable[[int], None]) -> set[int]:
        """Lines that one side failed: a fault is quicker than a vector, and tells nothing about speed."""

        def ask_both(one: Recorded) -> "_Pair":
            return _Pair(one.line, self.old.read(one), self.new.read(one))

        failed = set()
        requests = read_requests(self.path, size, report.add_corrupt)
        for line, old, new in _in_order(pool, ask_both, requests, self.concurrency):
            report.add(line, old, new)
            on_sent(1)
            if old.fault or new.fault:
                failed.add(line)
        return failed

    def _time(self, pool: ThreadPoolExecutor, report: Report, turn: list[Recorded], *, new_first: bool) -> None:
        """One block to both; who is first changes, so that a machine that slows down hits both."""
        seconds, failed = {}, {}
        for server in (self.new, self.old) if new_first else (self.old, self.new):
            started = time.perf_counter()
            answered = list(pool.map(server.answers, turn))
            seconds[server] = time.perf_counter() - started
            failed[server] = answered.count(False)
        # Not before both have had their turn.
        report.old.timed_failed += failed[self.old]
        report.new.timed_failed += failed[self.new]
        report.add_turn(len(turn), seconds[self.old], seconds[self.new])


class _Pair(NamedTuple):
    line: int
    old: Reading
    new: Reading


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Given], Result], items: Iterable[Given], at_once: int
) -> Iterator[Result]:
    """Results in order; a few are under way, never all of them, so that a recording of any size fits into memory."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= 2 * at_once:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _turns(requests: Iterable[Recorded], count: int) -> Iterator[list[Recorded]]:
    turn: list[Recorded] = []
    size = 0
    for one in requests:
        turn.append(one)
        size += len(one.request.body)
        if len(turn) == count or size >= _TURN_BYTES:
            yield turn
            turn, size = [], 0
    if turn:
        yield turn


def _retry_after(reply: Reply) -> float | None:
    """Seconds that a busy service asks to wait, 0: none; None if it is not busy, or does not say."""
    text = next((value for name, value in reply.headers if name.lower() == "retry-after"), "")
    return min(float(text), _MAX_PAUSE) if reply.status == _BUSY and text.isascii() and text.isdecimal() else None
