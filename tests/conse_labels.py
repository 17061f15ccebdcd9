"""Makes the label embeddings of the built-in model again: python tests/conse_labels.py"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vecmod.serving.model as place
from vecmod.serving.engine.choose import EngineChoice, load_engine
from vecmod.serving.model.conse import text_tower
from vecmod.serving.model.text_batch import TextSteps, pad_together, prepare_text

FOLDER = Path(str(place.__file__)).parent
FILE = FOLDER / "imagenet_label_vectors.npy"


def label_vectors(cache: Path) -> NDArray[np.float16]:
    """float16 ``[1000, 384]``: of each label, the mean of ``a photo of a <first lemma>`` and all its lemmas."""
    labels = (FOLDER / "imagenet_labels.txt").read_text("utf-8").splitlines()
    vectors = _embed([f"a photo of a {label.split(',')[0]}" for label in labels], cache) + _embed(labels, cache)
    return _unit(vectors).astype(np.float16)


def _embed(texts: list[str], cache: Path) -> NDArray[np.float32]:
    tower = text_tower()
    assert isinstance(tower.steps, TextSteps)
    steps = tower.steps
    engine = load_engine(tower.network, EngineChoice("onnx", "cpu", 2, cache))
    items = [prepare_text(text, steps).content for text in texts]
    batches = [items[start : start + 50] for start in range(0, len(items), 50)]
    return _unit(np.concatenate([engine.run(pad_together(batch, steps)) for batch in batches]))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


if __name__ == "__main__":
    np.save(FILE, label_vectors(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo/cache")))
