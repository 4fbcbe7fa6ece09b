"""Pleiotropy: scores of the targets that two regulators share: the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .enrichment import NOTHING
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
    """NES (aREA) of each pair's shared targets, ranked among the regulator's own."""
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
        es = (-1.0 if directed < -NOTHING else 1.0) * (abs(directed) + max(undirected, 0.0))
        score[test] = es * np.sqrt((weight**2).sum()) / weight.max()
    return score
