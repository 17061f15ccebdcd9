"""ImageBind (small and of ViT-B's sizes, random weights): 16 callers of each modality, against one at a time.

Baseline: `baseline_server.py`, which works as the official container does; both over HTTP, each a process of its own,
in turns. One item in a request, as Weaviate sends them.

    .venv/bin/python tests/bench/bench_bind.py
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

import random_imagebind
import running
from bench import loads
from bench.side_by_side import CALLERS, Way, compare, report
from bind_golden import raw

TINY = "tiny"
SIZES = (TINY, "base")
_ITEMS = 256


def items() -> dict[str, list[str]]:
    """By the name of the list: what is sent."""
    photos = loads.photos(_ITEMS, (400, 300))
    chirps = [raw("audio", name) for name in ("chirp_16k_mono_5s.wav", "chirp_44k1_stereo_2s6.wav")]
    films = [raw("video", name) for name in ("landscape_320x240_15fps_3s.mp4", "vfr_240x180_9s.mp4")]
    return {
        "texts": loads.texts(),
        "images": photos,
        "audio": loads.sounds(chirps, _ITEMS),
        "video": loads.films(films, _ITEMS),
        "imu": loads.tables([raw("imu", name) for name in ("imu_1500.csv", "imu_2000.csv")], _ITEMS),
        "thermal": photos,
        "depth": photos,
    }


def baseline(cache: Path, model: Path) -> AbstractContextManager[running.Started]:
    port = running.free_port()
    script = str(Path(__file__).with_name("baseline_server.py"))
    given = {"VECMOD_CACHE_DIR": cache, "VECMOD_MODEL_PATH": model, "VECMOD_OFFLINE": 1}
    return running.command([sys.executable, script, running.BIND, str(port)], port, given)


def posting(caller: running.Caller, key: str) -> Callable[[str], object]:
    def call(value: str) -> object:
        answer = caller("POST", "/vectorize", json.dumps({key: [value]}).encode())
        assert answer.status == 200, answer.body
        return answer.body

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", choices=SIZES, action="append", help="of the model; default: both")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--seconds", type=float, default=5, help="length of one turn")
    options = parser.parse_args()
    for size in options.size or SIZES:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            model = (
                running.TINY_IMAGEBIND if size == TINY else random_imagebind.write(random_imagebind.BASE, folder / "m")
            )
            bind = running.process(
                folder, running.free_port(), "multi2vec_bind", MODEL_NAME="", VECMOD_MODEL_PATH=model
            )
            with baseline(folder, model) as (theirs, official), bind as (ours, process):
                print(f"ImageBind, {size}, fp32, {CALLERS} callers, {psutil.cpu_count()} cores")
                for key, values in items().items():
                    ways = [
                        Way("one request at a time, torch", posting(theirs, key), psutil.Process(official.pid)),
                        Way("multi2vec-bind, onnx", posting(ours, key), psutil.Process(process.pid)),
                    ]
                    print(key)
                    report(ways, compare(ways, values, options.rounds, options.seconds), "item")


if __name__ == "__main__":
    main()
