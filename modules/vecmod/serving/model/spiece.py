"""Texts to ids by a SentencePiece model (Kudo & Richardson 2018, arXiv:1808.06226), as SigLIP prepares them.

The one door to the sentencepiece library. Ids are those of transformers' SiglipTokenizer, whose cleaning of texts is
that of the authors (google-research/big_vision, evaluators/proj/image_text/prompt_engineering.py).
"""

import re
import string
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vecmod.serving.model.text_batch import Tokens
from vecmod.serving.model.torch_file import UnreadableWeights

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

# What SentencePiece writes for a space.
_SPACE = "▁"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Marks(NamedTuple):
    """Tokens with a meaning of their own, as the vocabulary spells them."""

    end: str = "</s>"
    unknown: str = "<unk>"
    pad: str = "</s>"


class SpieceTokenizer:
    """Text to ids; called as :class:`TextSteps` wants it.

    Args:
        model: the vocabulary.
        context: ids at most, with the end.
        marks: its tokens with a meaning of their own.
        lower_case: whether texts are made small first.
    """

    def __init__(self, model: "SentencePieceProcessor", context: int, marks: Marks, *, lower_case: bool) -> None:
        self._model = model
        self._context = context
        self._marks = marks
        self._lower_case = lower_case
        self._between = re.compile("(" + "|".join(map(re.escape, sorted(set(marks), key=len, reverse=True))) + ")")
        self._prefix = len(self._encode(marks.unknown))
        self._end = self.id_of(marks.end)

    def __call__(self, text: str) -> Tokens:
        """Ids with the mark of the end, which stays when the others are cut to the context."""
        ids = [self._model.piece_to_id(piece) for piece in self._pieces(text)]
        kept = ids[: self._context - 1]
        end = [] if kept and kept[-1] == self._end else [self._end]
        return Tokens(np.array(kept + end, np.int64), len(ids) - len(kept))

    def id_of(self, token: str) -> int:
        """The id of a token.

        Raises:
            UnreadableWeights: if the vocabulary has no such token.
        """
        found = int(self._model.piece_to_id(token))
        # The library answers with the unknown token's id.
        if self._model.id_to_piece(found) != token:
            raise UnreadableWeights(f"the tokenizer has no token {token}")
        return found

    def _pieces(self, text: str) -> list[str]:
        parts = self._between.split(_SPACE + text.replace(_SPACE, " "))
        pieces = [piece for part in parts for piece in ([part] if part in self._marks else self._words(part))]
        # A text that begins with a mark has nothing before it.
        starts_with_mark = len(pieces) > 1 and pieces[0] == _SPACE and pieces[1] in self._marks
        return pieces[1:] if starts_with_mark else pieces

    def _words(self, text: str) -> Iterable[str]:
        text = text.lower() if self._lower_case else text
        text = re.sub(r"\s+", " ", text.translate(_NO_PUNCTUATION)).strip()
        # The library drops a space in front; behind something else it stays, and that is taken away again.
        pieces = self._encode(self._marks.unknown + text)
        return pieces[self._prefix :] if len(pieces) >= self._prefix else pieces

    def _encode(self, text: str) -> list[str]:
        pieces: list[str] = self._model.encode(text, out_type=str)
        return pieces


def read_spiece(path: Path, context: int, marks: Marks, *, lower_case: bool) -> SpieceTokenizer:
    """The tokenizer that a ``spiece.model`` describes.

    Raises:
        UnreadableWeights: if the file or the library is missing, or the file is no vocabulary with these marks.
    """
    if not path.is_file():
        raise UnreadableWeights(f"{path} is missing: copy the whole model folder")
    try:
        from sentencepiece import SentencePieceProcessor  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise UnreadableWeights(f"{path} needs the library sentencepiece: pip install 'vecmod[text]'") from error
    try:
        model = SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise UnreadableWeights(f"{path} is no SentencePiece model: {error}") from error
    return SpieceTokenizer(model, context, marks, lower_case=lower_case)
