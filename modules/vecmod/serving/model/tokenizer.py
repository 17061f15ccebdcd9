"""Text to ids; the one door to the tokenizers library."""

from functools import partial
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from vecmod.serving.model.recipe import Tokens
from vecmod.serving.model.torch_file import UnreadableWeights


def read_tokenizer(path: Path, context: int) -> partial[Tokens]:
    """The tokenizer of a ``tokenizer.json``, as :class:`TextSteps` wants it.

    Raises:
        UnreadableWeights: if it is no such file.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise UnreadableWeights(f"{path} is not a tokenizer: {error}") from error
    # What the file says about both is a habit of whoever saved it; the model's own context counts.
    tokenizer.no_padding()
    tokenizer.enable_truncation(context)
    return partial(_tokenize, tokenizer)


def _tokenize(tokenizer: Tokenizer, text: str) -> Tokens:
    encoding = tokenizer.encode(text)
    marks = sum(encoding.special_tokens_mask)
    dropped = sum(len(part.ids) - marks for part in encoding.overflowing)
    return Tokens(np.array(encoding.ids, np.int64), dropped)
