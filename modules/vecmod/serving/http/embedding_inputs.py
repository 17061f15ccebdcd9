"""What ``POST /v1/embeddings`` is asked to embed: strings, token ids, objects and conversations to items."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from vecmod.contract.embeddings_api import ITEM_KEYS, EmbeddingsRequest
from vecmod.contract.errors import RequestFault, TooLarge
from vecmod.contract.modality import IMAGE, TEXT
from vecmod.serving.flow.pipeline import Item
from vecmod.serving.http.json_body import read_json
from vecmod.serving.media.token_table import FILE, TokenTable

# Token ids in one request, beside its items: what OpenAI allows, and langchain-openai sends at once.
_MAX_IDS = 300_000
# Characters that token ids may stand for, if the body was shorter: a token has up to 128, most have four.
_MAX_TEXT = 4 * 1024 * 1024
_PICTURE = re.compile(r"data:image/[^,]{1,100};base64,")
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_KEYS = [f'{{"{key}"}}' for key in ITEM_KEYS]
_KINDS = (
    "must be a text, a list of token ids, or an object with one string: " + ", ".join(_KEYS[:-1]) + f" or {_KEYS[-1]}"
)
_PARTS = 'must be {"type": "text", "text": "..."} or {"type": "image_url", "image_url": {"url": "..."}}'


class Asked(NamedTuple):
    """A request as it was understood; ``together`` if all its items make one embedding."""

    body: EmbeddingsRequest
    items: list[Item]
    together: bool


@dataclass(frozen=True)
class InputReader:
    """Reads bodies; knows what was set up for it.

    Attributes:
        max_items: in one request.
        tokens: the table of token ids, if there is one.
        url_strings: whether a string that is an http(s) URL is a picture, not a text.
    """

    max_items: int
    tokens: TokenTable | None = None
    url_strings: bool = False

    def read(self, raw: bytearray) -> Asked:
        """The items of a body, which is emptied.

        Raises:
            RequestFault: if it cannot be understood, naming the item.
            TooLarge: if it has too many items, or too many token ids.
        """
        size = len(raw)
        body = read_json(EmbeddingsRequest, raw, self.max_items + _MAX_IDS)
        if (body.input is None) == (body.messages is None):
            raise RequestFault('the body must have either "input" or "messages"; send {"input": ["a text"]}')
        items = self._conversation(body.messages) if body.input is None else self._inputs(body.input)
        if sum(len(item.value) for item in items) > max(size, _MAX_TEXT):
            raise TooLarge(
                f"input: the token ids stand for more than {_MAX_TEXT} characters; send fewer in one request"
            )
        # Numbers take many times the memory of the text they stand for.
        return Asked(body.model_copy(update={"input": None, "messages": None}), items, body.input is None)

    def _inputs(self, given: object) -> list[Item]:
        # A list of numbers is one text.
        if not isinstance(given, list) or _are_ids(given[:1]):
            return [self._item(given, "input")]
        self._check_number(len(given))
        return [self._item(one, f"input[{n}] (item {n + 1} of {len(given)})") for n, one in enumerate(given)]

    def _item(self, given: object, where: str) -> Item:
        if isinstance(given, dict):
            return _of_object(given, where)
        if isinstance(given, list):
            given = self._text_of(given, where)
        if not isinstance(given, str):
            raise RequestFault(f"{where}: {_KINDS}")
        is_picture = _PICTURE.match(given) or (self.url_strings and _URL.fullmatch(given))
        return Item(IMAGE.name if is_picture else TEXT.name, given, where)

    def _text_of(self, ids: list[object], where: str) -> str:
        if ids and not _are_ids(ids):
            raise RequestFault(f"{where}: {_KINDS}")
        if self.tokens is None:
            raise RequestFault(
                f"{where}: is token ids, not a text; send texts (langchain-openai: OpenAIEmbeddings(..., "
                f"check_embedding_ctx_length=False)), or put {FILE} into VECMOD_CACHE_DIR before the service starts"
            )
        try:
            return self.tokens.text([number for number in ids if isinstance(number, int)])
        except RequestFault as fault:
            raise fault.at_item(where) from None

    def _conversation(self, messages: object) -> list[Item]:
        """One text of all texts, if there is any, and all pictures."""
        parts = list(_parts(messages))
        pictures = [item for item in parts if item.modality == IMAGE.name]
        self._check_number(len(pictures))
        texts = [item.value for item in parts if item.modality == TEXT.name and item.value]
        if not texts and not pictures:
            raise RequestFault("messages: have neither text nor pictures to embed")
        return [*([Item(TEXT.name, "\n".join(texts), "messages")] if texts else []), *pictures]

    def _check_number(self, number: int) -> None:
        if number > self.max_items:
            raise TooLarge(f"{number} items in one request; send at most {self.max_items}")


def _are_ids(values: list[object]) -> bool:
    # Not `isinstance`, to which `true` is a number.
    return set(map(type, values)) == {int}


def _of_object(given: dict[str, object], where: str) -> Item:
    values = [(key, given[key]) for key in ITEM_KEYS if given.get(key) is not None]
    if len(values) != 1 or not isinstance(values[0][1], str):
        raise RequestFault(f"{where}: {_KINDS}")
    ((key, value),) = values
    return Item(ITEM_KEYS[key].name, str(value), where)


def _parts(messages: object) -> Iterator[Item]:
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RequestFault('messages: must be a list of objects such as {"role": "user", "content": "a text"}')
    for number, message in enumerate(messages):
        where, content = f"messages[{number}]", message.get("content")
        if isinstance(content, str):
            yield Item(TEXT.name, content, where)
        elif isinstance(content, list):
            yield from (_part(part, f"{where}.content[{n}]") for n, part in enumerate(content))
        elif content is not None:
            raise RequestFault(f"{where}.content: must be a text or a list of parts")


def _part(part: object, where: str) -> Item:
    text, picture = (part.get("text"), part.get("image_url")) if isinstance(part, dict) else (None, None)
    picture = picture.get("url") if isinstance(picture, dict) else picture
    if isinstance(text, str) and picture is None:
        return Item(TEXT.name, text, where)
    if isinstance(picture, str) and text is None:
        return Item(IMAGE.name, picture, where)
    raise RequestFault(f"{where}: {_PARTS}")
