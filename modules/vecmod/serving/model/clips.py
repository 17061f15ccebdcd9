"""Several clips of one item to one vector."""

from collections.abc import Callable, Sequence

import numpy as np

from vecmod.serving.engine.engine import FloatArray, Inputs


def embed_clips(run: Callable[[Inputs], FloatArray], items: Sequence[Inputs], most: int) -> FloatArray:
    """Vectors float32 ``[n, dim]``: of each item the mean of its clips' vectors, which is not scaled again.

    Args:
        run: of an engine.
        items: clips ``[clips, ...]`` of each item; how many may differ.
        most: clips in one run, so that a video takes no more memory than as many pictures.
    """
    clips = np.concatenate(items)
    vectors = np.concatenate([run(clips[start : start + most]) for start in range(0, len(clips), most)])
    ends = np.cumsum([len(item) for item in items])[:-1]
    return np.stack([part.mean(axis=0) for part in np.split(vectors, ends)])
