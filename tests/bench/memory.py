"""Peak memory of a service that is sent the largest of everything at once, with default limits: no test, a table."""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
import running
from films import film
from hostile_media import gif_of
from pictures import b64
from sounds import silence, wav

SIDE = 13_000  # 169 megapixels, just below the limit
CALLERS = 4
MODELS: dict[str, dict[str, object]] = {
    "multi2vec_clip": {"MODEL_NAME": running.CONSE},
    # Small, with ImageBind's preprocessing.
    "multi2vec_bind": {"MODEL_NAME": "imagebind_huge", "VECMOD_MODEL_PATH": running.TINY_IMAGEBIND},
}


def picture(kind: str, side: int = SIDE, mode: str = "RGB", **options: Any) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (side, side), (9, 100, 30)).convert(mode).save(buffer, kind, **options)
    return json.dumps({"images": [b64(buffer.getvalue())]}).encode()


def media(key: str, data: bytes) -> bytes:
    return json.dumps({key: [b64(data)]}).encode()


def peak_of(body: bytes, package: str) -> tuple[int, int, int]:
    """Resident bytes before, at the peak, and one second after the answers."""
    with (
        tempfile.TemporaryDirectory() as cache,
        running.process(Path(cache), running.free_port(), package, **MODELS[package]) as (caller, process),
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        watched = psutil.Process(process.pid)
        sizes = [watched.memory_info().rss]
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.01):
                sizes.append(watched.memory_info().rss)

        watching = threading.Thread(target=watch)
        watching.start()
        list(callers.map(lambda _: caller("POST", "/vectorize", body), range(CALLERS)))
        time.sleep(1)
        done.set()
        watching.join()
        return sizes[0], max(sizes), sizes[-1]


def main() -> None:
    cases: dict[str, Callable[[], bytes]] = {
        "text, 100 MB": lambda: json.dumps({"texts": ["hello, " * 14_000_000]}).encode(),
        "no picture, 120 MB": lambda: json.dumps({"images": ["A" * 120_000_000]}).encode(),
        "PNG": lambda: picture("PNG"),
        "JPEG, progressive": lambda: picture("JPEG", progressive=True, subsampling=0),
        "WebP": lambda: picture("WEBP", quality=10, method=0),
        # The encoder takes no larger one here.
        "JPEG 2000, 9000x9000": lambda: picture(
            "JPEG2000", 9000, "RGBA", quality_mode="rates", quality_layers=[400], num_resolutions=3
        ),
    }
    bind: dict[str, Callable[[], bytes]] = {
        "WAV, 96 MB": lambda: media("audio", wav(bytes(96_000_000), rate=80_000, channels=2)),
        "FLAC, 66 million samples": lambda: media("audio", silence(590, 55_000)),
        "GIF, 4096x2304": lambda: media("video", gif_of(4096, 2304, 60)),
        "H.264, 4096x2304": lambda: media("video", film(30, 10, size=(4096, 2304), key=30)),
        "CSV, 199,000 lines": lambda: media("imu", b"names\n" + b"0.123456,1.2,3.4,5.6,7.8,9.0\n" * 199_000),
    }
    print(f"{CALLERS} callers at once; pictures of {SIDE}x{SIDE} pixels unless said; MiB")
    for package, of_package in (("multi2vec_clip", cases), ("multi2vec_bind", bind)):
        for name, body in of_package.items():
            if sys.argv[1:] and not name.startswith(sys.argv[1]):
                continue
            before, peak, after = (size >> 20 for size in peak_of(body(), package))
            print(f"{name:24} before {before:5} peak {peak:5} after {after:5}", flush=True)


if __name__ == "__main__":
    main()
