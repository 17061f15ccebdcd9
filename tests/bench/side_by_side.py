"""What benchmarks share: two ways of doing the same, measured in turns under the same load."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import psutil

CALLERS = 16


@dataclass
class Score:
    items: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    def rate(self) -> float:
        return self.items / self.seconds

    def cpu_ms(self) -> float:
        return 1000 * self.cpu / self.items


class Way(NamedTuple):
    """One way of doing it: what is called for each item, and the process whose CPU time it costs."""

    name: str
    call: Callable[[str], object]
    process: psutil.Process


def load(call: Callable[[str], object], items: Sequence[str], seconds: float) -> tuple[int, float]:
    """How many calls 16 callers finish, and in what time."""
    end = time.perf_counter() + seconds
    start = time.perf_counter()

    def caller(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            call(items[(first + done) % len(items)])
            done += 1
        return done

    with ThreadPoolExecutor(CALLERS) as callers:
        done = sum(callers.map(caller, range(CALLERS)))
    return done, time.perf_counter() - start


def compare(ways: Sequence[Way], items: Sequence[str], rounds: int, seconds: float) -> list[Score]:
    """The scores of the ways, measured in turns after a second of warming up each."""
    scores = [Score() for _ in ways]
    for way in ways:
        load(way.call, items, 1)
    for _ in range(rounds):
        for score, way in zip(scores, ways, strict=True):
            before = way.process.cpu_times()
            done, took = load(way.call, items, seconds)
            after = way.process.cpu_times()
            score.items += done
            score.seconds += took
            score.cpu += after.user + after.system - before.user - before.system
    return scores


def report(ways: Sequence[Way], scores: Sequence[Score], unit: str) -> None:
    for way, score in zip(ways, scores, strict=True):
        print(f"  {way.name:36}{score.rate():7.1f} {unit}s/s {score.cpu_ms():7.1f} CPU ms/{unit}")
    print(f"  throughput ratio {scores[-1].rate() / scores[0].rate():.2f}")
