"""What a process has taken from others: memory, at the most and for good, and turns of this process's threads."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def growth_below(megabytes: int) -> Iterator[None]:
    """Without Python's cycle collector, which would come to the rescue at a time of its own."""
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    gc.disable()
    try:
        yield
        grown = (process.memory_info().rss - before) >> 20
    finally:
        gc.enable()
    assert grown < megabytes


@contextmanager
def peak_below(megabytes: int, pid: int | None = None) -> Iterator[None]:
    """Of this process, or another: looked at all the time."""
    process = psutil.Process(pid)
    sizes = [process.memory_info().rss]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            sizes.append(process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()
    assert (max(sizes) - sizes[0]) >> 20 < megabytes


def longest_turn(work: Callable[[], object]) -> float:
    """The longest part of its time for which ``work`` lets no other thread run: 1 is all of it."""
    times: list[float] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            times.append(time.perf_counter())
            time.sleep(0.001)

    looking = threading.Thread(target=look)
    looking.start()
    time.sleep(0.01)
    start = time.perf_counter()
    work()
    taken = time.perf_counter() - start
    done.set()
    looking.join()
    return max(later - earlier for earlier, later in zip(times, [*times[1:], start + taken], strict=True)) / taken
