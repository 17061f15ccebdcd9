"""Texts to network input: ids, and batches of them."""

from collections.abc import Sequence

import numpy as np

from vecmod.serving.engine.engine import IdArray, Inputs
from vecmod.serving.model.recipe import Prepared, TextSteps

# Far more than any model reads; without an end, a text of 5 MB takes a tokenizer 13 s and 3 GB.
_MAX_CHARACTERS = 100_000


def prepare_text(text: str, steps: TextSteps) -> Prepared:
    """The ids of a text; a warning says what was cut off."""
    tokens = steps.tokenize(text[:_MAX_CHARACTERS])
    if len(text) > _MAX_CHARACTERS:
        warning = f"the text has {len(text)} characters, of which {len(tokens.ids)} tokens are read"
        return Prepared(tokens.ids, warning, len(tokens.ids))
    total = len(tokens.ids) + tokens.dropped
    cut = f"the text has {total} tokens, of which the model reads the first {steps.context}"
    return Prepared(tokens.ids, cut if tokens.dropped else "", len(tokens.ids))


def pad_together(texts: Sequence[Inputs], steps: TextSteps) -> IdArray:
    """One batch int64 ``[n, length]``."""
    length = steps.context if steps.full else max(len(ids) for ids in texts)
    batch = np.full((len(texts), length), steps.pad_id, np.int64)
    for row, ids in zip(batch, texts, strict=True):
        row[: len(ids)] = ids
    return batch
