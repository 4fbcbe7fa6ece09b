"""Propagation along the edges of a graph: the reference, in float64."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Float = NDArray[np.float64]


def propagate(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    weights: Float,
    values: Float,
    recurrence: Float,
) -> Float:
    """Polynomial of a sparse matrix times a block of columns, by a three-term recurrence."""
    nodes = len(values)
    matrix = sp.csr_array((weights, indices, indptr), shape=(nodes, nodes))
    before, now = np.zeros_like(values), values.copy()
    for product, same, previous in recurrence:
        before, now = now, product * (matrix @ now) + same * now + previous * before
    return now
