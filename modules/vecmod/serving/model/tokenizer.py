"""Text to ids, from the files a model's authors publish; the one door to the tokenizers library."""

import gzip
import json
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from vecmod.serving.model.text_batch import Tokens
from vecmod.serving.model.torch_file import UnreadableWeights

# What CLIP cuts a text into before it looks for pairs (openai/CLIP, simple_tokenizer.py).
_CLIP_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# The vocabulary as OpenAI published it; many projects carry the same file.
CLIP_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
_CLIP_PAIRS = 49152 - 256 - 2
_VISIBLE = ((ord("!"), ord("~")), (ord("¡"), ord("¬")), (ord("®"), ord("ÿ")))
_CLIP_START, _CLIP_END = "<|startoftext|>", "<|endoftext|>"


class TextTokenizer:
    """Text to ids; called as :class:`TextSteps` wants it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def __call__(self, text: str) -> Tokens:
        """Ids with the marks of start and end, cut to the context."""
        encoding = self._tokenizer.encode(text)
        marks = sum(encoding.special_tokens_mask)
        dropped = sum(len(part.ids) - marks for part in encoding.overflowing)
        return Tokens(np.array(encoding.ids, np.int64), dropped)

    def id_of(self, token: str) -> int:
        """The id of a token.

        Raises:
            UnreadableWeights: if the vocabulary has no such token.
        """
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise UnreadableWeights(f"the tokenizer has no token {token}")
        return int(found)


def read_tokenizer(folder: Path, context: int, *, lower_case: bool = False) -> TextTokenizer:
    """The tokenizer of a model folder.

    It reads ``tokenizer.json``, or CLIP's ``vocab.json`` and ``merges.txt`` or the one file from which both are made,
    or BERT's ``vocab.txt``.

    Args:
        folder: the model's.
        context: ids at most.
        lower_case: texts are made small first, whatever the files say.

    Raises:
        UnreadableWeights: if there is none, or it cannot be read.
    """
    try:
        tokenizer = _read(folder)
    except Exception as error:  # the library raises nothing more special
        raise UnreadableWeights(f"{folder} has no tokenizer that can be read: {error}") from error
    # What the file says about both is a habit of whoever saved it; the model's own context counts.
    tokenizer.no_padding()
    tokenizer.enable_truncation(context)
    if lower_case:
        others = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *others])
    return TextTokenizer(tokenizer)


def _read(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    if (folder / "merges.txt").is_file():
        return _clip_tokenizer(*models.BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    if (folder / CLIP_VOCABULARY).is_file():
        return _clip_tokenizer(*_read_clip_vocabulary(folder / CLIP_VOCABULARY))
    if (folder / "vocab.txt").is_file():
        return _bert_tokenizer(folder)
    raise FileNotFoundError("tokenizer.json is missing: copy the whole model folder")


def _read_clip_vocabulary(path: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Ids of words, and the pairs that are merged, as openai/CLIP's simple_tokenizer.py makes them of its file."""
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : _CLIP_PAIRS + 1]
    pairs = [(first, second) for first, second in (line.split() for line in lines)]
    visible = [byte for first, last in _VISIBLE for byte in range(first, last + 1)]
    # Bytes that cannot be seen have letters of their own.
    letters = [chr(byte) for byte in visible] + [chr(256 + number) for number in range(256 - len(visible))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in pairs)]
    return {word: number for number, word in enumerate([*words, _CLIP_START, _CLIP_END])}, pairs


def _clip_tokenizer(words: dict[str, int], pairs: list[tuple[str, str]]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(words, pairs, unk_token=_CLIP_END, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_PIECES), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in (_CLIP_START, _CLIP_END)])
    tokenizer.post_processor = processors.RobertaProcessing(
        (_CLIP_END, words[_CLIP_END]), (_CLIP_START, words[_CLIP_START]), trim_offsets=False, add_prefix_space=False
    )
    return tokenizer


def _bert_tokenizer(folder: Path) -> Tokenizer:
    words = models.WordPiece.read_file(str(folder / "vocab.txt"))
    settings = folder / "tokenizer_config.json"
    said = json.loads(settings.read_text("utf-8")) if settings.is_file() else {}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))  # noqa: S106 -- no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=said.get("do_lower_case", True))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", words["[SEP]"]), ("[CLS]", words["[CLS]"]))
    return tokenizer
