"""Arrays that grow as results are found."""

from __future__ import annotations

import numpy as np

from ._jit import jit


@jit
def longer(values, used, room):
    """A copy of the first `used` values with room for more."""
    out = np.empty(room, dtype=values.dtype)
    for k in range(used):  # assigning slices takes Numba a second to compile
        out[k] = values[k]
    return out
