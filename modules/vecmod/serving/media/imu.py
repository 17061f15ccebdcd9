"""Motion sensors: CSV to a table of numbers.

The form is the official container's: one line of names, which is skipped whatever stands in it, then six numbers in
each line, separated by commas (rotation about three axes, acceleration along them). That one fails with an internal
error where something else stands; here the line is named.
"""

import math

import numpy as np

from vecmod.contract.errors import TooLarge, Undecodable
from vecmod.serving.engine.engine import FloatArray
from vecmod.serving.media.limits import ImuLimits

COLUMNS = 6
# One line alone is what the official container cannot read, either.
_FEWEST = 2
# Six numbers with every digit that a double has take 150.
_LINE_BYTES = 1000
_LARGEST = float(np.finfo(np.float32).max)
# What Python reads as a number and no CSV means as one.
_NOT_IN_NUMBERS = b"_"


def read_imu(data: bytes, limits: ImuLimits) -> FloatArray:
    """Numbers float32 ``[rows, 6]``; blank lines are skipped.

    Raises:
        TooLarge: if it has too many lines.
        Undecodable: if a line is not six finite numbers, or there are fewer than two; naming the line.
    """
    if max(data.count(b"\n"), data.count(b"\r")) > limits.max_rows + 1:
        raise TooLarge(f"has more than {limits.max_rows} lines; send a shorter piece, or raise VECMOD_MAX_IMU_ROWS")
    lines = data.splitlines()[1:]
    if (fine := _at_once(lines)) is not None:
        return fine
    # Numbers of Python's take eight times as much memory.
    table, count = np.empty((len(lines), COLUMNS), np.float32), 0
    for number, line in enumerate(lines, start=2):
        if line.strip():
            table[count] = _row(number, line)
            count += 1
    if count < _FEWEST:
        raise Undecodable(
            f"has too few lines of numbers ({count}) below its first line, which is skipped as a line of names; "
            f"send at least {_FEWEST}"
        )
    return table[:count]


def _at_once(lines: list[bytes]) -> FloatArray | None:
    """The numbers, if there is nothing to complain of: ten times as fast as line by line, silent on what is wrong."""
    given = [line for line in lines if line.strip()]
    if len(given) < _FEWEST or max(map(len, given)) > _LINE_BYTES:
        return None
    try:
        table = np.loadtxt(given, np.float64, comments=None, delimiter=",", ndmin=2)
    except ValueError:
        return None
    is_whole = table.shape[1] == COLUMNS and bool((np.abs(table) <= _LARGEST).all())
    return table.astype(np.float32) if is_whole else None


def _row(number: int, line: bytes) -> list[float]:
    if len(line) > _LINE_BYTES:
        raise Undecodable(f"line {number} has {len(line)} bytes; send CSV with {COLUMNS} numbers in a line")
    cells = line.split(b",", COLUMNS)
    if len(cells) != COLUMNS:
        found = line.count(b",") + 1
        raise Undecodable(f"line {number} has {found} columns; send {COLUMNS} numbers separated by commas in each line")
    return [_number(number, cell) for cell in cells]


def _number(line: int, cell: bytes) -> float:
    try:
        value = math.nan if _NOT_IN_NUMBERS in cell else float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST:
        text = cell.strip().decode("ascii", "replace")[:40]
        raise Undecodable(f"line {line} has {text!r}, which is not a finite number; send numbers such as -0.25 or 9.81")
    return value
