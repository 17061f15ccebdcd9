"""On what terms a request wants to be served: by what it holds, or by what its headers say."""

import math
from collections.abc import Sequence

from starlette.requests import Request

from vecmod.contract.errors import RequestFault
from vecmod.contract.modality import TEXT
from vecmod.contract.priority import PRIORITY_HEADER, Priority
from vecmod.serving.flow.pipeline import Item
from vecmod.serving.flow.terms import Terms

TIMEOUT = "X-Vecmod-Timeout"
# Somebody who searches sends a few words; beyond this it is an import, unless its header says otherwise.
_QUERY_ITEMS, _QUERY_CHARACTERS = 8, 16_384


class TermsReader:
    """Reads the terms of requests.

    Args:
        max_wait: seconds that an item may wait for its turn.
    """

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait

    def read(self, request: Request, items: Sequence[Item]) -> Terms:
        """The terms of a request that has these items.

        Raises:
            RequestFault: if a header says something that is not known.
        """
        priority = _priority(request.headers.get(PRIORITY_HEADER)) or _by_content(items)
        timeout = _timeout(request.headers.get(TIMEOUT))
        return Terms(priority, min(self._max_wait, timeout or self._max_wait), timeout)


def _priority(word: str | None) -> Priority | None:
    if word is None:
        return None
    try:
        return Priority(word.strip().lower())
    except ValueError:
        raise RequestFault(f"{PRIORITY_HEADER}: must be {' or '.join(Priority)}, or be left out") from None


def _by_content(items: Sequence[Item]) -> Priority:
    few = len(items) <= _QUERY_ITEMS and all(item.modality == TEXT.name for item in items)
    return Priority.QUERY if few and sum(len(item.value) for item in items) <= _QUERY_CHARACTERS else Priority.IMPORT


def _timeout(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise RequestFault(f"{TIMEOUT}: must be seconds, such as 2.5, or be left out")
    return seconds
