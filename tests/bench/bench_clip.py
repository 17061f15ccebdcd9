"""CLIP (the sizes of ViT-B/32, random weights): 16 callers, texts, pictures and both, against one at a time.

Baseline: transformers' own model and processors in torch, without gradients, one item at a time under a lock. Ours: the
whole service in a process of its own, over HTTP. In turns.

    make bench
"""

import argparse
import json
import sys
import tempfile
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

import base64

import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

import running
import tiny_clip
from bench.side_by_side import CALLERS, Way, compare, compare_mixed, report
from pictures import SAMPLES, b64, encoded

TEXTS = [
    f"a photo of a {thing} on the {place}" for thing in ("cat", "dog", "boat", "tree") for place in ("sea", "hill")
]


def locked(folder: Path) -> tuple[Callable[[str], object], Callable[[str], object]]:
    """Text and picture to vector as lists of numbers."""
    model, tokenizer = CLIPModel.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder)
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    lock = threading.Lock()

    def text(value: str) -> object:
        with lock, torch.no_grad():
            given = tokenizer(value, return_tensors="pt")
            return model.text_projection(model.text_model(**given).pooler_output)[0].tolist()

    def image(value: str) -> object:
        with lock, torch.no_grad():
            picture = Image.open(BytesIO(base64.b64decode(value))).convert("RGB")
            pixels = processor(picture, return_tensors="pt")["pixel_values"]
            return model.visual_projection(model.vision_model(pixels).pooler_output)[0].tolist()

    return text, image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--seconds", type=float, default=8, help="length of one turn")
    options = parser.parse_args()
    photos = sorted((SAMPLES / "photos").glob("*.jpg"))[:8]
    images = [b64(encoded(Image.open(file).convert("RGB").resize((640, 480)), "JPEG")) for file in photos]
    with tempfile.TemporaryDirectory() as place:
        folder = tiny_clip.write_as(CLIPConfig(), Path(place) / "clip", side=224, matrices=0.02)
        locked_text, locked_image = locked(folder)
        started = running.process(
            Path(place), running.free_port(), "multi2vec_clip", MODEL_NAME="", VECMOD_MODEL_PATH=folder
        )
        with started as (caller, process):

            def post(key: str) -> Callable[[str], object]:
                def call(value: str) -> object:
                    answer = caller("POST", "/vectorize", json.dumps({key: [value]}).encode())
                    assert answer.status == 200
                    return answer.body

                return call

            print(f"CLIP ViT-B/32 fp32, {CALLERS} callers, {psutil.cpu_count()} cores")
            for unit, items, call in (("text", TEXTS, locked_text), ("image", images, locked_image)):
                ways = [
                    Way("one at a time under a lock, torch", call, psutil.Process()),
                    Way("multi2vec-clip, onnx, over HTTP", post(f"{unit}s"), psutil.Process(process.pid)),
                ]
                report(ways, compare(ways, items, options.rounds, options.seconds), unit)
            print("  half of the callers with texts, half with pictures, at the same time:")
            mixed = [
                ("one at a time under a lock, torch", {"text": (locked_text, TEXTS), "image": (locked_image, images)}),
                (
                    "multi2vec-clip, onnx, over HTTP",
                    {"text": (post("texts"), TEXTS), "image": (post("images"), images)},
                ),
            ]
            compare_mixed(mixed, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
