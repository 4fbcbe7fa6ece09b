"""Statistics: normal scores, p-values, moments of genes, t tests, scaling of similarities."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special, stats

from pysces import _seeds
from pysces._checks import check_integer
from pysces.data._passes import over_rows
from pysces.data._sources import MOST_SAMPLES
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._expression import Expression
    from pysces.data._sources import Rows

    Floats = NDArray[np.float64]

_FRACTION = 44  # bits of a value below the gene's exponent, as in the kernel
_SMALLEST_EXPONENT = -1021  # of a normal float64
_FAR = 2.0**-16  # a range below this fraction of the largest value lies far from zero
_MOST_DRAWS = 1000


# --- normal scores and p-values -------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def normal_table(n: int) -> NDArray[np.float64]:
    """Normal quantiles of ranks among n values: entry i is ``Phi^-1(i / (2 (n + 1)))``.

    Indexed by twice the average rank. The first and the last entry belong to no rank and are 0.

    >>> normal_table(3)[4]  # the middle of three
    np.float64(0.0)
    """
    table = special.ndtri(np.arange(2 * n + 3) / (2 * (n + 1)))
    table[[0, -1]] = 0.0
    table.flags.writeable = False
    return table


def tables(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Start of the table of each row, and the concatenated tables."""
    return tables_for(values.shape[1] - np.count_nonzero(np.isnan(values), axis=1))


def tables_for(present: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The same, given the number of values of each row that are not NaN."""
    lengths, which = np.unique(present, return_inverse=True)
    found = [normal_table(int(n)) for n in lengths]
    starts = np.cumsum([0, *(len(table) for table in found[:-1])]).astype(np.int64)
    return starts[which], np.concatenate(found or [normal_table(0)])


def stacked_tables(largest: int) -> NDArray[np.float64]:
    """Concatenated tables for n = 0, 1, ..., ``largest``; the table for n starts at n (n + 2)."""
    return np.concatenate([normal_table(n) for n in range(largest + 1)])


def two_sided(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided p-values of normal scores."""
    return np.asarray(2 * special.ndtr(-np.abs(z)), dtype=np.float64)


def z_of_t(t: NDArray[np.float64], degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Normal scores with the same two-sided p-values as t statistics.

    Finite for finite t, even if the p-value is too small for float64.

    >>> z_of_t(np.array([2.0, 60.0]), 998.0).round(3)
    array([ 1.998, 39.037])
    """
    t, degrees = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(degrees, np.float64))
    size = np.array(-special.ndtri(special.stdtr(degrees, -np.abs(t))))
    far = np.isinf(size) & np.isfinite(t)
    if far.any():
        size[far] = _far_z(np.abs(t[far]), degrees[far])
    return np.asarray(size * np.sign(t), dtype=np.float64)


def _far_z(t: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal scores of t statistics from the logarithm of the tail (a hypergeometric series).

    The series fails for very many degrees of freedom. There the approximation of Wallace (1959, Ann
    Math Stat 30:1124) is used, which is accurate to 1e-6.
    """
    ratio, half = degrees / (degrees + t * t), degrees / 2
    with np.errstate(all="ignore"):
        series = np.log(special.hyp2f1(half + 0.5, 1, half + 1, ratio))
        tail = half * np.log(ratio) + 0.5 * np.log1p(-ratio) - np.log(2 * half) + series
        z = -special.ndtri_exp(tail - special.betaln(half, 0.5))
        shrink = (8 * degrees + 1) / (8 * degrees + 3)
        normal = shrink * np.sqrt(degrees * np.log1p(t * t / degrees))
    return np.where(np.isfinite(z), z, normal)


def benjamini_hochberg(p: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """False discovery rates of p-values along an axis (Benjamini and Hochberg 1995).

    Missing values (NaN) stay missing and are ignored.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.04, 0.04])
    """
    p = np.moveaxis(np.asarray(p, dtype=np.float64), axis, -1)
    known = ~np.isnan(p)
    whole = known.all(axis=-1)
    q = np.full(p.shape, np.nan)
    if whole.any():
        q[whole] = stats.false_discovery_control(p[whole], axis=-1)
    for row in np.argwhere(~whole & known.any(axis=-1)):
        at = (*row, known[tuple(row)])
        q[at] = stats.false_discovery_control(p[at])
    return np.moveaxis(q, -1, axis)


# --- moments --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of each gene [genes].

    ``mean`` is the mean of the values minus ``offset`` (None: 0).
    """

    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    offset: NDArray[np.float64] | None = None

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation (divisor n - 1)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(self.spread / (self.count - 1))

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of the mean."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(self.spread / (self.count - 1) / self.count)


def gene_moments(cells: Expression) -> Moments:
    """Moments of every gene: two passes over blocks of cells, with sums of integers.

    Integer sums do not depend on the order of the terms, so z-scores are bit-identical if cells are
    permuted, read in blocks, sparse or on disk. The integers have 44 bits below the largest value.
    Therefore an offset is subtracted first, exactly, from genes with a small range far from zero.
    """
    lowest, highest = _range(cells)
    largest = np.fmax(np.abs(lowest), np.abs(highest))
    offset = _offset(lowest, highest)
    if offset is not None:
        lowest, highest = lowest - offset, highest - offset
        largest = np.fmax(np.abs(lowest), np.abs(highest))
    exponent = np.frexp(np.where(np.isfinite(largest), largest, 0.0))[1].astype(np.int32)
    exponent = np.maximum(exponent, _SMALLEST_EXPONENT)
    sums = _over_cells(
        cells,
        partial(_sums_of_rows, exponent, offset),
        partial(_sums_of_block, exponent, offset),
        np.add,
        np.zeros((2, 5, cells.n_genes), dtype=np.int64),
    )
    whole = list((sums[0].astype(object) << 32) + sums[1].astype(object))
    return _moments(whole, exponent, highest, offset)


def far_from_zero(cells: Expression) -> NDArray[np.float64] | None:
    """What is subtracted from each gene with a small range far from zero; None if no gene has.

    The engine 'mlx' would otherwise lose the digits in which the cells differ.
    """
    return _offset(*_range(cells))


def _offset(
    lowest: NDArray[np.float64], highest: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    largest = np.fmax(np.abs(lowest), np.abs(highest))
    far = (highest > lowest) & (highest - lowest < _FAR * largest)
    return np.where(far, lowest, 0.0) if far.any() else None


def _range(cells: Expression) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each gene; infinite for genes without values."""
    none = np.full((2, cells.n_genes), -np.inf)
    of_rows = partial(_range_of_rows, cells.n_genes)
    negated, highest = _over_cells(cells, of_rows, _range_of_block, np.maximum, none)
    return 0.0 - negated, highest


def _range_of_rows(genes: int, rows: Rows) -> Floats:
    """Largest -x and x of each gene."""
    ends, gene, stored = rows
    return np.stack(ops.sparse_gene_range(ends[:-1], ends[1:], gene, stored, genes))


def _range_of_block(values: Floats) -> Floats:
    least = np.fmin.reduce(values, axis=0, initial=np.inf)
    return np.stack([-least, np.fmax.reduce(values, axis=0, initial=-np.inf)])


def _sums_of_rows(exponent: NDArray[np.int32], offset: Floats | None, rows: Rows) -> Any:
    ends, genes, values = rows
    if offset is not None:  # a gene with an offset is 0 in no cell: 0 lies outside its range
        values = values - offset[genes]
    return _halves(ops.sparse_gene_sums(ends[:-1], ends[1:], genes, values, exponent))


def _sums_of_block(exponent: NDArray[np.int32], offset: Floats | None, values: Floats) -> Any:
    return _halves(ops.gene_sums(values if offset is None else values - offset, exponent))


def _halves(sums: tuple[NDArray[np.int64], ...]) -> NDArray[np.int64]:
    """High and low halves, of which many can be added."""
    whole = np.stack(sums)
    return np.stack([whole >> 32, whole & 0xFFFFFFFF])


def _over_cells(
    cells: Expression,
    of_rows: Callable[[Rows], NDArray[Any]],
    of_block: Callable[[Floats], NDArray[Any]],
    join: Callable[[Any, Any], Any],
    start: NDArray[Any],
) -> NDArray[Any]:
    """Joined results of blocks of cells: from their stored values, or all of a dense matrix."""
    if cells.is_sparse:
        return over_rows(cells, lambda _, rows: of_rows(rows), join, start)
    length = min(MOST_SAMPLES, block_length(40.0 * cells.n_genes, cells.n_samples))
    parts = blocks(cells.n_samples, length)
    return functools.reduce(
        join, (of_block(cells.sample_block(part, copy=False)) for part in parts), start
    )


def _moments(
    sums: list[NDArray[np.object_]],
    exponent: NDArray[np.int32],
    highest: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
) -> Moments:
    """Moments from exact sums (Python integers, which do not overflow)."""
    count, total, high, middle, low = sums
    squares = (high << 44) + (middle << 23) + low
    deviation = np.array(
        [float((n * s - t * t) / n) if n else np.nan for n, s, t in _whole(count, squares, total)]
    )
    mean = np.array([t / n if n else np.nan for n, _, t in _whole(count, squares, total)])
    shift = exponent - _FRACTION
    # The mean of a constant gene is set to its value, so that deviations are exactly 0.
    mean = np.where(deviation == 0, highest, np.ldexp(mean, shift))
    spread = np.ldexp(np.ldexp(deviation, shift), shift)
    return Moments(count.astype(np.float64), mean, spread, offset)


def _whole(*arrays: NDArray[np.object_]) -> list[tuple[int, ...]]:
    return [tuple(map(int, row)) for row in zip(*arrays, strict=True)]


# --- t tests --------------------------------------------------------------------------------------


# Number of samples, mean and sum of squared deviations.
GroupMoments = tuple[Any, "NDArray[np.float64]", "NDArray[np.float64]"]


def group_z(
    x: NDArray[np.float64], y: NDArray[np.float64], *, welch: bool = False
) -> NDArray[np.float64]:
    """Normal score of each gene between two groups of samples, from the two-sample t test.

    welch: use the variance of each group (Welch 1947) instead of a pooled one.
    """
    return z_of_t(*two_sample_t(x, y, welch=welch))


def t_of_moments(
    first: GroupMoments, second: GroupMoments, *, welch: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
    """The t statistic of two groups, and its degrees of freedom."""
    (n, mean, spread), (m, other, other_spread) = first, second
    if not welch:
        pooled = (spread + other_spread) / (n + m - 2)
        return (mean - other) / np.sqrt(pooled * (1 / n + 1 / m)), n + m - 2
    part, other_part = spread / (n - 1) / n, other_spread / (m - 1) / m
    degrees = (part + other_part) ** 2 / (part**2 / (n - 1) + other_part**2 / (m - 1))
    return (mean - other) / np.sqrt(part + other_part), degrees


def two_sample_t(
    x: NDArray[np.float64], y: NDArray[np.float64], *, welch: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
    """Statistic t of each gene between two groups, and its degrees of freedom.

    x, y: samples x genes; NaN is missing and is ignored. For a gene that is constant in each group,
    t is NaN (equal means) or infinite, and never depends on rounding errors.

    >>> t, n = two_sample_t(np.array([[1.0], [2.0]]), np.array([[1.5], [3.5]]), welch=False)
    >>> float(t[0].round(4)), n.tolist()
    (-0.8944, [2.0])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return t_of_moments(group_moments(x), group_moments(y), welch=welch)


def group_moments(values: NDArray[np.float64]) -> GroupMoments:
    """Moments of each gene in a group, samples x genes; NaN is missing and is ignored."""
    missing = np.isnan(values)
    n = np.sum(~missing, axis=0).astype(np.float64)
    mean = _exact_mean(values, np.where(missing, 0.0, values).sum(axis=0) / n)
    deviation = np.where(missing, 0.0, values - mean)
    return n, mean, (deviation * deviation).sum(axis=0)


def _exact_mean(values: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each gene; for a constant gene its value, without rounding errors."""
    lowest, highest = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    return np.where(lowest == highest, lowest, mean)


def permutation_orders(
    n_x: int, n_y: int, draws: range, seed: int, *, replace: bool = True
) -> NDArray[np.intp]:
    """Draws of all samples [draws samples]; the first n_x of each draw form the first group.

    A draw in which a group consists of one repeated sample is drawn again. Each draw has its own
    random stream, so that draws can be made in blocks.
    """
    if min(n_x, n_y) < 2:
        raise InputError(f"Both groups need at least 2 samples. Got {n_x} and {n_y}.")
    orders = np.empty((len(draws), n_x + n_y), dtype=np.intp)
    for row, index in enumerate(draws):
        stream = _seeds.generator(seed, "group permutation", index)
        for _ in range(_MOST_DRAWS):
            drawn = (
                stream.integers(0, n_x + n_y, n_x + n_y)
                if replace
                else stream.permutation(n_x + n_y)
            )
            if len(set(drawn[:n_x])) > 1 and len(set(drawn[n_x:])) > 1:
                break
        orders[row] = drawn
    return orders


def bootstrap_orders(
    n_x: int, n_y: int, draws: range, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draws with replacement within each group [draws samples], each with its own random stream."""
    streams = [_seeds.generator(seed, "group bootstrap", index) for index in draws]
    first = [stream.integers(0, n_x, n_x) for stream in streams]
    second = [stream.integers(0, n_y, n_y) for stream in streams]
    return np.array(first).reshape(-1, n_x), np.array(second).reshape(-1, n_y)


def permuted_group_z(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    orders: NDArray[np.intp],
    *,
    welch: bool = False,
) -> NDArray[np.float64]:
    """Null signatures [permutations genes]: the t test of permuted groups, as normal scores."""
    both = np.concatenate([x, y])
    n = len(x)
    if np.isnan(both).any():
        return np.array(
            [group_z(both[order[:n]], both[order[n:]], welch=welch) for order in orders]
        )
    return _drawn_z(both, both, orders[:, :n], orders[:, n:], welch)


def _drawn_z(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    welch: bool,
) -> NDArray[np.float64]:
    """The t tests of groups drawn from the rows of x and y, as normal scores [draws genes].

    Sums over a draw are products with the number of times that it contains each row. Values are
    centred first.
    """
    both = np.concatenate([x, y])
    centre = _exact_mean(both, both.mean(axis=0))
    sums = []
    for values, drawn in ((x - centre, first), (y - centre, second)):
        held = np.zeros((len(drawn), len(values)))
        np.add.at(held, (np.arange(len(drawn))[:, None], drawn), 1.0)
        total = held @ values
        spread = held @ values**2 - total**2 / drawn.shape[1]
        sums.append((drawn.shape[1], total / drawn.shape[1], np.maximum(spread, 0.0)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return z_of_t(*t_of_moments(*sums, welch=welch))


def bootstrapped_group_z(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    welch: bool = False,
) -> NDArray[np.float64]:
    """Signatures [bootstraps genes] of groups that are resampled separately."""
    if np.isnan(x).any() or np.isnan(y).any():
        draws = zip(first, second, strict=True)
        return np.array([group_z(x[a], y[b], welch=welch) for a, b in draws])
    return _drawn_z(x, y, first, second, welch)


# --- similarities ---------------------------------------------------------------------------------


def check_top(n_top: int | None, least: int) -> None:
    if n_top is not None:
        check_integer("n_top", n_top, least)


def shares_of(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights divided by the sum of their absolute values; 0 for a sample without weights."""
    total = np.abs(weights).sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros(weights.shape), where=total > 0)


def scaled(
    found: NDArray[np.float64], own: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Similarities divided by the mean self-similarity of both samples; NaN where that is 0."""
    mean = (own[:, None] + other[None]) / 2
    return np.divide(found, mean, out=np.full(found.shape, np.nan), where=mean != 0)
