"""Scores of shared targets, compiled: one thread per run of tests."""

from __future__ import annotations

import numpy as np
from numba import prange

from .._constants import NOISE
from ._jit import parallel
from ._sorting import rank_row, scratch

_TILE = 256  # tests of one task; neighbours mostly share cell and regulator


@parallel
def shared_target_scores(
    signature,
    direction,
    cell,
    pair,
    regulator,
    shared_indptr,
    shared,
    quantiles,
    indptr,
    targets,
    mode,
    likelihood,
):
    """NES (aREA) of each pair's shared targets, ranked among the regulator's own."""
    tests = len(cell)
    score = np.full(tests, np.nan)
    longest = 0
    for r in range(len(indptr) - 1):
        longest = max(longest, indptr[r + 1] - indptr[r])
    for tile in prange((tests + _TILE - 1) // _TILE):
        space = scratch(longest)
        values = np.empty(longest)
        ranks = np.zeros(longest, np.int32)
        last_cell, last_own, n, largest = -1, -1, 0, 0
        for test in range(tile * _TILE, min(tests, (tile + 1) * _TILE)):
            own = regulator[pair[test]]
            start = indptr[own]
            size = indptr[own + 1] - start
            if cell[test] != last_cell or own != last_own:
                for i in range(size):
                    values[i] = signature[cell[test], targets[start + i]]
                n = rank_row(values[:size], space, ranks[:size])
                largest = 0
                for i in range(size):
                    if ranks[i] > 0:
                        largest = max(largest, abs(ranks[i] - (n + 1)))
                last_cell, last_own = cell[test], own
            table = n * (n + 2)
            sum_d, sum_u, total, square, most = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(shared_indptr[pair[test]], shared_indptr[pair[test] + 1]):
                i = shared[k]
                if ranks[i] > 0:
                    weight = likelihood[start + i]
                    modes = mode[start + i]
                    magnitude = 2 * abs(ranks[i] - (n + 1)) + (n + 1) - largest
                    sum_d += weight * modes * quantiles[table + ranks[i]] * direction[test]
                    sum_u += weight * (1 - abs(modes)) * quantiles[table + magnitude]
                    total += weight
                    square += weight * weight
                    most = max(most, weight)
            if most > 0:
                directed = sum_d / total
                es = abs(directed) + max(sum_u / total, 0.0)
                es = -es if directed < -NOISE else es
                score[test] = es * np.sqrt(square) / most
    return score
