"""Motion sensors to the input of ImageBind's network.

The official container means to turn its table on the side, and reshapes it instead: a "channel" of its input is a run
of rows whose six columns follow each other. Its vectors can only be compared with vectors made in the same way, so that
is the default.
"""

import numpy as np

from vecmod.serving.engine.engine import FloatArray

STEPS = 2000


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
