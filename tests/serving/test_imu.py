"""Tables of motion sensors: as the official container reads them; what it cannot read is named."""

import time
import tracemalloc

import numpy as np
import pytest

from bind_golden import arrays, raw
from vecmod.contract.errors import RequestFault, TooLarge, Undecodable
from vecmod.serving.media.imu import read_imu
from vecmod.serving.media.limits import ImuLimits
from vecmod.serving.model.motion import prepare_motion

GOLDEN = arrays("imu")
LIMITS = ImuLimits()


def csv(*rows: str) -> bytes:
    return "\n".join(["ax,ay,az,gx,gy,gz", *rows]).encode()


@pytest.mark.parametrize("name", GOLDEN)
def test_as_the_official_container(name: str) -> None:
    np.testing.assert_array_equal(prepare_motion(read_imu(raw("imu", name), LIMITS)), GOLDEN[name])


def test_turned_a_column_is_a_channel() -> None:
    table = read_imu(raw("imu", "imu_1500.csv"), LIMITS)
    turned = prepare_motion(table, turned=True)
    assert turned.shape == (6, 2000)
    np.testing.assert_array_equal(turned[4, :1500], table[:, 4])
    assert not turned[:, 1500:].any()
    long = read_imu(raw("imu", "imu_4000.csv"), LIMITS)
    np.testing.assert_array_equal(prepare_motion(long, turned=True), long[:2000].T)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_ends_of_lines_blanks_and_foreign_headers(ends: str) -> None:
    data = ends.join(["Beschleunigung (m/s²)", "1, 2,3 ,4,5,6", "", "-1e2,.5,6,7,8,9", "  ", ""]).encode()
    np.testing.assert_array_equal(read_imu(data, LIMITS), [[1, 2, 3, 4, 5, 6], [-100, 0.5, 6, 7, 8, 9]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (csv("1,2,3,4,5,6", "1,2,x,4,5,6"), "line 3 has 'x', which is not a finite number"),
        (csv("1,2,3,4,5,6", "1,2,nan,4,5,6"), "line 3 has 'nan'"),
        (csv("1,2,3,4,5,1e999"), "line 2 has '1e999'"),
        (csv("1,2,3,4,5,-1e39"), "line 2 has '-1e39'"),
        (csv("1,2,3,4,5,1_0"), "line 2 has '1_0'"),
        (csv("1,2,3,4,5,"), "line 2 has '', which"),
        (csv("1,2,3,4,5"), "line 2 has 5 columns; send 6 numbers"),
        (csv("1,2,3,4,5,6", "", "1,2,3,4,5,6,7,8"), "line 4 has 8 columns"),
        (csv("1;2;3;4;5;6"), "line 2 has 1 columns"),
        (csv("1,2,3,4,5,6"), r"has too few lines of numbers \(1\) below its first line"),
        (csv(), r"too few lines of numbers \(0\)"),
        (b"", r"too few lines of numbers \(0\)"),
        (b"RIFF\0\0\0\0WAVE" * 9, r"too few lines of numbers \(0\)"),
        (csv("1" * 2000 + ",2,3,4,5,6"), "line 2 has 2010 bytes"),
        (bytes(range(256)) * 9, "line 3 has "),
    ],
)
def test_faults_are_named_with_their_line(data: bytes, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        read_imu(data, LIMITS)


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_too_many_lines_cost_nothing(end: bytes) -> None:
    data = end * 20_000_000
    tracemalloc.start()
    with pytest.raises(TooLarge, match="has more than 200000 lines"):
        read_imu(data, LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_line_without_end_costs_nothing() -> None:
    data = b"\n" + b"1," * 20_000_000
    tracemalloc.start()
    with pytest.raises(RequestFault):
        read_imu(data, LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    tracemalloc.stop()


def test_the_longest_table_is_read_in_seconds() -> None:
    data = b"\n" + b"0.123456,-9.80665,1e-3,4,5,6\n" * LIMITS.max_rows
    start = time.perf_counter()
    assert read_imu(data, LIMITS).shape == (LIMITS.max_rows, 6)
    assert time.perf_counter() - start < 10
