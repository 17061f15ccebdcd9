"""Two answers to one request, vector by vector, whatever shape they come in."""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vecmod.contract.modality import MODALITIES

Vector = NDArray[np.float64]
_FAULTS = 400
_TEXT_CHARACTERS = 300
_FLOAT32_MAX = float(np.finfo(np.float32).max)


class Reading(NamedTuple):
    """What an answer holds.

    Attributes:
        status: of HTTP; 0 if there was no answer.
        vectors: by place, such as ``imageVectors[3]``; a sentence where it is none that can be compared.
        fault: why the request failed; empty if it did not.
    """

    status: int
    vectors: dict[str, Vector | str]
    fault: str


class Item(NamedTuple):
    """One place of two answers.

    Attributes:
        place: such as ``imageVectors[3]``.
        fault: why there is nothing to compare; then the numbers mean nothing.
        cosine: of the two vectors; 1 if both are zero, 0 if one is.
        difference: the largest between two numbers at the same position.
        old_length: L2 norm.
        new_length: L2 norm.
    """

    place: str
    fault: str
    cosine: float = 0.0
    difference: float = 0.0
    old_length: float = 0.0
    new_length: float = 0.0

    @property
    def length_ratio(self) -> float:
        """The shorter length divided by the longer one: 1 if they are equal."""
        longer = max(self.old_length, self.new_length)
        return min(self.old_length, self.new_length) / longer if longer else 1.0


def read_answer(status: int, body: bytes) -> Reading:
    """The vectors of an answer, or why there are none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        shown = body[:_TEXT_CHARACTERS].decode("utf-8", "replace")
        words = shown or f"status {status}"
        return Reading(status, {}, words if status >= _FAULTS else f"the answer is not JSON: {shown}")
    if status >= _FAULTS:
        return Reading(status, {}, _error_text(answer) or f"status {status}")
    if not isinstance(answer, dict):
        return Reading(status, {}, "the answer is not a JSON object")
    return Reading(status, {place: _as_vector(value) for place, value in _places(answer)}, "")


def compare_items(old: Reading, new: Reading) -> Iterator[Item]:
    """Every place of two answers that both succeeded, in order."""
    for place in old.vectors | new.vectors:
        a, b = old.vectors.get(place, "is missing"), new.vectors.get(place, "is missing")
        if isinstance(a, str) or isinstance(b, str):
            faults = [f"{side} {one}" for side, one in (("old", a), ("new", b)) if isinstance(one, str)]
            yield Item(place, ", ".join(faults))
        elif a.shape != b.shape:
            yield Item(place, f"old has {len(a)} numbers, new has {len(b)}")
        else:
            yield _measure(place, a, b)


def _measure(place: str, a: Vector, b: Vector) -> Item:
    old_length, new_length = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if old_length and new_length:
        cosine = float(np.clip((a / old_length) @ (b / new_length), -1.0, 1.0))
    else:
        cosine = 1.0 if old_length == new_length else 0.0
    return Item(place, "", cosine, float(np.abs(a - b).max(initial=0.0)), old_length, new_length)


def _places(answer: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Vectors of ``/vectors``, ``/vectorize`` and ``/v1/embeddings``, each under the name of its place."""
    if "vector" in answer:
        yield "vector", answer["vector"]
    for modality in MODALITIES:
        for index, value in enumerate(_list(answer.get(modality.answer))):
            yield f"{modality.answer}[{index}]", value
    for position, entry in enumerate(_list(answer.get("data"))):
        if isinstance(entry, dict) and "embedding" in entry:
            index = entry.get("index", position)
            yield f"data[{index if isinstance(index, int) else position}].embedding", entry["embedding"]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_vector(value: object) -> Vector | str:
    """Float64 ``[dim]``, or what is wrong."""
    if isinstance(value, str):
        return _from_base64(value)
    if not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
        return "is not a list of numbers"
    try:
        return _checked(np.asarray(value, np.float64))
    except OverflowError:
        return "has numbers beyond float32"


def _from_base64(text: str) -> Vector | str:
    """Little-endian float32, as OpenAI's ``encoding_format: base64``."""
    try:
        return _checked(np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float64))
    except ValueError:
        return "is not float32 in base64"


def _checked(vector: Vector) -> Vector | str:
    if not vector.size:
        return "is empty"
    # NaN compares false too.
    return vector if (np.abs(vector) <= _FLOAT32_MAX).all() else "has numbers beyond float32"


def _error_text(answer: object) -> str:
    """The words of an error: vecmod's and the official containers' ``error``, OpenAI's ``error.message``, FastAPI's."""
    said = answer if isinstance(answer, dict) else {}
    error = said.get("error")
    text = error.get("message") if isinstance(error, dict) else error or said.get("detail")
    return str(text)[:_TEXT_CHARACTERS] if text else ""
