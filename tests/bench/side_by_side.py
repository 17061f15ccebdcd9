"""What benchmarks share: two or more ways of doing the same, measured in turns under the same load."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

CALLERS = 16
# Resets the peak of a process's memory, which Linux keeps.
_FORGET_PEAK = "5"


class Way(NamedTuple):
    """One way of doing it: what is called for each item, and the process whose CPU time and memory it costs."""

    name: str
    call: Callable[[str], object]
    process: psutil.Process


@dataclass
class Score:
    """What one way did, in all turns: latencies in seconds, CPU time, and the highest peak of memory in bytes."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0

    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def cpu_ms(self) -> float:
        return 1000 * self.cpu / len(self.latencies)

    def percentile_ms(self, percent: float) -> float:
        return float(1000 * np.percentile(self.latencies, percent))

    def as_json(self) -> dict[str, float]:
        return {
            "items_per_second": round(self.rate(), 2),
            "p50_ms": round(self.percentile_ms(50), 1),
            "p99_ms": round(self.percentile_ms(99), 1),
            "cpu_ms_per_item": round(self.cpu_ms(), 2),
            "peak_mb": round(self.peak / 1e6),
        }


def load(
    call: Callable[[str], object], items: Sequence[str], seconds: float, count: int = CALLERS
) -> tuple[list[float], float]:
    """How long each call took, of so many callers, one after the other each; and how long it took in all."""
    start = time.perf_counter()
    end = start + seconds

    def caller(first: int) -> list[float]:
        took = []
        # Apart from each other, so that no two ask for the same at the same time.
        place = first * len(items) // count
        while (began := time.perf_counter()) < end:
            call(items[place % len(items)])
            took.append(time.perf_counter() - began)
            place += 1
        return took

    with ThreadPoolExecutor(count) as callers:
        latencies = [one for took in callers.map(caller, range(count)) for one in took]
    return latencies, time.perf_counter() - start


def compare(
    ways: Sequence[Way], items: Sequence[str], rounds: int, seconds: float, count: int = CALLERS
) -> list[Score]:
    """The scores of the ways, measured in turns after a second of warming up each."""
    scores = [Score() for _ in ways]
    for way in ways:
        load(way.call, items, 1, count)
    for _ in range(rounds):
        for score, way in zip(scores, ways, strict=True):
            turn(score, way, items, seconds, count)
    return scores


def turn(score: Score, way: Way, items: Sequence[str], seconds: float, count: int) -> None:
    """One turn of one way, added to its score."""
    Path(f"/proc/{way.process.pid}/clear_refs").write_text(_FORGET_PEAK)
    before = way.process.cpu_times()
    latencies, took = load(way.call, items, seconds, count)
    after = way.process.cpu_times()
    score.latencies += latencies
    score.seconds += took
    score.cpu += after.user + after.system - before.user - before.system
    score.peak = max(score.peak, _peak(way.process.pid))


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def report(ways: Sequence[Way], scores: Sequence[Score], unit: str) -> None:
    for way, score in zip(ways, scores, strict=True):
        print(
            f"  {way.name:36}{score.rate():7.1f} {unit}s/s {score.cpu_ms():7.1f} CPU ms/{unit}"
            f"   p50 {score.percentile_ms(50):6.0f} ms   p99 {score.percentile_ms(99):6.0f} ms"
            f"   {score.peak / 1e6:5.0f} MB   x {score.rate() / scores[0].rate():.2f}",
            flush=True,
        )
