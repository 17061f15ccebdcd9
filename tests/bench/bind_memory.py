"""What each tower of ImageBind costs in its published size: weights, memory, time to start; random weights, no test.

.venv/bin/python tests/bench/bind_memory.py
"""

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

import random_imagebind
import running
from multi2vec_bind.imagebind_config import HUGE

# Our modalities, and the authors' names of their encoders.
TOWERS = {
    "image,video": ["vision"],
    "text": ["text"],
    "audio": ["audio"],
    "thermal": ["thermal"],
    "depth": ["depth"],
    "imu": ["imu"],
    "": list(HUGE.trunks()),
}
MB = 1e6


def start(folder: Path, model: Path, towers: str) -> tuple[float, float, float]:
    """Megabytes at the peak of a start, which runs a full batch, and once it is ready; and how many seconds it took."""
    port = running.free_port()
    began = time.monotonic()
    peak = 0
    variables = {
        "MODEL_NAME": "",
        "VECMOD_MODEL_PATH": model,
        "VECMOD_TOWERS": towers,
        "MALLOC_MMAP_THRESHOLD_": 4194304,
    }
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            for child in psutil.Process().children():
                peak = max(peak, child.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with running.process(folder, port, "multi2vec_bind", **variables) as (_, process):
            took = time.monotonic() - began
            resident = psutil.Process(process.pid).memory_info().rss
    finally:
        done.set()
        watching.join()
    return peak / MB, resident / MB, took


def main() -> None:
    print(
        f"{'towers':22}{'weights':>10}{'first start: peak':>19}{'s':>7}{'later: peak':>13}{'ready':>9}{'s':>7}   (MB)"
    )
    for towers, encoders in TOWERS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            model = random_imagebind.write(HUGE, folder / "model", encoders)
            size = sum(file.stat().st_size for file in model.iterdir()) / MB
            first = start(folder / "cache", model, towers)
            later = start(folder / "cache", model, towers)
            shutil.rmtree(model)
        print(
            f"{towers or 'all':22}{size:10.0f}{first[0]:19.0f}{first[2]:7.1f}",
            f"{later[0]:12.0f}{later[1]:9.0f}{later[2]:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
