"""Texts cleaned as OpenAI's CLIP cleans them before it looks for tokens (openai/CLIP, simple_tokenizer.py).

OpenCLIP and ImageBind do the same. transformers leaves out the first step.
"""

from collections.abc import Callable
from html import unescape

from vecmod.serving.model.text_batch import Tokens
from vecmod.serving.model.torch_file import UnreadableWeights

Tokenize = Callable[[str], Tokens]

# Thirty times what these models read. What was escaped again and again is mended step by step, so that a text of 100 kB
# may take a minute.
MOST_CLEANED = 10_000


def cleaned(tokenize: Tokenize) -> Tokenize:
    """A tokenizer whose texts are cleaned first.

    Broken Unicode is mended, what was escaped (once or twice) unescaped, white space folded, and capitals made small.
    It is for ``TextSteps`` whose ``most_cleaned`` is :data:`MOST_CLEANED`.

    Raises:
        UnreadableWeights: if the library that mends is not installed.
    """
    try:
        from ftfy import fix_text  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise UnreadableWeights(
            "this model needs the library ftfy for its texts: pip install 'vecmod[text]'"
        ) from error

    def clean(text: str) -> Tokens:
        # Python's lower(), not the tokenizer's, which knows no final sigma.
        return tokenize(" ".join(unescape(unescape(fix_text(text))).split()).lower())

    return clean
