"""What benchmarks share: two ways of doing the same, measured in turns under the same load."""

import time
from collections.abc import Callable, Mapping, Sequence
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


def load(
    call: Callable[[str], object], items: Sequence[str], seconds: float, count: int = CALLERS
) -> tuple[int, float]:
    """How many calls so many callers finish, and in what time."""
    end = time.perf_counter() + seconds
    start = time.perf_counter()

    def caller(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            call(items[(first + done) % len(items)])
            done += 1
        return done

    with ThreadPoolExecutor(count) as callers:
        done = sum(callers.map(caller, range(count)))
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


def compare_mixed(
    ways: Sequence[tuple[str, Mapping[str, tuple[Callable[[str], object], Sequence[str]]]]], rounds: int, seconds: float
) -> None:
    """Half of the callers do one thing, half the other, at the same time; rates of each, in turns, printed."""
    totals = [dict.fromkeys(jobs, 0.0) for _, jobs in ways]
    for _ in range(rounds):
        for total, (_, jobs) in zip(totals, ways, strict=True):
            with ThreadPoolExecutor(len(jobs)) as kinds:
                loads = {
                    kind: kinds.submit(load, call, items, seconds, CALLERS // len(jobs))
                    for kind, (call, items) in jobs.items()
                }
            for kind, running in loads.items():
                done, took = running.result()
                total[kind] += done / took / rounds
    for total, (name, _) in zip(totals, ways, strict=True):
        print(f"  {name:36}" + "".join(f"{rate:7.1f} {kind}s/s" for kind, rate in total.items()))
    print(
        "  throughput ratios   " + ", ".join(f"{kind} {totals[-1][kind] / totals[0][kind]:.2f}" for kind in totals[0])
    )
