"""Pleiotropy: scores of targets that two regulators share: the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._constants import NOISE
from .ranks import average_ranks

Float = NDArray[np.float64]


def shared_target_scores(
    signature: Float,
    direction: NDArray[np.int32],
    cell: NDArray[np.int32],
    pair: NDArray[np.int32],
    regulator: NDArray[np.int32],
    shared_indptr: NDArray[np.int64],
    shared: NDArray[np.int32],
    quantiles: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> Float:
    """NES of the targets that a regulator shares with another (Alvarez et al. 2016).

    A test is a cell and a pair: a regulator and, implied by `shared`, another. The n targets of the
    regulator that have a value in the cell are ranked among themselves and scored as in `area`,
    with t2 times `direction`; the result is the NES of the shared ones:

        D = direction sum l m t2 / sum l,   U = sum l (1 - |m|) t1 / sum l
        NES = sign(D) (|D| + max(U, 0)) sqrt(sum l^2) / max l

    Parameters
    ----------
    signature : (cells, genes) float64
        Only the order of a cell's values matters. NaN is missing.
    direction : (tests,) int32
        1 or -1.
    cell, pair : (tests,) int32
        Indices of the cell and of the pair of each test.
    regulator : (pairs,) int32
        Index of the regulator of each pair.
    shared_indptr : (pair_ends,) int64
        Pair i has the entries ``shared_indptr[i] ... shared_indptr[i + 1] - 1`` of `shared`.
    shared : (shared,) int32
        Shared targets, as positions within the regulator's targets.
    quantiles : (entries,) float64
        The tables of `area` for n = 0, 1, 2, ...: that of n starts at n (n + 2).
    indptr : (ends,) int64
        Regulon i has the edges ``indptr[i] ... indptr[i + 1] - 1``.
    targets : (edges,) int32
        Gene indices.
    mode : (edges,) float64
        Modes of regulation m, -1 ... 1.
    likelihood : (edges,) float64
        Likelihoods l, at least 0.

    Returns
    -------
    (tests,) float64
        NaN where no shared target has a value.
    """
    score = np.full(len(cell), np.nan)
    for test in range(len(cell)):
        own = regulator[pair[test]]
        edges = np.arange(indptr[own], indptr[own + 1])
        ranks = average_ranks(signature[cell[test], targets[edges]][None])[0]
        n = int(np.sum(ranks > 0))
        table = quantiles[n * (n + 2) :]
        deviation = np.where(ranks > 0, np.abs(ranks - (n + 1)), 0)
        signed = np.where(ranks > 0, table[ranks], 0.0) * direction[test]
        magnitude = np.where(ranks > 0, 2 * deviation + (n + 1) - deviation.max(initial=0), 0)
        unsigned = np.where(ranks > 0, table[magnitude], 0.0)
        at = shared[shared_indptr[pair[test]] : shared_indptr[pair[test] + 1]]
        weight = np.where(ranks[at] > 0, likelihood[edges[at]], 0.0)
        if not weight.any():
            continue
        modes = mode[edges[at]]
        directed = (weight * modes * signed[at]).sum() / weight.sum()
        undirected = (weight * (1 - np.abs(modes)) * unsigned[at]).sum() / weight.sum()
        es = (-1.0 if directed < -NOISE else 1.0) * (abs(directed) + max(undirected, 0.0))
        score[test] = es * np.sqrt((weight**2).sum()) / weight.max()
    return score
