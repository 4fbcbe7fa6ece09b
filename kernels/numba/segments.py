"""Means over groups of cells (pseudobulk), compiled."""

from __future__ import annotations

import numpy as np
from numba import prange

from ._jit import parallel_from

_TILE = 512  # genes of one task: their sums fit into the L1 cache


def segment_means(values, segment, n_segments):
    """Mean of each gene over the cells of each segment; NaN for segments without cells."""
    order = np.argsort(segment, kind="stable")
    first = np.searchsorted(segment[order], np.arange(n_segments + 1))
    return _segment_means(values, order, first)


@parallel_from(1 << 21)
def _segment_means(values, order, first):
    genes, segments = values.shape[1], len(first) - 1
    tiles = (genes + _TILE - 1) // _TILE
    result = np.zeros((segments, genes))
    for task in prange(segments * tiles):
        s, start = task // tiles, task % tiles * _TILE
        stop = min(genes, start + _TILE)
        row = result[s, start:stop]
        for member in range(first[s], first[s + 1]):
            cell = values[order[member], start:stop]
            for gene in range(len(row)):
                row[gene] += cell[gene]
        for gene in range(len(row)):
            row[gene] /= first[s + 1] - first[s]
    return result
