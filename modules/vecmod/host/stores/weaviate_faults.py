"""What Weaviate says went wrong, as one of our errors: its service's words, without the path they took."""

import re
from typing import Any

from vecmod.host.host_errors import HostError, InvalidQuery, ServiceError, ServiceUnreachable, StoreError

# Weaviate puts these in front; what comes after the last one is the module's own text.
_WAYS = ("vectorize params: ", "vectorize target vector : ", "update vector: ", "nearText: ", "nearImage: ")
_TIMEOUTS = ("context deadline exceeded", "Client.Timeout")
# After its last try, the client passes on a page about its call; this line of it is the reason.
_DETAILS = re.compile(r'details = "(.*)"')
_BARE = re.compile(r"fail with status \d+")
_ANSWERS = ("fail with status ", "failed to parse vectorization response", "empty vector", "inputs are not equal to")


def fault_of(action: str, text: str) -> HostError:
    """The error for a text of Weaviate's.

    ServiceUnreachable and ServiceError are about the inference service, which Weaviate could not ask, or which
    refused; InvalidQuery about a query vector that is none of the class's; all else is StoreError.
    """
    found = _DETAILS.search(text)
    text = found[1] if found else text.strip()
    words = text
    for way in _WAYS:
        words = words.rpartition(way)[2]
    if "send POST request: " in words:
        if any(sign in words for sign in _TIMEOUTS):
            return ServiceError(f"{words} (MODULES_CLIENT_TIMEOUT of Weaviate)", "timeout")
        return ServiceUnreachable(f"Weaviate cannot reach the service: {words}; correct its ..._INFERENCE_API")
    if any(answer in words for answer in _ANSWERS):
        untold = " (Weaviate does not pass on why)" if _BARE.fullmatch(words.rpartition(": ")[2]) else ""
        return ServiceError(words + untold)
    if "movement: " in words:
        return InvalidQuery(words)
    if "vector lengths don't match" in words:
        return InvalidQuery(f"the query vector comes from another model than the one that filled the class: {words}")
    return StoreError(f"{action} failed: {text}")


def words_of(body: Any) -> str:  # noqa: ANN401 -- JSON
    """The messages in ``{"error": [{"message": ...}]}`` or ``{"message": ...}``."""
    if not isinstance(body, dict):
        return ""
    faults = body.get("error")
    if isinstance(faults, list):
        return "; ".join(str(one.get("message")) for one in faults if isinstance(one, dict))
    return str(body.get("message") or "")
