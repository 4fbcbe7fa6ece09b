"""NaRnEA, compiled: one thread per tile of cells."""

from __future__ import annotations

import numpy as np
from numba import prange

from ._jit import jit, parallel
from ._sorting import rank_row, scratch

_TILE = 16


@parallel
def narnea(magnitude, sign, indptr, targets, mode, likelihood, by_likelihood):
    """Directed D, undirected U, their correlation; the largest and smallest possible D, and U."""
    cells, genes = magnitude.shape
    regulons = len(indptr) - 1
    result = np.full((6, cells, regulons), np.nan)
    for tile in prange((cells + _TILE - 1) // _TILE):
        space = scratch(genes)
        ranks = np.empty(genes, np.int32)
        for cell in range(tile * _TILE, min(cells, (tile + 1) * _TILE)):
            n = rank_row(magnitude[cell], space, ranks)
            if n == 0:
                continue
            first, second = _signed_means(ranks, sign[cell], n)
            for r in range(regulons):
                _score(
                    ranks,
                    sign[cell],
                    n,
                    first,
                    second,
                    indptr[r],
                    indptr[r + 1],
                    targets,
                    mode,
                    likelihood,
                    by_likelihood,
                    result[:, cell, r],
                )
    return result[0], result[1], result[2], result[3], result[4], result[5]


@jit
def _signed_means(ranks, sign, n):
    """Mean of the signed ranks and of the signed squared ranks (from integers)."""
    first, second = np.int64(0), np.int64(0)
    for gene in range(len(ranks)):
        rank = np.int64(ranks[gene])
        first += rank * sign[gene]
        second += rank * rank * sign[gene]
    return first / 2 / n, second / 4 / n


@jit
def _score(
    ranks, sign, n, first, second, start, stop, targets, mode, likelihood, by_likelihood, out
):
    sum_d, sum_u, square_d, square_u, product = 0.0, 0.0, 0.0, 0.0, 0.0
    score_d, score_u, best_d, best_u = 0.0, 0.0, 0.0, 0.0
    for e in range(start, stop):
        rank = ranks[targets[e]]
        if rank > 0:
            directed = likelihood[e] * mode[e]
            undirected = likelihood[e] * (1 - abs(mode[e]))
            sum_d += directed
            sum_u += undirected
            square_d += directed * directed
            square_u += undirected * undirected
            product += directed * undirected
            score_d += directed * (rank / 2) * sign[targets[e]]
            score_u += undirected * (rank / 2)
    largest = float(n)
    for k in range(start, stop):
        e = start + by_likelihood[k]
        if ranks[targets[e]] > 0:
            best_d += abs(likelihood[e] * mode[e]) * largest
            best_u += likelihood[e] * (1 - abs(mode[e])) * largest
            largest -= 1
    centre = (n + 1) / 2
    square = (2.0 * n * n + 3.0 * n + 1) / 6
    spread_d = np.sqrt(square_d * (square - first * first))
    spread_u = np.sqrt(square_u * (square - centre * centre))
    out[0] = (score_d - first * sum_d) / spread_d
    out[1] = (score_u - centre * sum_u) / spread_u
    out[2] = product * (second - first * centre) / (spread_d * spread_u)
    out[3] = (best_d - first * sum_d) / spread_d
    out[4] = (-best_d - first * sum_d) / spread_d
    out[5] = (best_u - centre * sum_u) / spread_u
