"""aREA, weighted mean and normal scores, compiled: one thread a tile of cells."""

from __future__ import annotations

import numpy as np
from numba import prange

from ._jit import jit, parallel
from ._order import rank_row, scratch

_NOTHING = 2.0**-40  # a directed part this small counts as positive
_TILE = 16  # cells that share working space


def normal_scores(ranks, offset, quantiles):
    """Look up the normal quantile of every rank; a missing value (rank 0) scores 0."""
    return _normal_scores(ranks, offset, quantiles)


def area(signature, peak, offset, quantiles, indptr, targets, mode, likelihood):
    """Enrichment score and NES of every regulon in every cell; a missing gene weighs nothing."""
    tail = likelihood * (1 - np.abs(mode))
    return _area(
        signature, peak, offset, quantiles, indptr, targets, likelihood * mode, tail, likelihood
    )


def weighted_area(
    signature,
    weights,
    weighted_norm,
    peak,
    offset,
    quantiles,
    indptr,
    targets,
    mode,
    likelihood,
):
    """aREA with a weight for every gene of every cell."""
    return _weighted_area(
        signature,
        weights,
        weighted_norm,
        peak,
        offset,
        quantiles,
        indptr,
        targets,
        mode,
        likelihood,
    )


def paired_area(
    signature, peak, offset, quantiles, cell, regulon, indptr, targets, mode, likelihood
):
    """Enrichment score and NES of given pairs of a cell and a regulon."""
    if len(cell) == 0:
        return np.zeros(0), np.zeros(0)
    return _paired_area(
        signature, peak, offset, quantiles, cell, regulon, indptr, targets, mode, likelihood
    )


def weighted_mean(signature, indptr, targets, weights):
    """Mean of the targets' values, weighted and signed; missing genes are left out."""
    return _weighted_mean(signature, indptr, targets, weights)


@parallel
def _normal_scores(ranks, offset, quantiles):
    scores = np.zeros(ranks.shape)
    for cell in prange(len(ranks)):
        for gene in range(ranks.shape[1]):
            if ranks[cell, gene] > 0:
                scores[cell, gene] = quantiles[offset[cell] + ranks[cell, gene]]
    return scores


@jit
def _both_tails(ranks, n, peak, offset, quantiles, scores):
    """Two-tail and one-tail score of each gene, side by side."""
    middle = n + 1
    largest = peak
    if peak < 0:
        largest = 0
        for gene in range(len(ranks)):
            if ranks[gene] > 0:
                largest = max(largest, abs(ranks[gene] - middle))
    for gene in range(len(ranks)):
        if ranks[gene] > 0:
            deviation = abs(ranks[gene] - middle)
            scores[gene, 0] = quantiles[offset + ranks[gene]]
            scores[gene, 1] = quantiles[offset + 2 * deviation + middle - largest]
        else:
            scores[gene, 0] = 0.0
            scores[gene, 1] = 0.0


@jit
def _joined(directed, undirected):
    """Directed and undirected parts as one score; a directed part of 0 counts as positive."""
    size = abs(directed) + max(undirected, 0.0)
    return -size if directed < -_NOTHING else size


@parallel
def _area(signature, peak, offset, quantiles, indptr, targets, directed, tail, likelihood):
    cells, genes = signature.shape
    regulons = len(indptr) - 1
    score = np.empty((cells, regulons))
    nes = np.empty((cells, regulons))
    total = np.zeros(regulons)
    factor = np.zeros(regulons)
    for r in range(regulons):
        square, largest = 0.0, 0.0
        for e in range(indptr[r], indptr[r + 1]):
            total[r] += likelihood[e]
            square += likelihood[e] ** 2
            largest = max(largest, likelihood[e])
        factor[r] = np.sqrt(square) / largest
    for tile in prange((cells + _TILE - 1) // _TILE):
        space = scratch(genes)
        ranks = np.empty(genes, np.int32)
        scores = np.empty((genes, 2))
        for cell in range(tile * _TILE, min(cells, (tile + 1) * _TILE)):
            n = rank_row(signature[cell], space, ranks)
            _both_tails(ranks, n, peak[cell], offset[cell], quantiles, scores)
            for r in range(regulons):
                start, stop = indptr[r], indptr[r + 1]
                sum_d, sum_t, sum_l, scale = 0.0, 0.0, total[r], factor[r]
                for e in range(start, stop):
                    gene = targets[e]
                    sum_d += directed[e] * scores[gene, 0]
                    sum_t += tail[e] * scores[gene, 1]
                if n < genes:
                    sum_l, scale = _present(ranks, targets, likelihood, start, stop)
                es = np.nan
                if stop > start and sum_l > 0:
                    es = _joined(sum_d / sum_l, sum_t / sum_l)
                score[cell, r] = es
                nes[cell, r] = es * scale
    return score, nes


@jit
def _present(ranks, targets, likelihood, start, stop):
    """Sum and factor of the likelihoods of the targets that have a value."""
    total, square, largest = 0.0, 0.0, 0.0
    for e in range(start, stop):
        if ranks[targets[e]] > 0:
            total += likelihood[e]
            square += likelihood[e] ** 2
            largest = max(largest, likelihood[e])
    return total, np.sqrt(square) / largest


@parallel
def _weighted_area(
    signature, weights, weighted_norm, peak, offset, quantiles, indptr, targets, mode, likelihood
):
    cells, genes = signature.shape
    regulons = len(indptr) - 1
    score = np.full((cells, regulons), np.nan)
    nes = np.full((cells, regulons), np.nan)
    for tile in prange((cells + _TILE - 1) // _TILE):
        space = scratch(genes)
        ranks = np.empty(genes, np.int32)
        scores = np.empty((genes, 2))
        for cell in range(tile * _TILE, min(cells, (tile + 1) * _TILE)):
            n = rank_row(signature[cell], space, ranks)
            _both_tails(ranks, n, peak[cell], offset[cell], quantiles, scores)
            for r in range(regulons):
                sum_d, sum_t, sum_l, square, largest = 0.0, 0.0, 0.0, 0.0, 0.0
                for e in range(indptr[r], indptr[r + 1]):
                    gene = targets[e]
                    weight = likelihood[e] * weights[cell, gene] if ranks[gene] > 0 else 0.0
                    sum_l += weight
                    sum_d += weight * mode[e] * scores[gene, 0]
                    sum_t += weight * (1 - abs(mode[e])) * scores[gene, 1]
                    norm = weight if weighted_norm else likelihood[e]
                    square += norm * norm
                    largest = max(largest, norm)
                if sum_l > 0:
                    score[cell, r] = _joined(sum_d / sum_l, sum_t / sum_l)
                    nes[cell, r] = score[cell, r] * np.sqrt(square) / largest
    return score, nes


@parallel
def _paired_area(
    signature, peak, offset, quantiles, cell, regulon, indptr, targets, mode, likelihood
):
    cells, genes = signature.shape
    ranks = np.zeros((cells, genes), np.int32)
    scores = np.empty((cells, genes, 2))
    for tile in prange((cells + _TILE - 1) // _TILE):
        space = scratch(genes)
        for c in range(tile * _TILE, min(cells, (tile + 1) * _TILE)):
            n = rank_row(signature[c], space, ranks[c])
            _both_tails(ranks[c], n, peak[c], offset[c], quantiles, scores[c])
    score = np.full(len(cell), np.nan)
    nes = np.full(len(cell), np.nan)
    for task in prange(len(cell)):
        c = cell[task]
        start, stop = indptr[regulon[task]], indptr[regulon[task] + 1]
        sum_d, sum_t = 0.0, 0.0
        for e in range(start, stop):
            gene = targets[e]
            sum_d += likelihood[e] * mode[e] * scores[c, gene, 0]
            sum_t += likelihood[e] * (1 - abs(mode[e])) * scores[c, gene, 1]
        total, factor = _present(ranks[c], targets, likelihood, start, stop)
        if total > 0:
            score[task] = _joined(sum_d / total, sum_t / total)
            nes[task] = score[task] * factor
    return score, nes


@parallel
def _weighted_mean(signature, indptr, targets, weights):
    cells = len(signature)
    regulons = len(indptr) - 1
    result = np.empty((cells, regulons))
    for cell in prange(cells):
        for r in range(regulons):
            value, total = 0.0, 0.0
            for e in range(indptr[r], indptr[r + 1]):
                x = signature[cell, targets[e]]
                if x == x:
                    value += weights[e] * x
                    total += abs(weights[e])
            result[cell, r] = value / total
    return result
