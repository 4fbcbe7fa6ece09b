"""Mutual information of a Gaussian copula with a parabola, from exact sums of integer scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._copula import Moments, information, moments

if TYPE_CHECKING:
    from numpy.typing import NDArray


def copula_mi(
    regulators: NDArray[np.int8], genes: NDArray[np.int8], degree: int
) -> NDArray[np.int64]:
    """Mutual information of a Gaussian copula with a parabola, from exact sums of integer scores.

    With h1, h2 the scores of a gene and a, b, c the correlations over samples of (h1, h1),
    (h2, h1), (h1, h2),

        R^2 = max(a^2 + b^2, a^2 + c^2),   MI = -1/2 ln(1 - R^2)

    which is the mutual information of a Gaussian copula if b = c = 0 (Ince et al. 2017), and a
    lower bound of it if one gene follows a parabola of the other's score. With squared scores,
    R^2 is the smaller of this and of the studentised one, in which each squared covariance is
    divided by n sum(h_x^2 h_y^2) (DiCiccio and Romano 2017).

    Parameters
    ----------
    regulators : (regulators, terms, samples) int8
        Integer scores: h1; for degree 2 also h2. If there are twice as many terms, the others are
        the squared scores round(h^2 / 127).
    genes : (genes, terms, samples) int8
        The same terms.
    degree : int
        1 (R^2 = a^2) or 2.

    Returns
    -------
    (regulators, genes) int64
        MI in nats with 40 fractional bits; 0 for a gene without variance.
    """
    n = regulators.shape[2]
    weights = np.ones(n, dtype=np.uint8)
    x, y = moments(regulators, weights, degree), moments(genes, weights, degree)
    return _block(regulators, genes, x, y, n, degree)


def copula_edges(
    rows: NDArray[np.int8],
    genes: NDArray[np.int8],
    own: NDArray[np.int64],
    weights: NDArray[np.uint8],
    usable_rows: NDArray[np.bool_],
    usable_genes: NDArray[np.bool_],
    thresholds: NDArray[np.int64],
    degree: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Pairs of a batch of resamples whose mutual information reaches the threshold.

    Mutual information is that of `copula_mi`, over the samples of a resample. Pairs with a row or a
    gene that is not usable are excluded.

    Parameters
    ----------
    rows : (rows, terms, samples) int8
        Scores of all samples, as for `copula_mi`.
    genes : (genes, terms, samples) int8
        Scores of all samples, as for `copula_mi`.
    own : (rows,) int64
        The gene of each row that is never its target (itself), or -1.
    weights : (resamples, samples) uint8
        Multiplicity of each sample in a resample.
    usable_rows : (resamples, rows) bool
    usable_genes : (resamples, genes) bool
    thresholds : (resamples,) int64
        In nats with 40 fractional bits, at least 1.
    degree : int
        1 or 2.

    Returns
    -------
    (resamples,) int64
        Number of edges of each resample.
    (found,) int32
        Row of each edge. Edges are ordered by resample, row and gene.
    (found,) int32
        Gene of each edge.
    (found,) int64
        MI of each edge in nats with 40 fractional bits.
    """
    counts = np.zeros(len(weights), dtype=np.int64)
    found: list[tuple[NDArray[np.integer], ...]] = []
    for r, weight in enumerate(weights):
        chosen = np.repeat(np.arange(weights.shape[1]), weight)
        once = np.ones(len(chosen), dtype=np.uint8)
        own_scores, gene_scores = rows[:, :, chosen], genes[:, :, chosen]
        x, y = moments(own_scores, once, degree), moments(gene_scores, once, degree)
        for row in np.flatnonzero(usable_rows[r]):
            one = slice(row, row + 1)
            mi = _block(own_scores[one], gene_scores, x.at([row]), y, len(chosen), degree)[0]
            mi[~usable_genes[r]] = 0
            if own[row] >= 0:
                mi[own[row]] = 0
            gene = np.flatnonzero(mi >= thresholds[r])
            counts[r] += len(gene)
            found.append((np.full(len(gene), row), gene, mi[gene]))
    if not found:
        found.append((np.empty(0), np.empty(0), np.empty(0)))
    row, gene, mi = (np.concatenate(part) for part in zip(*found, strict=True))
    return counts, row.astype(np.int32), gene.astype(np.int32), mi.astype(np.int64)


def copula_pairs(
    rows: NDArray[np.int8],
    genes: NDArray[np.int8],
    row: NDArray[np.int32],
    gene: NDArray[np.int32],
    degree: int,
) -> NDArray[np.int64]:
    """Mutual information of given pairs of rows and genes: the formula of `copula_mi`.

    Parameters
    ----------
    rows : (rows, terms, samples) int8
        Scores as for `copula_mi`.
    genes : (genes, terms, samples) int8
        Scores as for `copula_mi`.
    row, gene : (pairs,) int32
        Indices of the row and of the gene of each pair.
    degree : int
        1 or 2.

    Returns
    -------
    (pairs,) int64
        MI in nats with 40 fractional bits.
    """
    everything = np.ones(rows.shape[2], dtype=np.uint8)
    x, y = moments(rows, everything, degree), moments(genes, everything, degree)
    mi = np.zeros(len(row), dtype=np.int64)
    for k, (i, g) in enumerate(zip(row, gene, strict=True)):
        x_one, y_one = x.at(slice(i, i + 1)), y.at(slice(g, g + 1))
        pair = _block(rows[i : i + 1], genes[g : g + 1], x_one, y_one, rows.shape[2], degree)
        mi[k] = pair[0, 0]
    return mi


def _block(
    x: NDArray[np.int8], y: NDArray[np.int8], x_of: Moments, y_of: Moments, n: int, degree: int
) -> NDArray[np.int64]:
    """Mutual information of every row of x with every row of y."""
    terms = [(0, 0), (1, 0), (0, 1)][: 1 if degree == 1 else 3]
    products = [_products(x[:, i], y[:, j]) for i, j in terms]
    squares = []
    if x.shape[1] == 2 * degree:
        squares = [_products(x[:, degree + i], y[:, degree + j]) for i, j in terms]
    if n == 0:
        return np.zeros((len(x), len(y)), dtype=np.int64)
    wide = Moments(*(None if part is None else part[:, None] for part in x_of))
    return information(products, wide, y_of, n, squares)


def _products(x: NDArray[np.int8], y: NDArray[np.int8]) -> NDArray[np.int64]:
    """Sums over samples, exact: integers below 2^53 in float64."""
    return (x.astype(np.float64) @ y.astype(np.float64).T).astype(np.int64)
