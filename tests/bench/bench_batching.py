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
from collections.abc import Callable
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

import running
import seeded_resnet50
from bench.side_by_side import CALLERS, Way, compare, report
from img2vec_neural.resnet50 import resnet50
from pictures import b64, encoded
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.media.decode import Decoder
from vecmod.serving.media.limits import MediaLimits
from vecmod.serving.medium import Kind
from vecmod.serving.model.graph_model import GraphModel
from vecmod.serving.model.weights import WeightsPlace

NAMES = ("cat", "coffee", "rocket", "temple", "lime", "peach", "melon", "arches")


def locked_torch(weights: Path, cache: Path) -> Callable[[str], object]:
    choice = EngineChoice("torch", "cpu", psutil.cpu_count() or 1, cache)
    recipe = resnet50(WeightsPlace(weights, cache, offline=True))
    model = GraphModel(recipe, lambda network: load_engine(network, choice), None)
    decoder = Decoder(MediaLimits(), [Kind.COLOUR])
    lock = threading.Lock()

    def call(text: str) -> object:
        with lock, decoder.open(Kind.COLOUR, text).decode() as image:
            return model.embed("image", [model.prepare("image", image).content])[0].tolist()

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--seconds", type=float, default=8, help="length of one turn")
    options = parser.parse_args()
    images = [b64(encoded(Image.open(_file(name)).convert("RGB").resize((640, 480)), "JPEG")) for name in NAMES]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        weights = seeded_resnet50.write(cache / "seeded.safetensors")
        port = running.free_port()
        with running.process(cache, port, MODEL_NAME="resnet50", VECMOD_MODEL_PATH=weights) as (caller, process):

            def post(text: str) -> object:
                answer = caller("POST", "/vectors", json.dumps({"id": "1", "image": text}).encode())
                assert answer.status == 200
                return answer.body

            ways = [
                Way("one at a time under a lock, torch", locked_torch(weights, cache), psutil.Process()),
                Way("img2vec-neural, onnx, over HTTP", post, psutil.Process(process.pid)),
            ]
            scores = compare(ways, images, options.rounds, options.seconds)
            batches = caller.metric('vecmod_batch_size_count{modality="image"}')
            mean_batch = caller.metric('vecmod_batch_size_sum{modality="image"}') / batches
    print(f"ResNet50 fp32, {CALLERS} callers, one 640x480 JPEG each, {psutil.cpu_count()} cores")
    report(ways, scores, "image")
    print(f"  mean batch size {mean_batch:.1f}")


def _file(name: str) -> Path:
    return Path(__file__).parents[2] / "modules/vecmod/samples/photos" / f"{name}.jpg"


if __name__ == "__main__":
    main()
