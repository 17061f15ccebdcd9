"""What services answer, read and checked."""

import json
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from vecmod.host.combine import Vector
from vecmod.host.host_errors import ServiceError

_OK = 200


class Answer(NamedTuple):
    """What of a response is used."""

    status: int
    retry_after: str
    body: bytes


def retry_after(answer: Answer) -> float:
    """Seconds the service asks to wait; zero if it does not say so."""
    text = answer.retry_after
    return min(float(text), 10.0) if text.isascii() and text.isdecimal() else 0.0


def read_answer(response: Answer) -> dict[str, Any]:
    """What a service that took the request says.

    Raises:
        ServiceError: if it did not, in Weaviate's words and its own.
    """
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise ServiceError(f"failed to parse vectorization response (status {response.status}): {error}") from error
    if not isinstance(answer, dict):
        raise ServiceError(f"failed to parse vectorization response (status {response.status}): not a JSON object")
    if response.status != _OK:
        said = answer["error"] if isinstance(answer.get("error"), str) else ""
        status = f"fail with status {response.status}"
        code = str(answer.get("code") or "service_error")
        raise ServiceError(f"{status}: {said}" if said else status, code, said)
    return answer


def as_vector(numbers: object) -> Vector:
    """Float32 ``[dim]``.

    Raises:
        ServiceError: if it is no list of finite numbers.
    """
    if not isinstance(numbers, list) or not numbers:
        raise ServiceError("no vector in the answer")
    # In float32: an int too large for any float raises, other large numbers become infinite.
    if all(type(number) in (int, float) for number in numbers):
        with suppress(OverflowError), np.errstate(over="ignore"):
            vector = np.array(numbers, np.float32)
            if np.isfinite(vector).all():
                return vector
    raise ServiceError("the vector in the answer is not a list of finite numbers")


def reason_of(body: bytes) -> str:
    """Why a service is not ready, in brackets; empty if it does not say so."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return f" ({answer['error']})" if isinstance(answer, dict) and "error" in answer else ""
