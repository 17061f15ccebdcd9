"""img2vec-neural and multi2vec-clip against the official way: throughput, latency, CPU, memory and start.

Baseline: `baseline_server.py`, which works as the official containers do. Ours: the services, in each engine and
precision. All over HTTP, each a process of its own, in turns under the same load: one item in a request, as Weaviate
sends them, from 1 to 64 callers. Weights are random (ResNet50, the sizes of CLIP ViT-B/32) but for the built-in models.

    make bench
    .venv/bin/python tests/bench/bench_services.py --model resnet50 --callers 16
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from transformers import CLIPConfig

import running
import seeded_resnet50
import tiny_clip
from bench import loads
from bench.side_by_side import Score, Way, compare, report

PHOTOS = 192
LARGE = 48
# Name of a way -> variables; the first is the yardstick.
BASELINE = "official way, torch"
WAYS: dict[str, dict[str, object]] = {
    BASELINE: {},
    "fp32": {},
    "fp32, openvino": {"VECMOD_ENGINE": "openvino"},
    "int8": {"VECMOD_PRECISION": "int8"},
}


class Bench(NamedTuple):
    """A model, its service, where its weights are, and which ways are worth trying."""

    service: str
    variables: Mapping[str, object]
    lists: Sequence[str]
    ways: Sequence[str]


def benches(folder: Path) -> dict[str, Bench]:
    return {
        "resnet50": Bench(
            running.IMG2VEC,
            {"MODEL_NAME": "resnet50", "VECMOD_MODEL_PATH": folder / "resnet50.safetensors"},
            ("images", "large images"),
            list(WAYS),
        ),
        "clip": Bench(
            running.CLIP,
            {"MODEL_NAME": "", "VECMOD_MODEL_PATH": folder / "clip"},
            ("images", "texts", "both"),
            list(WAYS),
        ),
        "efficientnet-lite0": Bench(running.IMG2VEC, {"MODEL_NAME": running.BUILTIN}, ("images",), list(WAYS)[:3]),
        "conse-en": Bench(running.CLIP, {"MODEL_NAME": running.CONSE}, ("images", "texts"), list(WAYS)[:3]),
    }


def write_weights(folder: Path, model: str) -> None:
    if model == "resnet50":
        seeded_resnet50.write(folder / "resnet50.safetensors")
    if model == "clip":
        tiny_clip.write_as(CLIPConfig(), folder / "clip", side=224, matrices=0.02)


@contextmanager
def started(bench: Bench, way: str, cache: Path) -> Iterator[tuple[running.Caller, psutil.Process]]:
    port = running.free_port()
    variables = {"VECMOD_CACHE_DIR": cache, "VECMOD_OFFLINE": 1, **bench.variables, **WAYS[way]}
    if way == BASELINE:
        script = str(Path(__file__).with_name("baseline_server.py"))
        command = [sys.executable, script, bench.service, str(port)]
    else:
        variables["VECMOD_VECTOR_CACHE_MB"] = 0
        command = [sys.executable, "-m", bench.service.replace("-", "_")]
    with running.command(command, port, variables) as (caller, process):
        yield caller, psutil.Process(process.pid)


def posting(caller: running.Caller, service: str) -> Callable[[str], object]:
    """Calls with a body, of which there is one for each item."""

    def call(body: str) -> object:
        answer = caller("POST", "/vectors" if service == running.IMG2VEC else "/vectorize", body.encode())
        assert answer.status == 200, answer.body
        return answer.body

    return call


def bodies(service: str, kind: str) -> list[str]:
    if kind == "texts":
        return [json.dumps({"texts": [text]}) for text in loads.texts()]
    if kind == "both":
        pairs = zip(bodies(service, "images"), bodies(service, "texts"), strict=False)
        return [body for pair in pairs for body in pair]
    number, size = (LARGE, (3000, 2000)) if kind == "large images" else (PHOTOS, (640, 480))
    photos = loads.photos(number, size)
    if service == running.IMG2VEC:
        return [json.dumps({"id": str(index), "image": photo}) for index, photo in enumerate(photos)]
    return [json.dumps({"images": [photo]}) for photo in photos]


def seconds_to_start(bench: Bench, way: str, cache: Path) -> float:
    began = time.perf_counter()
    with started(bench, way, cache):
        return round(time.perf_counter() - began, 2)


def measure(bench: Bench, callers: Sequence[int], options: argparse.Namespace, cache: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"start_seconds": {}, "engine": {}, "loads": []}
    with ExitStack() as stack:
        ways = []
        for name in bench.ways:
            # The first start converts, calibrates and measures.
            seconds_to_start(bench, name, cache)
            found["start_seconds"][name] = seconds_to_start(bench, name, cache)
            caller, process = stack.enter_context(started(bench, name, cache))
            ways.append(Way(name, posting(caller, bench.service), process))
            if name != BASELINE:
                found["engine"][name] = caller("GET", "/meta").json()["details"]["engine"]
        print("  start, s:", found["start_seconds"])
        for kind in bench.lists:
            items = bodies(bench.service, kind)
            for count in callers:
                print(f"{kind}, {count} callers")
                scores = compare(ways, items, options.rounds, options.seconds, count)
                report(ways, scores, "item")
                found["loads"].append({"kind": kind, "callers": count, "scores": _as_json(ways, scores)})
    return found


def _as_json(ways: Sequence[Way], scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    return {way.name: score.as_json() for way, score in zip(ways, scores, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=benches(Path()), action="append", help="default: all")
    parser.add_argument("--callers", type=int, action="append", help="at once; default: 1, 4, 16, 64")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each")
    parser.add_argument("--seconds", type=float, default=5, help="length of one turn")
    parser.add_argument("--output", type=Path, help="a JSON file to write to")
    options = parser.parse_args()
    found: dict[str, Any] = {"cores": psutil.cpu_count(), "machine": platform.machine(), "models": {}}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, bench in benches(folder).items():
            if options.model and name not in options.model:
                continue
            write_weights(folder, name)
            print(f"{name}, {found['cores']} cores")
            found["models"][name] = measure(bench, options.callers or (1, 4, 16, 64), options, folder / "cache")
            if options.output:
                options.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
