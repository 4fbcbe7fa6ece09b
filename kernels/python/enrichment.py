"""aREA, weighted mean and the normal scores they stand on: the reference, in float64."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .ranks import average_ranks

Float = NDArray[np.float64]

NOTHING = 2.0**-40  # a directed part this small is rounding noise, and counts as positive


def normal_scores(ranks: NDArray[np.int32], offset: NDArray[np.int64], quantiles: Float) -> Float:
    """Look up the normal quantile of every rank; a missing value (rank 0) scores 0."""
    if ranks.size == 0:
        return np.zeros(ranks.shape)
    return np.where(ranks > 0, quantiles[offset[:, None] + ranks], 0.0)


def area(
    signature: Float,
    peak: NDArray[np.int32],
    offset: NDArray[np.int64],
    quantiles: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> tuple[Float, Float]:
    """Enrichment score and NES of every regulon in every cell; a missing gene weighs nothing."""
    weights = (~np.isnan(signature)).astype(np.float64)
    return weighted_area(
        signature, weights, True, peak, offset, quantiles, indptr, targets, mode, likelihood
    )


def weighted_area(
    signature: Float,
    weights: Float,
    weighted_norm: bool,
    peak: NDArray[np.int32],
    offset: NDArray[np.int64],
    quantiles: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> tuple[Float, Float]:
    """Enrichment (aREA) with a weight for every gene of every cell."""
    cells, regulons = len(signature), len(indptr) - 1
    score = np.full((cells, regulons), np.nan)
    nes = np.full((cells, regulons), np.nan)
    signed, unsigned = _both_tails(signature, peak, offset, quantiles)
    weights = np.where(np.isnan(signature), 0.0, weights)
    for regulon in range(regulons):
        edges = slice(indptr[regulon], indptr[regulon + 1])
        genes, tail = targets[edges], 1 - np.abs(mode[edges])
        if len(genes) == 0:
            continue
        weight = np.ascontiguousarray(weights[:, genes]) * likelihood[edges]
        total = weight.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            directed = _row_sums(weight * mode[edges] * signed[:, genes]) / total
            undirected = _row_sums(weight * tail * unsigned[:, genes]) / total
            norm = weight if weighted_norm else np.where(total[:, None] > 0, likelihood[edges], 0.0)
            factor = np.sqrt((norm**2).sum(axis=1)) / norm.max(axis=1)
        es = np.where(directed < -NOTHING, -1.0, 1.0) * (
            np.abs(directed) + np.maximum(undirected, 0.0)
        )
        score[:, regulon] = es
        nes[:, regulon] = es * factor
    return score, nes


def paired_area(
    signature: Float,
    peak: NDArray[np.int32],
    offset: NDArray[np.int64],
    quantiles: Float,
    cell: NDArray[np.int32],
    regulon: NDArray[np.int32],
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> tuple[Float, Float]:
    """Enrichment score and NES of given pairs of a cell and a regulon."""
    score, nes = np.full(len(cell), np.nan), np.full(len(cell), np.nan)
    signed, unsigned = _both_tails(signature, peak, offset, quantiles)
    for task, (row, own) in enumerate(zip(cell, regulon, strict=True)):
        edges = slice(indptr[own], indptr[own + 1])
        genes = targets[edges]
        weight = np.where(np.isnan(signature[row, genes]), 0.0, likelihood[edges])
        if not weight.any():
            continue
        directed = (weight * mode[edges] * signed[row, genes]).sum() / weight.sum()
        tail = 1 - np.abs(mode[edges])
        undirected = (weight * tail * unsigned[row, genes]).sum() / weight.sum()
        size = abs(directed) + max(undirected, 0.0)
        score[task] = -size if directed < -NOTHING else size
        nes[task] = score[task] * np.sqrt((weight**2).sum()) / weight.max()
    return score, nes


def weighted_mean(
    signature: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    weights: Float,
) -> Float:
    """Mean of the targets' values, weighted and signed; missing genes are left out."""
    present = ~np.isnan(signature)
    values = np.where(present, signature, 0.0)
    result = np.full((len(signature), len(indptr) - 1), np.nan)
    for regulon in range(len(indptr) - 1):
        edges = slice(indptr[regulon], indptr[regulon + 1])
        genes = targets[edges]
        total = _row_sums(present[:, genes] * np.abs(weights[edges]))
        with np.errstate(invalid="ignore", divide="ignore"):
            result[:, regulon] = _row_sums(values[:, genes] * weights[edges]) / total
    return result


def target_sums(
    cell: NDArray[np.int32],
    gene: NDArray[np.int32],
    value: NDArray[np.int64],
    n_cells: int,
    n_genes: int,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    weight: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Weighted sums of sparse whole numbers: a product of two sparse matrices."""
    values = sp.csr_array((value, (cell, gene)), shape=(n_cells, n_genes))
    regulons = sp.csr_array((weight, targets, indptr), shape=(len(indptr) - 1, n_genes))
    return np.ascontiguousarray((values @ regulons.T).toarray(), dtype=np.int64)


def _row_sums(terms: Float) -> Float:
    """Sum of each row, added up in one way however many rows there are."""
    return np.ascontiguousarray(terms).sum(axis=1)


def _both_tails(
    signature: Float, peak: NDArray[np.int32], offset: NDArray[np.int64], quantiles: Float
) -> tuple[Float, Float]:
    """Two-tail and one-tail scores of every gene, both from the same table."""
    ranks = average_ranks(signature)
    present = ranks > 0
    middle = present.sum(axis=1, dtype=np.int32)[:, None] + 1
    deviation = np.where(present, np.abs(ranks - middle), 0)
    own = deviation.max(axis=1, initial=0).astype(np.int32)
    largest = np.where(peak < 0, own, peak)[:, None]
    magnitude = np.where(present, 2 * deviation + middle - largest, 0)
    return normal_scores(ranks, offset, quantiles), normal_scores(magnitude, offset, quantiles)
