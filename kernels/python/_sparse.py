"""Dense form of sparse cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dense(
    zero: NDArray[np.float64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    gene: NDArray[np.int32],
    value: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Values [cells genes], those of `zero` where a cell stores none."""
    result = np.repeat(zero[None], len(start), axis=0)
    for cell, (first, last) in enumerate(zip(start, stop, strict=True)):
        own = first + np.flatnonzero(gene[first:last] >= 0)
        result[cell, gene[own]] = value[own]
    return result
