"""How much memory a process has taken: at the most, and what it has not given back."""

import gc
import threading
from collections.abc import Iterator
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
