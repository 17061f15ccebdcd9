"""Queries under an overload of imports: how long texts take alone, and while 16 callers send pictures.

multi2vec-clip with its built-in model in a process of its own; the callers with pictures in another one, which has the
lowest priority, as in life they are on other machines.

    .venv/bin/python tests/bench/bench_priority.py
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import psutil

import running
from bench import loads
from bench.side_by_side import CALLERS, load

_PAUSE = 0.02
_PHOTOS = 64


def texts(caller: running.Caller, seconds: float) -> list[float]:
    """Seconds that each of many queries took, one after the other."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        body = json.dumps({"texts": [f"a photo of {len(took)} cats on the sofa at {time.time_ns()}"]}).encode()
        start = time.perf_counter()
        assert caller("POST", "/vectorize", body).status == 200
        took.append(time.perf_counter() - start)
        time.sleep(_PAUSE)
    return took


def pictures(url: str, seconds: float, rates: "multiprocessing.Queue[float]") -> None:
    """As many pictures as the service takes from 16 callers."""
    os.nice(19)
    caller = running.Caller(url)
    bodies = [json.dumps({"images": [image]}) for image in loads.photos(_PHOTOS, (640, 480))]

    def post(body: str) -> None:
        assert caller("POST", "/vectorize", body.encode()).status == 200

    done, took = load(post, bodies, seconds)
    rates.put(len(done) / took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--seconds", type=float, default=10, help="length of one turn")
    options = parser.parse_args()
    idle: list[float] = []
    loaded: list[float] = []
    rates: multiprocessing.Queue[float] = multiprocessing.Queue()
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        started = running.process(Path(folder), running.free_port(), "multi2vec_clip", MODEL_NAME=running.CONSE)
        with started as (caller, _):
            texts(caller, 2)
            for _ in range(options.rounds):
                idle += texts(caller, options.seconds)
                senders = multiprocessing.Process(target=pictures, args=(caller.url, options.seconds + 3, rates))
                senders.start()
                time.sleep(2)
                loaded += texts(caller, options.seconds)
                total += rates.get()
                senders.join()
    print(f"builtin/conse-en, a text at a time, {psutil.cpu_count()} cores")
    for name, took in (("nothing else", idle), (f"{CALLERS} callers with pictures", loaded)):
        p50, p99 = 1000 * np.percentile(took, [50, 99])
        print(f"  {name:28}p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   of {len(took)}")
    ratio = np.percentile(loaded, 99) / np.percentile(idle, 99)
    print(f"  p99 ratio {ratio:.2f}; {total / options.rounds:.1f} images/s meanwhile")


if __name__ == "__main__":
    main()
