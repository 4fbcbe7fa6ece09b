"""Weighted running sum (GSEA) and its permutations: the reference, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._constants import NOISE

Float = NDArray[np.float64]
Counts = NDArray[np.int64]


def running_sum(
    signature: Float,
    weight: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
) -> Float:
    """Weighted Kolmogorov-Smirnov running sum (Subramanian et al. 2005).

    In order of the decreasing signature of a cell, with targets T of weights w among n genes,

        S(j) = sum_{i <= j, i in T} w_i / sum_T w  -  #{i <= j, i not in T} / (n - |T|)

    The score is the largest excursion of S from 0; the negative one if both are equal to 2^-40.
    Tied genes form one step. Genes without a value are ignored.

    Parameters
    ----------
    signature : (cells, genes) float64
        Only the order of a cell's values matters. NaN is missing.
    weight : (cells, genes) float64
        Weight of a gene as a target, at least 0.
    indptr : (ends,) int64
        Regulon i has the edges ``indptr[i] ... indptr[i + 1] - 1``.
    targets : (edges,) int32
        Gene indices.

    Returns
    -------
    (cells, regulons) float64
        -1 ... 1; 1 if every gene is a target, 0 if the targets' weights are all 0.
    """
    score = np.zeros((len(signature), len(indptr) - 1))
    for cell, values in enumerate(signature):
        order, first, last = _positions(values)
        place = np.empty(len(values), dtype=np.int64)
        place[order] = np.arange(len(values))
        heights = weight[cell, order]
        for regulon in range(len(indptr) - 1):
            genes = targets[indptr[regulon] : indptr[regulon + 1]]
            hits = np.sort(place[genes[~np.isnan(values[genes])]])
            present = int(np.sum(~np.isnan(values)))
            score[cell, regulon] = _excursion(hits, heights, first, last, present)
    return score


def permuted_running_sum(
    signature: Float,
    weight: Float,
    permutations: NDArray[np.int32],
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
) -> tuple[Float, Float, Counts, Counts]:
    """Score of `running_sum`, compared with permutations of the targets (Subramanian et al. 2005).

    Permutation p moves the targets to the positions j of the decreasing signature for which
    ``permutations[p, j]`` is the position of a target. Tied genes are in the order of the columns.

    Parameters
    ----------
    signature : (cells, genes) float64
        Only the order of a cell's values matters. NaN is missing.
    weight : (cells, genes) float64
        Weight of a gene as a target, at least 0.
    permutations : (permutations, genes) int32
        Each row a permutation of 0 ... genes - 1.
    indptr : (ends,) int64
        Regulon i has the edges ``indptr[i] ... indptr[i + 1] - 1``.
    targets : (edges,) int32
        Gene indices.

    Returns
    -------
    (cells, regulons) float64
        The score.
    (cells, regulons) float64
        Mean of the permuted scores of the same sign (0 counts as positive); 0 without any.
    (cells, regulons) int64
        Number of these permuted scores.
    (cells, regulons) int64
        Number of those that are at least as far from 0 as the score, to 2^-40.
    """
    score = running_sum(signature, weight, indptr, targets)
    mean = np.zeros(score.shape)
    same = np.zeros(score.shape, dtype=np.int64)
    extreme = np.zeros(score.shape, dtype=np.int64)
    for cell, values in enumerate(signature):
        order, first, last = _positions(values)
        place = np.empty(len(values), dtype=np.int64)
        place[order] = np.arange(len(values))
        heights = weight[cell, order]
        present = int(np.sum(~np.isnan(values)))
        for regulon in range(score.shape[1]):
            genes = targets[indptr[regulon] : indptr[regulon + 1]]
            at = place[genes[~np.isnan(values[genes])]]
            null = np.array(
                [
                    _excursion(
                        np.sort(_moved(shuffled, at, present)), heights, first, last, present
                    )
                    for shuffled in permutations
                ]
            )
            observed = score[cell, regulon]
            alike = null >= 0 if observed >= 0 else null < 0
            same[cell, regulon] = alike.sum()
            beyond = np.abs(null) >= np.abs(observed) - NOISE
            extreme[cell, regulon] = (alike & beyond).sum()
            if alike.any():
                mean[cell, regulon] = np.add.accumulate(null[alike])[-1] / alike.sum()
    return score, mean, same, extreme


def _positions(values: Float) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Genes by decreasing value (missing last); first and last position of each one's tie."""
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    starts = np.ones(len(values), dtype=bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    first = np.flatnonzero(starts)[np.cumsum(starts) - 1] if len(values) else order
    ends = np.append(starts[1:], True) if len(values) else starts
    last = np.flatnonzero(ends)[np.cumsum(starts) - 1] if len(values) else order
    return order, first, last


def _moved(
    shuffled: NDArray[np.int32], places: NDArray[np.int64], present: int
) -> NDArray[np.int64]:
    """Positions of the hits after a permutation, among the positions that hold a value."""
    kept = shuffled[shuffled < present]
    target = np.empty(present, dtype=np.int64)
    target[kept] = np.arange(present)
    return target[places]


def _excursion(
    hits: NDArray[np.int64],
    heights: Float,
    first: NDArray[np.intp],
    last: NDArray[np.intp],
    present: int,
) -> float:
    """Largest excursion for hits at ascending positions.

    Tied genes form one step: the sum is evaluated before and after a tie, never inside it, so the
    order of tied genes does not matter. If every gene is a target, nothing is subtracted, and the
    sum ends at 1.
    """
    misses = max(1, present - len(hits))  # avoids division by 0; without misses the numerator is 0
    total = np.add.accumulate(heights[hits])[-1] if len(hits) else 0.0
    if total == 0:
        return 0.0
    gained = np.add.accumulate(heights[hits]) / total
    after = np.searchsorted(hits, last[hits], side="right")  # hits up to the end of the tie
    before = np.searchsorted(hits, first[hits], side="left")  # hits before the tie
    top = (gained[after - 1] - (last[hits] + 1 - after) / misses).max(initial=0.0)
    ahead = np.where(before > 0, gained[np.maximum(before, 1) - 1], 0.0)
    bottom = (ahead - (first[hits] - before) / misses).min(initial=0.0)
    return float(top if top > NOISE - bottom else bottom)
