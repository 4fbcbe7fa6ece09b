"""aREA, weighted mean and normal scores: the reference, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._constants import NOISE, NOWHERE
from ._sparse import dense
from .ranks import average_ranks

Float = NDArray[np.float64]


def normal_scores(
    ranks: NDArray[np.int32], table_start: NDArray[np.int64], quantiles: Float
) -> Float:
    """Normal quantiles of ranks: ``quantiles[table_start[cell] + rank]``.

    Parameters
    ----------
    ranks : (cells, genes) int32
        Twice the average ranks; 0 is missing.
    table_start : (cells,) int64
        Start of the table of each cell.
    quantiles : (entries,) float64
        Tables of Phi^-1(i / (2 (n + 1))), i = 0 ... 2 (n + 1), for cells of n values.

    Returns
    -------
    (cells, genes) float64
        0 for missing values.
    """
    if ranks.size == 0:
        return np.zeros(ranks.shape)
    return np.where(ranks > 0, quantiles[table_start[:, None] + ranks], 0.0)


def area(
    signature: Float,
    max_rank_deviation: NDArray[np.int32],
    table_start: NDArray[np.int64],
    quantiles: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> tuple[Float, Float]:
    """Analytic rank-based enrichment analysis, aREA (Alvarez et al. 2016).

    With r twice the average rank of a gene among the n genes of a cell that have a value,
    v = |r - (n + 1)|, and the normal quantiles

        t2 = Phi^-1(r / (2 (n + 1))),   t1 = Phi^-1((2 v + (n + 1) - max v) / (2 (n + 1)))

    a regulon with modes m and likelihoods l, over its targets that have a value, has

        D = sum l m t2 / sum l,   U = sum l (1 - |m|) t1 / sum l
        ES = sign(D) (|D| + max(U, 0)),   NES = ES sqrt(sum l^2) / max l

    The sign is +1 if D is not below -2^-40, so that rounding noise does not decide it.

    Parameters
    ----------
    signature : (cells, genes) float64
        Only the order of a cell's values matters. NaN is missing.
    max_rank_deviation : (cells,) int32
        Replaces max v; -1 for the cell's own.
    table_start : (cells,) int64
        Start of the table for a cell's n in `quantiles`.
    quantiles : (entries,) float64
        Tables of Phi^-1(i / (2 (n + 1))), i = 0 ... 2 (n + 1).
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
    (cells, regulons) float64
        Enrichment scores ES; NaN where no target has a value.
    (cells, regulons) float64
        Normalised enrichment scores NES.
    """
    weights = (~np.isnan(signature)).astype(np.float64)
    return weighted_area(
        signature,
        weights,
        True,
        max_rank_deviation,
        table_start,
        quantiles,
        indptr,
        targets,
        mode,
        likelihood,
    )


def sparse_area(
    zero: Float,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    gene: NDArray[np.int32],
    value: Float,
    max_rank_deviation: NDArray[np.int32],
    table_start: NDArray[np.int64],
    quantiles: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> tuple[Float, Float]:
    """Enrichment (`area`) of sparse signatures, whose values are `zero` where a cell stores none.

    Parameters
    ----------
    zero : (genes,) float64
        Values of the genes that a cell does not store. NaN is missing.
    start, stop : (cells,) int64
        A cell stores the values ``start ... stop - 1``.
    gene : (stored,) int32
        Gene of each stored value, not repeated within a cell; skipped if below 0.
    value : (stored,) float64
        Stored values. NaN is missing.
    max_rank_deviation : (cells,) int32
        Replaces max v; -1 for the cell's own.
    table_start : (cells,) int64
        Start of the table for a cell's n in `quantiles`.
    quantiles : (entries,) float64
        Tables of Phi^-1(i / (2 (n + 1))), i = 0 ... 2 (n + 1).
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
    (cells, regulons) float64
        Enrichment scores ES; NaN where no target has a value.
    (cells, regulons) float64
        Normalised enrichment scores NES.
    """
    signature = dense(zero, start, stop, gene, value)
    return area(
        signature, max_rank_deviation, table_start, quantiles, indptr, targets, mode, likelihood
    )


def weighted_area(
    signature: Float,
    weights: Float,
    weighted_norm: bool,
    max_rank_deviation: NDArray[np.int32],
    table_start: NDArray[np.int64],
    quantiles: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> tuple[Float, Float]:
    """Enrichment (`area`) with a weight w for every gene of every cell: l becomes l w.

    Parameters
    ----------
    signature : (cells, genes) float64
        Only the order of a cell's values matters. NaN is missing.
    weights : (cells, genes) float64
        At least 0.
    weighted_norm : bool
        Whether l w is also used in the factor sqrt(sum l^2) / max l, not only in the sums. If not,
        the factor is that of all targets, including those without a value.
    max_rank_deviation : (cells,) int32
        Replaces max v; -1 for the cell's own.
    table_start : (cells,) int64
        Start of the table for a cell's n in `quantiles`.
    quantiles : (entries,) float64
        Tables of Phi^-1(i / (2 (n + 1))), i = 0 ... 2 (n + 1).
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
    (cells, regulons) float64
        Enrichment scores ES; NaN where the weights of all targets are 0 or missing.
    (cells, regulons) float64
        Normalised enrichment scores NES.
    """
    cells, regulons = len(signature), len(indptr) - 1
    score = np.full((cells, regulons), np.nan)
    nes = np.full((cells, regulons), np.nan)
    signed, unsigned = _both_tails(signature, max_rank_deviation, table_start, quantiles)
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
        es = np.where(directed < -NOISE, -1.0, 1.0) * (
            np.abs(directed) + np.maximum(undirected, 0.0)
        )
        score[:, regulon] = es
        nes[:, regulon] = es * factor
    return score, nes


def paired_area(
    signature: Float,
    max_rank_deviation: NDArray[np.int32],
    table_start: NDArray[np.int64],
    quantiles: Float,
    cell: NDArray[np.int32],
    regulon: NDArray[np.int32],
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
) -> tuple[Float, Float]:
    """Enrichment (`area`) of given pairs of a cell and a regulon, for regulons that differ by cell.

    Parameters
    ----------
    signature : (cells, genes) float64
        Only the order of a cell's values matters. NaN is missing.
    max_rank_deviation : (cells,) int32
        Replaces max v; -1 for the cell's own.
    table_start : (cells,) int64
        Start of the table for a cell's n in `quantiles`.
    quantiles : (entries,) float64
        Tables of Phi^-1(i / (2 (n + 1))), i = 0 ... 2 (n + 1).
    cell, regulon : (tasks,) int32
        Indices of the cell and of the regulon of each pair.
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
    (tasks,) float64
        Enrichment scores ES; NaN where no target has a value.
    (tasks,) float64
        Normalised enrichment scores NES.
    """
    score, nes = np.full(len(cell), np.nan), np.full(len(cell), np.nan)
    signed, unsigned = _both_tails(signature, max_rank_deviation, table_start, quantiles)
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
        score[task] = -size if directed < -NOISE else size
        nes[task] = score[task] * np.sqrt((weight**2).sum()) / weight.max()
    return score, nes


def weighted_mean(
    signature: Float,
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    weights: Float,
) -> Float:
    """Weighted mean of the targets' values: ``sum w x / sum |w|`` over those that have a value.

    Parameters
    ----------
    signature : (cells, genes) float64
        Values x; NaN is missing.
    indptr : (ends,) int64
        Regulon i has the edges ``indptr[i] ... indptr[i + 1] - 1``.
    targets : (edges,) int32
        Gene indices.
    weights : (edges,) float64
        Weights w, of either sign.

    Returns
    -------
    (cells, regulons) float64
        In the units of the signature; NaN where no target has a value.
    """
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


def depth_sums(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    depth: NDArray[np.int32],
    batch: NDArray[np.int32],
    gene: NDArray[np.int32],
    count: NDArray[np.int32],
    direct: NDArray[np.int64],
    level: NDArray[np.int32],
    size: NDArray[np.int32],
    table: NDArray[np.int32],
    limit: int,
    indptr: NDArray[np.int64],
    regulon: NDArray[np.int32],
    weight: NDArray[np.int32],
    n_regulons: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weighted sums over targets of what counts add to the score of zeros, in fixed point.

    See the declaration for the formula.

    Sums of integers are exact in any order: ``|weight| < 2^21`` and ``|excess| < 2^25`` allow 2^17
    targets.

    Parameters
    ----------
    start, stop : (cells,) int64
        First entry of each cell, and the one after its last.
    depth, batch : (cells,) int32
        Place of the depth, and number of the batch.
    gene : (entries,) int32
        -1: none.
    count : (entries,) int32
        0: none; -k: the score is ``direct[k - 1]``.
    direct : (large,) int64
        Scores of counts beyond the table.
    level : (batches, genes) int32
        Place of the mean at depth 1; -2^31: the excess is 0.
    size : (genes,) int32
        Place of the size.
    table : (sizes, pieces, counts, terms) int32
        The 16 coefficients c_ij at 4 i + j.
    limit : int
        Largest absolute score.
    indptr : (gene_ends,) int64
        Gene i has the edges ``indptr[i] ... indptr[i + 1] - 1``.
    regulon : (edges,) int32
    weight : (edges,) int32
    n_regulons : int

    Returns
    -------
    (cells, regulons) int64
        ``sum weight excess``.
    (cells,) int64
        ``sum excess``.
    """
    lengths = stop - start
    cell = np.repeat(np.arange(len(start)), lengths)
    entry = np.arange(len(cell)) + np.repeat(start - np.cumsum(lengths) + lengths, lengths)
    known = (gene[entry] >= 0) & (count[entry] != 0)
    cell, entry = cell[known], entry[known]
    known = level[batch[cell], gene[entry]] != NOWHERE
    cell, entry = cell[known], entry[known]
    genes, y = gene[entry], count[entry].astype(np.int64)
    place = level[batch[cell], genes].astype(np.int64) + depth[cell]
    part = depth[cell].astype(np.int64) & 0x7FFF

    def polynomial(place: NDArray[np.int64], counts: Any) -> NDArray[np.int64]:
        place = np.clip(place, 0, (table.shape[1] << 20) - 1)
        c = table[size[genes] >> 20, place >> 20, counts].astype(np.int64)
        t = (place & 0xFFFFF) - 0x80000
        u = (size[genes].astype(np.int64) & 0xFFFFF) - 0x80000
        value = np.zeros_like(t)
        for i in (12, 8, 4, 0):
            term = c[:, i + 3]
            for j in (2, 1, 0):
                term = ((term * u) >> 20) + c[:, i + j]
            value = ((value * t) >> 20) + term
        return (value + 2) >> 2

    zero = polynomial(place, 0)
    left, right = (_bend(polynomial(at, 0), limit) for at in (place - part, place - part + 0x8000))
    near = zero < -limit + 0x80000
    between = (left * (0x8000 - part) + right * part) >> 15
    zero = np.where(near, np.maximum(zero, -limit) - _bend(zero, limit) + between, zero)
    large = y < 0
    value = polynomial(place, np.maximum(y, 0))
    score = np.clip(value, -limit, limit)
    score[large] = direct[-y[large] - 1]
    piece = np.clip(place, 0, (table.shape[1] << 20) - 1) >> 20
    plain = ~large & (table[size[genes] >> 20, piece, np.maximum(y, 0), 15] & 1 > 0)
    excess = np.where(plain, value, score - zero)
    values = sp.csr_array((excess, (cell, genes)), shape=(len(start), level.shape[1]))
    edges = sp.csr_array(
        (weight.astype(np.int64), regulon, indptr), shape=(level.shape[1], n_regulons)
    )
    total = np.zeros(len(start), np.int64)
    np.add.at(total, cell, excess)
    return np.ascontiguousarray((values @ edges).toarray(), dtype=np.int64), total


def _bend(zero: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """How far a zero beyond the limit is below it after a smooth bend."""
    x = np.clip(((-limit - zero) << 20) // max(limit, 1), 0, 1 << 20)
    square = x * x >> 20
    return limit * (x - (x * square >> 20) + (square * square >> 21)) >> 20


def _row_sums(terms: Float) -> Float:
    """Sum of each row, in an order that does not depend on the number of rows."""
    return np.ascontiguousarray(terms).sum(axis=1)


def _both_tails(
    signature: Float,
    max_rank_deviation: NDArray[np.int32],
    table_start: NDArray[np.int64],
    quantiles: Float,
) -> tuple[Float, Float]:
    """Two-tail and one-tail scores of every gene, both from the same table."""
    ranks = average_ranks(signature)
    present = ranks > 0
    middle = present.sum(axis=1, dtype=np.int32)[:, None] + 1
    deviation = np.where(present, np.abs(ranks - middle), 0)
    own = deviation.max(axis=1, initial=0).astype(np.int32)
    largest = np.where(max_rank_deviation < 0, own, max_rank_deviation)[:, None]
    magnitude = np.where(present, 2 * deviation + middle - largest, 0)
    return normal_scores(ranks, table_start, quantiles), normal_scores(
        magnitude, table_start, quantiles
    )
