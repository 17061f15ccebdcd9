"""Motion sensors to the input of ImageBind's network.

The official container means to turn its table on the side, and reshapes it instead: a "channel" of its input is a run
of rows whose six columns follow each other. Its vectors can only be compared with vectors made in the same way, so that
is the default.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from vecmod.serving.engine.engine import FloatArray, Inputs
from vecmod.serving.medium import Kind, Medium
from vecmod.serving.model.steps import Prepared, Steps

SENSORS = 6
STEPS = 2000


@dataclass(frozen=True)
class MotionSteps(Steps):
    """Six sensors over 2000 steps of time, as the one row of a picture with six channels.

    Attributes:
        turned: see :func:`prepare_motion`.
    """

    turned: bool = False
    kind = Kind.MOTION

    def prepare(self, medium: Medium) -> Prepared:
        """Numbers float32 ``[6, 1, 2000]``."""
        return Prepared(prepare_motion(cast("FloatArray", medium), turned=self.turned)[:, None])

    def blank(self) -> Inputs:
        """No motion."""
        return np.zeros((SENSORS, 1, STEPS), np.float32)

    def describe(self) -> str:
        """One line for ``/meta``."""
        layout = "turned on its side" if self.turned else "reshaped, as the official container does"
        return f"a table of {SENSORS} columns, {layout}, {STEPS} steps, not normalised"


def prepare_motion(table: FloatArray, *, turned: bool = False) -> FloatArray:
    """Network input float32 ``[columns, 2000]`` of a table ``[rows, columns]``: cut, or filled up with zeros.

    Args:
        table: numbers as read from the file, oldest first.
        turned: each column becomes a channel, as ImageBind was trained; else as the official container does.
    """
    rows, columns = table.shape
    channels = table.T if turned else table.reshape(columns, rows)
    kept = channels[:, :STEPS]
    prepared = np.zeros((columns, STEPS), np.float32)
    prepared[:, : kept.shape[1]] = kept
    return prepared
