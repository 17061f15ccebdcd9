"""The body of a request as JSON: read once, within limits, its faults in a sentence."""

import re
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vecmod.contract.errors import RequestFault, TooLarge
from vecmod.serving.flow.pipeline import Pipeline

Body = TypeVar("Body", bound=BaseModel)

# Parsing more than this would hold up the event loop by about a millisecond.
_INLINE = 1024 * 1024
# Values that a body may have beside its items: keys of other programs, which are ignored.
_SPARE = 10_000
# A string's mark, or a comma; and what may stand in a string, a piece at a time: the search must let others run.
_MARK = re.compile(rb'[",]')
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.?){0,65536}+', re.DOTALL)
# A value, its key and the comma behind it.
_TOKENS_OF_A_VALUE = 3
# Of a key that stands in a message.
_KEY_LENGTH = 50


async def parse_body(kind: type[Body], raw: bytearray, pipeline: Pipeline, max_items: int) -> Body:
    """The body as JSON whatever its Content-Type says: two of Weaviate's three clients send none.

    Raises:
        TooLarge: if it has many more values than items are allowed, before memory is spent on them.
        RequestFault: if it is no JSON of this kind.
    """
    parse = partial(_parse, kind, raw, max_items + _SPARE)
    return parse() if len(raw) < _INLINE else await pipeline.in_pool(parse)


def _parse(kind: type[Body], raw: bytearray, max_values: int) -> Body:
    # A byte of JSON can become a hundred bytes of objects; base64 has no comma, so this is quick for pictures.
    if raw.count(b",") > max_values and _has_more(raw, max_values):
        raise TooLarge(f"the body has more than {max_values} values; send fewer in one request")
    try:
        body = kind.model_validate_json(raw)
    except ValidationError as error:
        raise RequestFault(_explain(error)) from None
    raw.clear()  # what is needed of it is in the values now
    return body


def _has_more(raw: bytearray, max_values: int) -> bool:
    """Whether the strings and commas outside of strings are more than so many values have."""
    tokens, position = 0, 0
    while (mark := _MARK.search(raw, position)) and tokens <= _TOKENS_OF_A_VALUE * max_values:
        tokens += 1
        position = mark.end() if mark[0] == b"," else _end_of_string(raw, mark.end())
    return tokens > _TOKENS_OF_A_VALUE * max_values


def _end_of_string(raw: bytearray, position: int) -> int:
    while (found := _INSIDE.match(raw, position)) and found.end() > position:
        position = found.end()
    return position + 1


def _explain(error: ValidationError) -> str:
    # The input itself is left out: it may be megabytes of base64.
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    places = [".".join(str(part)[:_KEY_LENGTH] for part in fault["loc"]) or "body" for fault in faults[:3]]
    return "; ".join(f"{place}: {fault['msg']}" for place, fault in zip(places, faults, strict=False))
