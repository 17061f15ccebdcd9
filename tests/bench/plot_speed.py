"""The figures of bench_services.py as one picture: throughput, latency and memory by callers.

.venv/bin/python tests/bench/plot_speed.py docs/speed.json docs/speed.png
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

ROWS = (("items_per_second", "items / s"), ("p99_ms", "p99, ms"), ("peak_mb", "memory, MB"))
MODELS = (("resnet50", "images"), ("clip", "images"), ("clip", "texts"), ("efficientnet-lite0", "images"))


def series(found: dict[str, Any], model: str, kind: str, figure: str) -> dict[str, tuple[list[int], list[float]]]:
    """By way: callers, and the figure for each."""
    lines: dict[str, tuple[list[int], list[float]]] = {}
    for load in found["models"][model]["loads"]:
        if load["kind"] != kind:
            continue
        for way, score in load["scores"].items():
            callers, values = lines.setdefault(way, ([], []))
            callers.append(load["callers"])
            values.append(score[figure])
    return lines


def main(source: Path, output: Path) -> None:
    found = json.loads(source.read_text())
    columns = [column for column in MODELS if column[0] in found["models"]]
    figure, axes = plt.subplots(len(ROWS), len(columns), figsize=(3.4 * len(columns), 7.5), squeeze=False)
    for place, (model, kind) in enumerate(columns):
        for axis, (name, label) in zip(axes[:, place], ROWS, strict=True):
            for way, (callers, values) in series(found, model, kind, name).items():
                axis.plot(callers, values, marker="o", label=way)
            axis.set_xscale("log", base=2)
            axis.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
            axis.set_ylim(bottom=0)
            axis.grid(alpha=0.3)
            axis.set_ylabel(label if place == 0 else "")
        axes[0, place].set_title(f"{model}, {kind}")
        axes[-1, place].set_xlabel("callers")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
