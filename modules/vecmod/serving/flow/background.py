"""Threads that let others go first: what decodes and runs media, where words are answered, too."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")

# On the scale of `nice`, to 19: a ninth of the time that a thread at 0 gets where both want all of it.
_NICE = 10


def yield_to_others() -> None:
    """Lower the priority of the calling thread, and of all that it starts; on Linux, where threads have one each.

    There is no way back.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # some sandboxes forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def in_background(work: Callable[[], Result]) -> Result:
    """The result of work that is done by a thread that yields to others, and so do the threads which it leaves."""
    with ThreadPoolExecutor(1, thread_name_prefix="background", initializer=yield_to_others) as thread:
        return thread.submit(work).result()
