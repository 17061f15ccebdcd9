"""Token ids back to the text they were made from: cl100k_base, which OpenAI's embedding models read.

Clients made for those models send ids instead of texts. The table is the operator's to bring: it is never fetched.
"""

import binascii
import hashlib
from collections.abc import Sequence
from pathlib import Path

from vecmod.contract.environment import SettingsError
from vecmod.contract.errors import RequestFault

FILE = "cl100k_base.tiktoken"
# Of the one file there is (tiktoken, tiktoken_ext/openai_public.py); another would give other texts without a word.
_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"


class TokenTable:
    """The bytes of each token; its id is its place."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self._tokens = tokens

    def text(self, ids: Sequence[int]) -> str:
        """The text; where a client has cut it within a character, that one is replaced.

        Raises:
            RequestFault: if an id is not one of the table's.
        """
        if ids and not 0 <= min(ids) <= max(ids) < len(self._tokens):
            raise RequestFault(f"has ids that cl100k_base does not have (0 to {len(self._tokens) - 1}); send the text")
        return b"".join([self._tokens[number] for number in ids]).decode(errors="replace")


def read_token_table(folder: Path) -> TokenTable | None:
    """The table, if its file lies in the folder; each of its lines is a token in base64 and its id, from 0 on.

    Raises:
        SettingsError: if it is another file than it should be.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise SettingsError(
            f"{path} is not OpenAI's cl100k_base table (its SHA-256 differs); copy it again, or remove it"
        )
    return TokenTable([binascii.a2b_base64(line.split()[0]) for line in content.splitlines()])
