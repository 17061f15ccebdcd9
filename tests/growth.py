"""How much memory this process, and a service in it, has taken and not given back."""

import gc
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
