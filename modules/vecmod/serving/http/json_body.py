"""The body of a request as JSON: read once, within limits, its faults in a sentence."""

import re
from functools import partial
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vecmod.contract.errors import RequestFault, TooLarge
from vecmod.serving.flow.pipeline import Pipeline

Body = TypeVar("Body", bound=BaseModel)

# Parsing more than this would hold up the event loop by about a millisecond.
_INLINE = 1024 * 1024
# Values that a body may have beside its items: keys of other programs, which are ignored.
_SPARE = 10_000
# A string (whatever stands in it is one token; an unclosed one ends with the body), or a comma outside of strings.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|,', re.DOTALL)
# A value, its key and the comma behind it.
_TOKENS_OF_A_VALUE = 3


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
    tokens = _TOKEN.finditer(raw)
    return next(islice(tokens, _TOKENS_OF_A_VALUE * max_values, None), None) is not None


def _explain(error: ValidationError) -> str:
    # The input itself is left out: it may be megabytes of base64.
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in faults[:3])
