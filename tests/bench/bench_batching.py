"""Batching across requests against one picture at a time under a lock, on the same weights, load and machine.

Baseline: what the official container does for each request, without its HTTP: base64, decode, resize and a torch
forward pass of one picture, all under one lock. Ours: the whole service in a process of its own, over HTTP.
Both get 16 concurrent callers with one 640x480 JPEG each, in turns.

    make bench
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

import running
import seeded_resnet50
from img2vec_neural.resnet50 import resnet50
from pictures import b64, encoded
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.image import ImageLimits
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.weights import WeightsPlace

CALLERS = 16
NAMES = ("cat", "coffee", "rocket", "temple", "lime", "peach", "melon", "arches")


@dataclass
class Score:
    images: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    def rate(self) -> float:
        return self.images / self.seconds

    def cpu_ms(self) -> float:
        return 1000 * self.cpu / self.images


def load(call: Callable[[str], object], images: list[str], seconds: float) -> tuple[int, float]:
    """How many calls 16 callers finish, and in what time."""
    end = time.perf_counter() + seconds
    start = time.perf_counter()

    def caller(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            call(images[(first + done) % len(images)])
            done += 1
        return done

    with ThreadPoolExecutor(CALLERS) as callers:
        done = sum(callers.map(caller, range(CALLERS)))
    return done, time.perf_counter() - start


def measure(
    score: Score, process: psutil.Process, call: Callable[[str], object], images: list[str], seconds: float
) -> None:
    before = process.cpu_times()
    images_done, took = load(call, images, seconds)
    after = process.cpu_times()
    score.images += images_done
    score.seconds += took
    score.cpu += after.user + after.system - before.user - before.system


def locked_torch(weights: Path, cache: Path) -> Callable[[str], object]:
    choice = EngineChoice("torch", "cpu", psutil.cpu_count() or 1, cache)
    recipe = resnet50(WeightsPlace(weights, cache, offline=True))
    model = GraphModel(recipe, lambda tower: load_engine(tower.network, choice), None)
    decoder = Decoder(ImageLimits(10**8, 200))
    lock = threading.Lock()

    def call(text: str) -> object:
        with lock, decoder.decode("image", text) as image:
            return model.embed("image", [model.prepare("image", image).content])[0].tolist()

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--seconds", type=float, default=8, help="length of one turn")
    options = parser.parse_args()
    images = [b64(encoded(Image.open(_file(name)).convert("RGB").resize((640, 480)), "JPEG")) for name in NAMES]
    baseline, ours = Score(), Score()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        weights = seeded_resnet50.write(cache / "seeded.safetensors")
        locked = locked_torch(weights, cache)
        variables = {"MODEL_NAME": "resnet50", "VECMOD_MODEL_PATH": weights}
        with running.process(cache, running.free_port(), **variables) as (caller, process):

            def post(text: str) -> object:
                answer = caller("POST", "/vectors", json.dumps({"id": "1", "image": text}).encode())
                assert answer.status == 200
                return answer.body

            load(locked, images, 1)
            load(post, images, 1)
            for _ in range(options.rounds):
                measure(baseline, psutil.Process(), locked, images, options.seconds)
                measure(ours, psutil.Process(process.pid), post, images, options.seconds)
            batches = caller.metric('vecmod_batch_size_count{modality="image"}')
            mean_batch = caller.metric('vecmod_batch_size_sum{modality="image"}') / batches
    report(baseline, ours, mean_batch)


def report(baseline: Score, ours: Score, mean_batch: float) -> None:
    print(f"ResNet50 fp32, {CALLERS} callers, one 640x480 JPEG each, {psutil.cpu_count()} cores")
    print(
        f"  one at a time under a lock, torch  {baseline.rate():6.1f} images/s  {baseline.cpu_ms():6.1f} CPU ms/image"
    )
    print(f"  img2vec-neural, onnx, over HTTP    {ours.rate():6.1f} images/s  {ours.cpu_ms():6.1f} CPU ms/image")
    print(f"  throughput ratio {ours.rate() / baseline.rate():.2f}, mean batch size {mean_batch:.1f}")


def _file(name: str) -> Path:
    return Path(__file__).parents[2] / "modules/vecmod/samples/photos" / f"{name}.jpg"


if __name__ == "__main__":
    main()
