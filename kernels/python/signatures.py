"""Gene signatures (cells relative to the others): the reference, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._constants import HALF_BITS, LARGEST_COUNT, NO_SPREAD, SMALL, SUM_BITS
from ._sparse import dense

Float = NDArray[np.float64]
Counts = NDArray[np.int64]


def gene_sums(
    values: Float, exponent: NDArray[np.int32]
) -> tuple[Counts, Counts, Counts, Counts, Counts]:
    """Integer sums of each gene over the cells, independent of the order and blocks of cells.

    A value x of a gene becomes

        f = trunc(x 2^(44 - exponent)) = 2^22 high + low,   0 <= low < 2^22

    so that ``sum f^2 = 2^44 sum high^2 + 2^23 sum high low + sum low^2`` is exact.

    Parameters
    ----------
    values : (cells, genes) float64
        At most 2^18 cells. NaN is missing and ignored.
    exponent : (genes,) int32
        Smallest e >= -1021 with |x| < 2^e for every value of the gene, in all cells.

    Returns
    -------
    (genes,) int64
        Number of values.
    (genes,) int64
        sum f
    (genes,) int64
        sum high^2
    (genes,) int64
        sum high low
    (genes,) int64
        sum low^2
    """
    missing = np.isnan(values)
    scaled = np.trunc(np.ldexp(np.where(missing, 0.0, values), SUM_BITS - exponent))
    whole = scaled.astype(np.int64)
    high, low = whole >> HALF_BITS, whole & ((1 << HALF_BITS) - 1)
    return (
        np.sum(~missing, axis=0, dtype=np.int64),
        whole.sum(axis=0),
        (high * high).sum(axis=0),
        (high * low).sum(axis=0),
        (low * low).sum(axis=0),
    )


def sparse_gene_sums(
    start: Counts,
    stop: Counts,
    gene: NDArray[np.int32],
    value: Float,
    exponent: NDArray[np.int32],
) -> tuple[Counts, Counts, Counts, Counts, Counts]:
    """Integer sums (`gene_sums`) of sparse cells, whose other values are 0.

    Parameters
    ----------
    start, stop : (cells,) int64
        A cell stores the values ``start ... stop - 1``. At most 2^18 cells.
    gene : (stored,) int32
        Gene of each stored value, not repeated within a cell; skipped if below 0.
    value : (stored,) float64
        Stored values. NaN is missing and ignored.
    exponent : (genes,) int32
        Smallest e >= -1021 with |x| < 2^e for every value of the gene, in all cells.

    Returns
    -------
    (genes,) int64
        Number of values, zeros included.
    (genes,) int64
        sum f
    (genes,) int64
        sum high^2
    (genes,) int64
        sum high low
    (genes,) int64
        sum low^2
    """
    zero = np.zeros(len(exponent))
    return gene_sums(dense(zero, start, stop, gene, value), exponent)


def sparse_gene_range(
    start: Counts, stop: Counts, gene: NDArray[np.int32], value: Float, n_genes: int
) -> tuple[Float, Float]:
    """Largest -x and largest x of each gene of sparse cells, whose other values are 0.

    Parameters
    ----------
    start, stop : (cells,) int64
        A cell stores the values ``start ... stop - 1``.
    gene : (stored,) int32
        Gene of each stored value, not repeated within a cell; skipped if below 0.
    value : (stored,) float64
        Stored values. NaN is missing and ignored.
    n_genes : int

    Returns
    -------
    (genes,) float64
        Largest -x; -inf for a gene without values.
    (genes,) float64
        Largest x; -inf for a gene without values.
    """
    values = dense(np.zeros(n_genes), start, stop, gene, value)
    lowest, highest = (np.fmax.reduce(x, axis=0, initial=-np.inf) for x in (-values, values))
    return lowest + 0.0, highest + 0.0  # not -0.0


def largest_counts(
    start: Counts,
    stop: Counts,
    gene: NDArray[np.int32],
    count: Float,
    depth: Float,
    n_genes: int,
    number: int,
) -> Float:
    """Largest counts per depth of each gene of sparse cells, whose other counts are 0.

    Parameters
    ----------
    start, stop : (cells,) int64
        A cell stores the counts ``start ... stop - 1``.
    gene : (stored,) int32
        Gene of each stored count, not repeated within a cell; skipped if below 0.
    count : (stored,) float64
    depth : (cells,) float64
        Depth of each cell; 0 counts as 1.
    n_genes : int
    number : int
        How many are returned.

    Returns
    -------
    (genes, number) float64
        Ascending; 0 before the first if there are fewer cells.
    """
    ratio = dense(np.zeros(n_genes), start, stop, gene, count)
    ratio /= np.where(depth > 0, depth, 1.0)[:, None]
    ordered = np.sort(np.concatenate([np.zeros((number, n_genes)), ratio]), axis=0)
    return ordered[len(ordered) - number :].T


def count_sums(
    start: Counts,
    stop: Counts,
    gene: NDArray[np.int32],
    count: Float,
    depth: Float,
    bin: NDArray[np.int32],
    n_bins: int,
    bound: Float,
) -> tuple[Counts, Counts, Counts]:
    """Sums of the counts of sparse cells after those of extreme cells are reduced.

    A count is reduced to ``max(floor(bound depth), 1)``.

    Parameters
    ----------
    start, stop : (cells,) int64
        A cell stores the counts ``start ... stop - 1``.
    gene : (stored,) int32
        Gene of each stored count, not repeated within a cell; skipped if below 0.
    count : (stored,) float64
    depth : (cells,) float64
    bin : (cells,) int32
        Bin of each cell.
    n_bins : int
    bound : (genes,) float64
        Largest count per depth of each gene.

    Returns
    -------
    (bins, genes) int64
        Sum of the counts in each bin.
    (counts, genes) int64
        How often each of the counts 0 ... SMALL - 1 is stored.
    (kinds,) int64
        How many stored values are no counts, and how many counts above 0 have the depth 0.
    """
    total = np.zeros((n_bins, len(bound)), np.int64)
    small = np.zeros((SMALL, len(bound)), np.int64)
    wrong = np.zeros(2, np.int64)
    for cell, (first, last) in enumerate(zip(start, stop, strict=True)):
        own = first + np.flatnonzero(gene[first:last] >= 0)
        genes, counts = gene[own], count[own]
        no_count = (counts < 0) | (counts != np.floor(counts)) | (counts > LARGEST_COUNT)
        wrong += no_count.sum(), ((counts != 0) & (depth[cell] <= 0)).sum()
        genes, counts = genes[~no_count], counts[~no_count]
        with np.errstate(invalid="ignore"):  # no bound, and a depth of 0
            most = bound[genes] * depth[cell]
        counts = np.where(counts > most, np.maximum(np.floor(most), 1.0), counts).astype(np.int64)
        total[bin[cell], genes] += counts
        few = counts < SMALL
        small[counts[few], genes[few]] += 1
    return total, small, wrong


def gene_medians(values: Float) -> tuple[Float, Float]:
    """Median m of each gene over the cells, and the median of |x - m|.

    Parameters
    ----------
    values : (cells, genes) float64
        NaN is missing and ignored.

    Returns
    -------
    (genes,) float64
        Medians, in the units of the values; NaN for a gene without values.
    (genes,) float64
        Median absolute deviations, not scaled.
    """
    centre = _median(values)
    return centre, _median(np.abs(values - centre))


def standardise(values: Float, centre: Float, scale: Float, bits: int) -> Float:
    """Standardised values, ``(x - centre) / scale``, rounded to some significant bits.

    Parameters
    ----------
    values : (cells, genes) float64
        NaN stays NaN.
    centre, scale : (genes,) float64
        In the units of the values.
    bits : int
        1 ... 53; 53 does not round.

    Returns
    -------
    (cells, genes) float64
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return _round_bits((values - centre) / scale, bits)


def sparse_standardise(
    gene: NDArray[np.int32], value: Float, centre: Float, scale: Float, bits: int
) -> Float:
    """Standardised values (`standardise`) of given genes.

    Parameters
    ----------
    gene : (stored,) int32
        Gene of each value.
    value : (stored,) float64
        NaN stays NaN.
    centre, scale : (genes,) float64
        In the units of the values.
    bits : int
        1 ... 53; 53 does not round.

    Returns
    -------
    (stored,) float64
        0 where the gene is below 0.
    """
    found = standardise(value[None], centre[gene], scale[gene], bits)[0]
    return np.where(gene < 0, 0.0, found)


def leave_one_out_t(values: Float, count: Float, mean: Float, spread: Float, bits: int) -> Float:
    """One-sample t of the differences between a value and each of the gene's other values.

    With n values of mean m, Q = sum (x - m)^2 and d = x - m,

        t = d n/(n-1) / sqrt((Q - d^2 n/(n-1)) / (n-2) / (n-1))

    A remaining sum of squares of at most 2^-26 Q counts as 0: the other values are all equal.

    Parameters
    ----------
    values : (cells, genes) float64
        NaN stays NaN.
    count, mean, spread : (genes,) float64
        n, m and Q of each gene.
    bits : int
        Significant bits of the result, 1 ... 53.

    Returns
    -------
    (cells, genes) float64
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        deviation = values - mean
        others = count - 1
        difference = deviation * (count / others)
        squares = spread - deviation * deviation * (count / others)
        squares = np.where(squares <= spread * NO_SPREAD, 0.0, squares)
        return _round_bits(difference / np.sqrt(squares / (others - 1) / others), bits)


def _median(values: Float) -> Float:
    """Median of each column, ignoring NaN (NaN if nothing is left)."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = np.sum(~np.isnan(values), axis=0)
    if len(values) == 0:
        return np.full(values.shape[1], np.nan)
    upper = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
    lower = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    return np.where(count > 0, (lower + upper) / 2, np.nan)


def _round_bits(values: Float, bits: int) -> Float:
    """Keep `bits` significant bits, so that values that differ by rounding noise become ties."""
    if bits >= 53:
        return values
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)
