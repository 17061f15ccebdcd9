"""Texts to network input: ids, and batches of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from vecmod.serving.engine.engine import IdArray, Inputs
from vecmod.serving.medium import Kind, Medium
from vecmod.serving.model.steps import Prepared, Steps

# Far more than any model reads; without an end, a text of 5 MB takes a tokenizer 13 s and 3 GB.
_MAX_CHARACTERS = 100_000


class Tokens(NamedTuple):
    """Ids int64 ``[length]`` of a text, and how many of its tokens did not fit."""

    ids: IdArray
    dropped: int


@dataclass(frozen=True)
class TextSteps(Steps):
    """How a text becomes the input of a network.

    Attributes:
        tokenize: text to ids, cut to the context, with the marks of start and end.
        context: ids at most.
        pad_id: fills the shorter texts of a batch.
        full: every text is filled up to the context, as some models were trained; else to the longest of a batch.
        most_cleaned: characters that are cleaned at most, where that is done; of a longer text white space is folded
            first, and the rest cut off.
    """

    tokenize: Callable[[str], Tokens]
    context: int
    pad_id: int
    full: bool = False
    most_cleaned: int | None = None
    kind = Kind.TEXT

    def prepare(self, medium: Medium) -> Prepared:
        """Ids; a warning says what was cut off."""
        return prepare_text(cast("str", medium), self)

    def blank(self) -> Inputs:
        """A text that fills the context."""
        return prepare_text("a " * self.context, self).content

    def batch(self, items: Sequence[Inputs]) -> Inputs:
        """Ids int64 ``[n, length]``, filled up."""
        return pad_together(items, self)

    def describe(self) -> str:
        """One line for ``/meta``."""
        return f"at most {self.context} tokens, {'always filled up' if self.full else 'as many as there are'}"


def prepare_text(text: str, steps: TextSteps) -> Prepared:
    """The ids of a text; a warning says what was cut off."""
    most = steps.most_cleaned or _MAX_CHARACTERS
    if len(text) > most:
        tokens = steps.tokenize(_shortened(text, steps))
        warning = f"the text has {len(text)} characters, of which {len(tokens.ids)} tokens are read"
        return Prepared(tokens.ids, warning, len(tokens.ids))
    tokens = steps.tokenize(text)
    total = len(tokens.ids) + tokens.dropped
    cut = f"the text has {total} tokens, of which the model reads the first {steps.context}"
    return Prepared(tokens.ids, cut if tokens.dropped else "", len(tokens.ids))


def _shortened(text: str, steps: TextSteps) -> str:
    text = text[:_MAX_CHARACTERS]
    return " ".join(text.split())[: steps.most_cleaned] if steps.most_cleaned else text


def pad_together(texts: Sequence[Inputs], steps: TextSteps) -> IdArray:
    """One batch int64 ``[n, length]``."""
    length = steps.context if steps.full else max(len(ids) for ids in texts)
    batch = np.full((len(texts), length), steps.pad_id, np.int64)
    for row, ids in zip(batch, texts, strict=True):
        row[: len(ids)] = ids
    return batch
