"""Means over groups of cells (pseudobulk): the reference, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def segment_means(
    values: NDArray[np.float64], segment: NDArray[np.int32], n_segments: int
) -> NDArray[np.float64]:
    """Mean of each gene over the cells of each segment; a segment without cells is NaN."""
    result = np.full((n_segments, values.shape[1]), np.nan)
    for index in range(n_segments):
        members = values[segment == index]
        if len(members):
            result[index] = members.sum(axis=0) / len(members)
    return result
