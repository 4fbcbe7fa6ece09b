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
    """Polynomial of a sparse matrix times a block of columns, by a three-term recurrence.

    With P the matrix, X the values and (a, b, c) row k of `recurrence`,

        Y_0 = X,  Y_-1 = 0,  Y_(k+1) = a_k P Y_k + b_k Y_k + c_k Y_(k-1)

    The result is the last Y. The use of such polynomials as filters of a graph: Zhou et al. 2006.

    Parameters
    ----------
    indptr : (ends,) int64
        Row i of P has the entries ``indptr[i] ... indptr[i + 1] - 1`` of the next two.
    indices : (edges,) int32
        Columns of P.
    weights : (edges,) float64
        Values of P, finite.
    values : (nodes, components) float64
        X, finite.
    recurrence : (steps, terms) float64
        Three terms for each step.

    Returns
    -------
    (nodes, components) float64
    """
    nodes = len(values)
    matrix = sp.csr_array((weights, indices, indptr), shape=(nodes, nodes))
    before, now = np.zeros_like(values), values.copy()
    for product, same, previous in recurrence:
        before, now = now, product * (matrix @ now) + same * now + previous * before
    return now
