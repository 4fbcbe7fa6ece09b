"""Means over groups of cells (pseudobulk): the reference, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def segment_means(
    values: NDArray[np.float64], segment: NDArray[np.int32], n_segments: int
) -> NDArray[np.float64]:
    """Mean of each gene over the cells of each segment (pseudobulk).

    Parameters
    ----------
    values : (cells, genes) float64
    segment : (cells,) int32
        The segment 0 ... n_segments - 1 of each cell.
    n_segments : int

    Returns
    -------
    (segments, genes) float64
        NaN for a segment without cells.
    """
    result = np.full((n_segments, values.shape[1]), np.nan)
    for index in range(n_segments):
        members = values[segment == index]
        if len(members):
            result[index] = members.sum(axis=0) / len(members)
    return result
