"""The mean of an object's vectors, in float32 and in order, as Weaviate computes it."""

import numpy as np
import pytest

from vecmod.host.combine import combine
from vecmod.host.host_errors import ServiceError


def test_float32_arithmetic_of_a_plain_mean() -> None:
    """Weaviate's own numbers for three vectors (its recorded case B40)."""
    vectors = [np.array(v, np.float32) for v in ([0.1, 0.7, -0.3], [0.2, 0.6, 0.33], [0.3, -0.123456789, 1e-07])]
    np.testing.assert_array_equal(combine(vectors), np.array([0.2, 0.39218104, 0.010000034], np.float32))


def test_different_lengths() -> None:
    with pytest.raises(ServiceError, match=r"different length in one answer: \[2, 3\]"):
        combine([np.zeros(2, np.float32), np.zeros(3, np.float32)])
