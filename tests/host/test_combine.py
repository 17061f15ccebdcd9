"""The vectors of an object's pieces to one, in float32 and in order, as Weaviate computes it."""

import numpy as np
import pytest

from vecmod.contract.modality import IMAGE, TEXT
from vecmod.host.collect import Piece
from vecmod.host.combine import combine
from vecmod.host.host_errors import InvalidObject, ServiceError


def pieces(*fields: str, weights: tuple[float | None, ...] = (None, None, None)) -> list[Piece]:
    return [Piece(field, TEXT, "x", weight) for field, weight in zip(fields, weights, strict=False)]


def test_float32_arithmetic_of_a_plain_mean() -> None:
    """Weaviate's own numbers for three vectors (its recorded case B40)."""
    vectors = [np.array(v, np.float32) for v in ([0.1, 0.7, -0.3], [0.2, 0.6, 0.33], [0.3, -0.123456789, 1e-07])]
    mean = combine(pieces("a", "b", "c"), vectors)
    np.testing.assert_array_equal(mean, np.array([0.2, 0.39218104, 0.010000034], np.float32))


def test_different_lengths() -> None:
    with pytest.raises(ServiceError, match=r"different length in one answer: \[2, 3\]"):
        combine(pieces("a", "b"), [np.zeros(2, np.float32), np.zeros(3, np.float32)])


def test_what_is_there_may_weigh_nothing() -> None:
    given = pieces("a", "b", weights=(1.0, -1.0))
    with pytest.raises(InvalidObject, match=r"the weights of what it has \(a, b\) sum to 0"):
        combine(given, [np.ones(2, np.float32)] * 2)


def test_one_name_in_two_modalities_is_two_fields() -> None:
    given = [Piece("x", TEXT, "x", 3.0), Piece("x", IMAGE, "x", 1.0)]
    vector = combine(given, [np.array([1, 0], np.float32), np.array([0, 1], np.float32)])
    np.testing.assert_array_equal(vector, np.array([0.375, 0.125], np.float32))
