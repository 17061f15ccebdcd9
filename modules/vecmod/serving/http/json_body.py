"""The body of a request as JSON: read once, within limits, its faults in a sentence."""

import re
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vecmod.contract.errors import RequestFault, TooLarge
from vecmod.serving.flow.pipeline import Pipeline

Body = TypeVar("Body", bound=BaseModel)
Result = TypeVar("Result")

# Parsing more than this, in bytes and in values, would hold up the event loop by about a millisecond.
_INLINE, _INLINE_VALUES = 1024 * 1024, 20_000
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
    return await beside_loop(partial(read_json, kind, raw, max_items), raw, pipeline)


async def beside_loop(read: Callable[[], Result], raw: bytearray, pipeline: Pipeline) -> Result:
    """What ``read`` makes of a body: one body at a time, and beside the event loop unless it is small."""
    small = len(raw) < _INLINE and raw.count(b",") < _INLINE_VALUES
    return read() if small else await pipeline.in_pool(read)


def read_json(kind: type[Body], raw: bytearray, max_items: int) -> Body:
    """The body as JSON, which is emptied; for the event loop see :func:`parse_body`.

    Raises:
        TooLarge, RequestFault: as there.
    """
    max_values = max_items + _SPARE
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
