"""Weighted running sum and its permutations, compiled: the sum visits only the targets."""

from __future__ import annotations

import numpy as np
from numba import prange

from .._constants import NOISE
from ._jit import jit, parallel, popcount
from ._sorting import scratch, sort_row, tie_end

_ONE = np.uint64(1)


def running_sum(signature, weight, indptr, targets):
    """Largest excursion of the running sum of each regulon in each cell."""
    none = np.zeros((0, signature.shape[1]), np.int32)
    return permuted_running_sum(signature, weight, none, indptr, targets)[0]


@parallel
def permuted_running_sum(signature, weight, permutations, indptr, targets):
    """Score; mean and number of permuted scores of its sign; number at least as extreme."""
    cells, genes = signature.shape
    regulons = len(indptr) - 1
    score = np.zeros((cells, regulons))
    mean = np.zeros((cells, regulons))
    same = np.zeros((cells, regulons), np.int64)
    extreme = np.zeros((cells, regulons), np.int64)
    for cell in prange(cells):
        space = scratch(genes)
        place = np.empty(genes, np.int64)
        first = np.empty(genes, np.int64)
        last = np.empty(genes, np.int64)
        n = _descend_row(signature[cell], space, place, first, last)
        heights = np.empty(genes)
        for gene in range(genes):
            heights[place[gene]] = weight[cell, gene]
        marks = np.zeros(genes // 64 + 1, np.uint64)
        moved = np.arange(genes)
        for r in range(regulons):
            score[cell, r] = _one(
                targets, indptr[r], indptr[r + 1], place, moved, n, heights, first, last, marks
            )
        for p in range(len(permutations)):
            where = 0
            for j in range(genes):
                if permutations[p, j] < n:
                    moved[permutations[p, j]] = where
                    where += 1
            for r in range(regulons):
                null = _one(
                    targets, indptr[r], indptr[r + 1], place, moved, n, heights, first, last, marks
                )
                observed = score[cell, r]
                if (null >= 0) == (observed >= 0):
                    mean[cell, r] += null
                    same[cell, r] += 1
                    extreme[cell, r] += abs(null) >= abs(observed) - NOISE
        for r in range(regulons):
            if same[cell, r] > 0:
                mean[cell, r] /= same[cell, r]
    return score, mean, same, extreme


@jit
def _descend_row(values, space, place, first, last):
    """Positions of a row's values by decreasing value; returns the number that are not NaN.

    `place[i]` is the position of column i (ties by column; missing values last, by column), `first`
    and `last` are the ends of the tie of each position.
    """
    n = sort_row(values, space)
    words, mask = space[1], space[4]
    start = 0
    while start < n:
        stop = tie_end(space, start, n)
        for i in range(start, stop):
            where = n - stop + i - start
            place[np.int64(words[i] & mask)] = where
            first[where] = n - stop
            last[where] = n - start - 1
        start = stop
    where = n
    for i in range(len(values)):
        if values[i] != values[i]:
            place[i] = where
            first[where] = n
            last[where] = len(values) - 1
            where += 1
    return n


@jit
def _one(targets, start, stop, place, moved, n, heights, first, last, marks):
    """Largest excursion for one regulon; `marks` (0 before and after) sorts the positions."""
    hits, low, high = 0, len(marks), -1
    for e in range(start, stop):
        at = place[targets[e]]
        if at < n:
            at = moved[at]
            word = at >> 6
            marks[word] |= _ONE << np.uint64(at & 63)
            low, high = min(low, word), max(high, word)
            hits += 1
    total = 0.0
    for word in range(low, high + 1):
        left = marks[word]
        while left:
            bit = popcount((left & (~left + _ONE)) - _ONE)
            total += heights[word * 64 + bit]
            left &= left - _ONE
    misses = max(1, n - hits)  # avoids division by 0; without misses the numerator is 0
    top, bottom = 0.0, 0.0
    gained, before, tie = 0.0, 0, -1
    passed = 0  # targets before this position
    for word in range(low, high + 1):
        left = marks[word]
        marks[word] = np.uint64(0)
        while left and total > 0:
            bit = popcount((left & (~left + _ONE)) - _ONE)
            left &= left - _ONE
            at = word * 64 + bit
            if first[at] != tie:
                if tie >= 0:
                    top = max(top, gained / total - (before + 1 - passed) / misses)
                bottom = min(bottom, gained / total - (first[at] - passed) / misses)
                tie = first[at]
                before = last[at]
            gained += heights[at]
            passed += 1
    if tie >= 0:
        top = max(top, gained / total - (before + 1 - passed) / misses)
    return top if top > NOISE - bottom else bottom
