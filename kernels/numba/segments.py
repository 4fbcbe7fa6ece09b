"""Means over groups of cells (pseudobulk), compiled."""

from __future__ import annotations

import numpy as np
from numba import prange

from ._jit import parallel

_TILE = 64  # genes of one task


def segment_means(values, segment, n_segments):
    """Mean of each gene over the cells of each segment; a segment without cells is NaN."""
    return _segment_means(values, segment, n_segments)


@parallel
def _segment_means(values, segment, n_segments):
    cells, genes = values.shape
    result = np.zeros((n_segments, genes))
    members = np.zeros(n_segments)
    for cell in range(cells):
        members[segment[cell]] += 1
    for tile in prange((genes + _TILE - 1) // _TILE):
        start, stop = tile * _TILE, min(genes, (tile + 1) * _TILE)
        for cell in range(cells):
            for gene in range(start, stop):
                result[segment[cell], gene] += values[cell, gene]
        for s in range(n_segments):
            for gene in range(start, stop):
                result[s, gene] /= members[s]
    return result
