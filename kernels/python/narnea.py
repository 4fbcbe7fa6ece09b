"""NaRnEA: standardised and largest possible scores of every regulon: the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ranks import average_ranks

Float = NDArray[np.float64]


def narnea(
    magnitude: Float,
    sign: NDArray[np.int32],
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    mode: Float,
    likelihood: Float,
    by_likelihood: NDArray[np.int32],
) -> tuple[Float, Float, Float, Float, Float, Float]:
    """Nonparametric analytical rank-based enrichment analysis, NaRnEA (Griffin et al. 2023).

    With R the rank of a gene's magnitude among the n genes of a cell that have a value, S its sign,
    a = l m, b = l (1 - |m|), sums over a regulon's targets that have a value, and

        E1 = (n + 1) / 2,   E2 = (2 n^2 + 3 n + 1) / 6,   M1 = mean(R S),   M2 = mean(R^2 S)

    over the genes of the cell, the directed and undirected statistics and their correlation are

        D = (sum a R S - M1 sum a) / sqrt(sum a^2 (E2 - M1^2))
        U = (sum b R - E1 sum b) / sqrt(sum b^2 (E2 - E1^2))
        C = sum(a b) (M2 - M1 E1) / (the product of both square roots)

    Parameters
    ----------
    magnitude : (cells, genes) float64
        Only the order of a cell's values matters. NaN is missing.
    sign : (cells, genes) int32
        -1, 0 or 1.
    indptr : (ends,) int64
        Regulon i has the edges ``indptr[i] ... indptr[i + 1] - 1``.
    targets : (edges,) int32
        Gene indices.
    mode : (edges,) float64
        Modes of regulation m, -1 ... 1.
    likelihood : (edges,) float64
        Likelihoods l, at least 0.
    by_likelihood : (edges,) int32
        Positions within a regulon, the most likely target first.

    Returns
    -------
    (cells, regulons) float64
        D
    (cells, regulons) float64
        U
    (cells, regulons) float64
        C
    (cells, regulons) float64
        The largest D: of a regulon whose targets have the magnitudes n, n - 1, ... in the order
        `by_likelihood` and the signs of their modes.
    (cells, regulons) float64
        The smallest D: of the same regulon with all signs reversed.
    (cells, regulons) float64
        The largest U: of the same regulon.
    """
    shape = (len(magnitude), len(indptr) - 1)
    ranks = average_ranks(magnitude).astype(np.int64)  # twice the rank
    present = ranks > 0
    signs = np.where(present, sign, 0)
    n = present.sum(axis=1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = (ranks * signs).sum(axis=1) / 2 / n
        second = (ranks * ranks * signs).sum(axis=1) / 4 / n
    centre = (n + 1) / 2
    square = (2 * n * n + 3 * n + 1) / 6
    result = [np.full(shape, np.nan) for _ in range(6)]
    for regulon in range(shape[1]):
        edges = slice(indptr[regulon], indptr[regulon + 1])
        genes = targets[edges]
        if len(genes) == 0:
            continue
        here = np.ascontiguousarray(present[:, genes])
        directed = here * (likelihood[edges] * mode[edges])
        undirected = here * (likelihood[edges] * (1 - np.abs(mode[edges])))
        magnitudes = np.ascontiguousarray(ranks[:, genes]) / 2
        own_signs = np.ascontiguousarray(signs[:, genes])
        best = _best_ranks(here, by_likelihood[edges], n)
        sum_directed, sum_undirected = directed.sum(axis=1), undirected.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread_d = np.sqrt((directed**2).sum(axis=1) * (square - first**2))
            spread_u = np.sqrt((undirected**2).sum(axis=1) * (square - centre**2))
            shift_d, shift_u = first * sum_directed, centre * sum_undirected
            largest = (np.abs(directed) * best).sum(axis=1)
            result[0][:, regulon] = (
                (directed * magnitudes * own_signs).sum(axis=1) - shift_d
            ) / spread_d
            result[1][:, regulon] = ((undirected * magnitudes).sum(axis=1) - shift_u) / spread_u
            result[2][:, regulon] = (
                (directed * undirected).sum(axis=1) * (second - first * centre)
            ) / (spread_d * spread_u)
            result[3][:, regulon] = (largest - shift_d) / spread_d
            result[4][:, regulon] = (-largest - shift_d) / spread_d
            result[5][:, regulon] = ((undirected * best).sum(axis=1) - shift_u) / spread_u
    return result[0], result[1], result[2], result[3], result[4], result[5]


def _best_ranks(present: NDArray[np.bool_], by_likelihood: NDArray[np.int32], n: Float) -> Float:
    """Ranks of the targets that have a value if the most likely had the largest magnitudes."""
    ordered = present[:, by_likelihood]
    best = np.zeros(present.shape)
    best[:, by_likelihood] = n[:, None] - (np.cumsum(ordered, axis=1) - 1)
    return best
