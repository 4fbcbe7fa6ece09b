"""Negative binomial margins: tail probabilities, scores of counts, calibration and fit."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.interpolate import RectBivariateSpline
from scipy.special import betainc, gammainc, gammaincc, gammaln, ndtr, ndtri

from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SMALLEST_SIZE, LARGEST_SIZE = 0.01, 1000.0
"""Range of the size (inverse dispersion) that is searched; above it the margin is Poisson."""

_SIZES = np.geomspace(SMALLEST_SIZE, LARGEST_SIZE, 24)
_DEPTH_STEP = 0.05  # width of bins of ln(depth), only used to fit the size
EXTREME = 3.0  # larger multiples of the largest usual count are set to this one
_LADDER = 12  # counts up to this one are summed term by term
_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


def tails(count: Floats, mean: Floats, size: Floats) -> tuple[Floats, Floats]:
    """P(Y <= count) and P(Y > count), neither by subtraction where it is small.

    count, mean, size (``inf``: Poisson): float64, one-dimensional, of the same length.
    """
    lower = np.empty(len(count))
    small = count <= _LADDER
    lower[small] = _by_recurrence(count[small], mean[small], size[small])
    lower[~small] = _tail(count[~small], mean[~small], size[~small], upper=False)
    upper = 1 - lower
    high = upper < np.where(small, 1e-6, 0.5)
    upper[high] = _tail(count[high], mean[high], size[high], upper=True)
    return lower, upper


def ends_of(
    counts: Floats, mean: Floats, size: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Both tails at F(y - 1) and at F(y); all one-dimensional."""
    below = (np.zeros(len(counts)), np.ones(len(counts)))
    some = counts > 0
    below[0][some], below[1][some] = tails(counts[some] - 1, mean[some], size[some])
    return below, tails(counts, mean, size)


def _by_recurrence(count: Floats, mean: Floats, size: Floats) -> Floats:
    """P(Y <= count) of small counts, by the recurrence of the terms."""
    part = mean / size  # 0 for Poisson
    with np.errstate(divide="ignore", invalid="ignore"):
        term = np.exp(np.where(part > 0, -size * np.log1p(part), -mean))
    lower = term.copy()
    at = np.arange(len(count))
    for k in range(int(count.max(initial=0))):
        going = count[at] > k
        at, term = at[going], term[going]
        term = term * ((mean[at] + k * part[at]) / ((k + 1) * (1 + part[at])))
        lower[at] += term
    return np.minimum(lower, 1.0)


def _tail(count: Floats, mean: Floats, size: Floats, *, upper: bool) -> Floats:
    """One tail by the incomplete gamma and beta functions."""
    found = np.empty(len(count))
    poisson = np.isinf(size)
    for chosen, tail in ((poisson, _poisson_tail), (~poisson, _binomial_tail)):
        found[chosen] = tail(count[chosen], mean[chosen], size[chosen], upper)
    return found


def _poisson_tail(count: Floats, mean: Floats, size: Floats, upper: bool) -> Floats:
    return gammainc(count + 1, mean) if upper else gammaincc(count + 1, mean)


def _binomial_tail(count: Floats, mean: Floats, size: Floats, upper: bool) -> Floats:
    if upper:
        return betainc(count + 1, size, mean / (size + mean))
    return betainc(size, count + 1, size / (size + mean))


def mean_scores(below: tuple[Floats, Floats], upto: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Means of z and of z^2 - 1 over intervals of the uniform, with z the normal quantile.

    below, upto: lower and upper tails at both ends (each accurate where it is the smaller).
    """
    (lower_a, upper_a), (lower_b, upper_b) = below, upto
    width = np.where(lower_b <= 0.5, lower_b - lower_a, upper_a - upper_b)
    across = (lower_a < 0.5) & (lower_b > 0.5)
    width = np.where(across, 1 - lower_a - upper_b, width)
    left, right = quantile(lower_a, upper_a), quantile(lower_b, upper_b)
    density_left, density_right = _density(left), _density(right)
    empty = width <= 0  # too narrow for float64, or a single point
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (density_left - density_right) / width
        second = (_times(left, density_left) - _times(right, density_right)) / width
        return np.where(empty, left, first), np.where(empty, left * left - 1, second)


def zero_scores(mean: Floats, size: Floats) -> tuple[Floats, Floats]:
    """:func:`mean_scores` of the count 0, for arrays of any shape (broadcast)."""
    exponent = _log_zero_share(mean, size)
    lower, upper = np.exp(exponent), -np.expm1(exponent)
    z = quantile(lower, upper)
    density = _density(z)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = -density / lower, -_times(z, density) / lower
        gone = lower <= 0
        return np.where(gone, -np.inf, first), np.where(gone, np.inf, second)


def zero_share(mean: Floats, size: Floats) -> Floats:
    """P(Y = 0), for arrays of any shape (broadcast)."""
    return np.exp(_log_zero_share(mean, size))


def _log_zero_share(mean: Floats, size: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = -size * np.log1p(mean / size)
    return np.where(np.isinf(size), -mean, exponent) if np.isinf(size).any() else exponent


def quantile(lower: Floats, upper: Floats) -> Floats:
    """Normal quantile from the smaller tail."""
    low = lower <= 0.5
    z = ndtri(np.where(low, lower, upper))
    return np.where(low, z, -z)


def _density(z: Floats) -> Floats:
    return np.exp(-0.5 * z * z) * _DENSITY_AT_0


def _times(z: Floats, density: Floats) -> Floats:
    """``z density``; 0 at infinity."""
    return np.where(np.isinf(z), 0.0, z) * density


# --- variance of the score ------------------------------------------------------------------------

_LOG_MEANS = np.arange(-18.5, 12.1, 0.5)
_VARIANCE_SIZES = np.geomspace(SMALLEST_SIZE, 1e4, 18)


def score_variance(mean: Floats, size: Floats) -> Floats:
    """Variance of the first score of a count with this mean and size; arrays, broadcast.

    Interpolated in a table over the logarithms, accurate to about 0.1 %; 0 where the mean is 0.
    """
    mean, size = np.broadcast_arrays(np.asarray(mean, float), np.asarray(size, float))
    at = np.log(np.clip(mean, math.exp(_LOG_MEANS[0]), math.exp(_LOG_MEANS[-1])))
    sizes = np.log(np.clip(size, _VARIANCE_SIZES[0], _VARIANCE_SIZES[-1]))
    return np.where(mean > 0, np.exp(_variance_table().ev(at, sizes)), 0.0)


@lru_cache(maxsize=1)
def _variance_table() -> Any:
    values = np.empty((len(_LOG_MEANS), len(_VARIANCE_SIZES)))
    for row, mean in enumerate(np.exp(_LOG_MEANS)):
        for column, size in enumerate(_VARIANCE_SIZES):
            values[row, column] = variance_by_sum(mean, size)
    return RectBivariateSpline(_LOG_MEANS, np.log(_VARIANCE_SIZES), np.log(values))


def variance_by_sum(mean: float, size: float) -> float:
    """``sum P(y) h1(y)^2`` over counts; large counts are summed in steps."""
    ends = _ends(mean, size)
    lower, upper = tails(ends, np.full(len(ends), mean), np.full(len(ends), size))
    lower, upper = np.append([0.0], lower), np.append([1.0], upper)
    first, _ = mean_scores((lower[:-1], upper[:-1]), (lower[1:], upper[1:]))
    mass = np.where(lower[1:] <= 0.5, np.diff(lower), -np.diff(upper))
    return float(np.sum(mass * np.where(mass > 0, first, 0.0) ** 2))


def _ends(mean: float, size: float) -> Floats:
    """Increasing counts: all small ones, then steps small relative to count and spread."""
    spread = math.sqrt(mean + mean * mean / size)
    largest = mean + 9 * spread + 25 * mean / size + 20
    ends, at = [], 0.0
    while at < largest:
        ends.append(at)
        at += max(1.0, math.floor(min(0.05 * at, spread / 24)))
    return np.array(ends)


# --- calibration ----------------------------------------------------------------------------------

_KNOTS = ndtr(np.arange(-3, 3.01, 0.25))  # quantiles of the uniform; symmetric about 1/2
N_KNOTS = len(_KNOTS)
_MISFIT = 1.0  # threshold of sqrt(n) times the Kolmogorov-Smirnov distance (1 %)
_SHARE = 2.0**30
_FEWEST = 20  # smallest number of samples


def calibration(
    counts: Floats, depth: Floats, share: Floats, size: Floats, bins: DepthBins
) -> Floats:
    """Distribution function of the uniforms of each gene at fixed knots, float64 [genes knots].

    The mean over the samples of the share of a count's interval below a knot (the nonrandomised
    histogram of Czado et al. 2009). Genes whose margin fits, up to the noise of n samples, get the
    knots themselves. Sums are of integers, so they do not depend on the order of the samples.
    """
    n = int(np.count_nonzero(depth))
    found = np.tile(_KNOTS, (len(counts), 1))
    if n < _FEWEST:
        return found
    coarse = _KNOTS[::2]
    distribution = _distribution(counts, depth, share, size, bins, coarse)
    misfit = np.abs(distribution - coarse).max(axis=1) > _MISFIT / math.sqrt(n)
    if misfit.any():
        some = counts[misfit], depth, share[:, misfit], size[misfit]
        found[misfit] = _distribution(*some, bins, _KNOTS)
    return found


def _distribution(
    counts: Floats, depth: Floats, share: Floats, size: Floats, bins: DepthBins, knots: Floats
) -> Floats:
    """Mean over the samples of the share of a count's interval below each knot."""
    genes, n = len(counts), int(np.count_nonzero(depth))
    filled = bins.depth > 0
    row, column = np.nonzero(counts)
    zeros = (bins.number - bins.sums(row, column, None, genes))[:, filled]
    mean = (share[bins.batch].T * bins.depth)[:, filled]
    none = np.maximum(zero_share(mean, size[:, None]), 1e-300)
    mean = share[bins.batch_of[column], row] * depth[column]
    (below, _), (upto, _) = ends_of(counts[row, column], mean, size[row])
    width = np.maximum(upto - below, 1e-300)
    total = np.empty((genes, len(knots)))
    for k, knot in enumerate(knots):
        part = np.rint(np.minimum(knot / none, 1.0) * _SHARE)
        total[:, k] = np.ascontiguousarray(zeros * part).sum(axis=1)
        part = np.rint(np.clip((knot - below) / width, 0.0, 1.0) * _SHARE)
        total[:, k] += np.bincount(row, weights=part, minlength=genes)
    return total / (n * _SHARE)


def is_calibrated(table: Floats) -> NDArray[np.bool_]:
    """Genes whose distribution differs from the uniform one, bool [genes]."""
    return (table != _KNOTS).any(axis=1)


def calibrated(
    ends: tuple[Floats, Floats], table: Floats, gene: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Calibrated tails (lower, upper) at one end of intervals."""
    lower, upper = ends
    knots = np.concatenate([[0.0], _KNOTS, [1.0]])
    edge = np.zeros((len(table), 1))
    values = np.hstack([edge, table, edge + 1])
    low = lower <= 0.5
    # The knots are symmetric, so the upper tail uses their mirror image
    at = np.where(low, lower, upper)
    place = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    part = (at - knots[place]) / (knots[place + 1] - knots[place])

    def between(table: Floats) -> Floats:
        return table[gene, place] * (1 - part) + table[gene, place + 1] * part

    rising, falling = between(values), between(1 - values[:, ::-1])
    return np.where(low, rising, 1 - falling), np.where(low, 1 - rising, falling)


# --- fit ------------------------------------------------------------------------------------------


class Columns(NamedTuple):
    """Counts of genes in compressed form; others are 0.

    Attributes
    ----------
    indptr
        Start of each gene in the other two, int64 [genes + 1].
    samples
        Position of the sample of each count.
    values
        Counts above 0, float64.
    """

    indptr: NDArray[Any]
    samples: NDArray[Any]
    values: Floats

    @classmethod
    def of(cls, counts: Floats) -> Columns:
        """Columns of dense counts [genes samples]."""
        gene, sample = np.nonzero(counts)
        ends = np.searchsorted(gene, np.arange(len(counts) + 1))
        return cls(ends, sample, counts[gene, sample])

    @property
    def gene(self) -> NDArray[np.intp]:
        """Gene of each count."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def take(self, genes: slice) -> Columns:
        """The counts of consecutive genes."""
        ends = self.indptr[genes.start : genes.stop + 1]
        stored = slice(int(ends[0]), int(ends[-1]))
        return Columns(ends - ends[0], self.samples[stored], self.values[stored])


def n_extreme(n_samples: int) -> int:
    """Number of samples whose counts of a gene may be extreme."""
    return min(max(n_samples // 250, 1), 10)


def check_counts(values: Floats, depth: Floats) -> None:
    """Raise InputError unless values are counts of samples with a depth [values]."""
    if (values < 0).any() or (values != np.floor(values)).any():
        raise InputError(
            "Counts must be non-negative integers. Pass the layer of raw counts, or "
            "counts=False for values that are not counts."
        )
    if not (depth[values != 0] > 0).all():
        raise InputError("A sample of depth 0 has counts. Check size_factors=.")


def without_extremes(counts: Columns, depth: Floats) -> Columns:
    """Counts with those of a few extreme samples reduced.

    With k = n / 250 (between 1 and 10) of n samples, a count per depth is reduced to at most three
    times the k + 1st largest of its gene. A count of 1 is never reduced.
    """
    n = len(depth)
    k = n_extreme(n)
    filled = np.flatnonzero(np.diff(counts.indptr))
    if n <= k or not len(filled):
        return counts
    starts = counts.indptr[filled]
    known = np.where(depth > 0, depth, 1.0)
    ratio = counts.values / known[counts.samples]
    # Without a second look at genes of which more than k samples are near the largest
    bound = np.maximum.reduceat(ratio, starts) / (EXTREME - 0.1)
    near = ratio > np.repeat(bound, np.diff(counts.indptr)[filled])
    several = np.maximum.reduceat(counts.values, starts) > 1
    open_genes = filled[several & (np.add.reduceat(near, starts, dtype=np.int64) <= k)]
    values = counts.values.copy() if len(open_genes) else counts.values
    for gene in open_genes:
        own = slice(counts.indptr[gene], counts.indptr[gene + 1])
        at = own.stop - own.start - 1 - k
        usual = np.partition(ratio[own], at)[at] if at >= 0 else 0.0
        most = np.maximum(np.floor(EXTREME * usual * depth[counts.samples[own]]), 1.0)
        values[own] = np.minimum(values[own], most)
    return counts._replace(values=values)


class DepthBins:
    """Samples binned by batch and depth (to 5 %), for the fit of the sizes.

    Attributes
    ----------
    bin_of
        Bin of each sample.
    batch_of
        Batch of each sample.
    batch, depth, number
        Batch, mean depth and number of samples of each bin.
    """

    def __init__(self, depth: Floats, batch: NDArray[np.int64]) -> None:
        step = np.full(len(depth), np.iinfo(np.int64).min)
        step[depth > 0] = np.rint(np.log(depth[depth > 0]) / _DEPTH_STEP).astype(np.int64)
        keys, which = np.unique(np.stack([batch, step]), axis=1, return_inverse=True)
        self.bin_of = np.ravel(which)
        self.batch_of, self.batch = batch, keys[0]
        self.number = np.bincount(self.bin_of, minlength=keys.shape[1]).astype(float)
        by_bin = np.split(
            depth[np.argsort(self.bin_of, kind="stable")], np.cumsum(self.number.astype(int))[:-1]
        )
        self.depth = np.array([math.fsum(part) for part in by_bin]) / self.number

    def sums(self, gene: NDArray[Any], samples: NDArray[Any], values: Any, genes: int) -> Floats:
        """Sums of entries by gene and bin, float64 [genes bins]; exact for integers."""
        many = len(self.number)
        found = np.bincount(gene * many + self.bin_of[samples], values, genes * many)
        return found.reshape(genes, many).astype(np.float64, copy=False)


def fit_size(counts: Columns, in_bin: Floats, share: Floats, bins: DepthBins) -> Floats:
    """Size of each gene by maximum likelihood given its shares; ``inf`` for Poisson.

    in_bin: sums of the counts by bin. share: [batches genes].
    """
    return size_of(in_bin, _repeated(counts), share, bins)


def size_of(
    in_bin: Floats,
    distinct: tuple[NDArray[np.intp], Floats, NDArray[np.intp]],
    share: Floats,
    bins: DepthBins,
) -> Floats:
    """Size of each gene by maximum likelihood, from integer sums over the samples.

    The profile likelihood is evaluated at fixed sizes, and a parabola is fitted to the best three.
    Only integer sums over samples are used, so their order does not change the result.

    in_bin: sum of the counts in each bin [genes bins]. distinct: gene, value and number of each
    distinct count of a gene, ascending. share: [batches genes].
    """
    genes = len(in_bin)
    mean = share[bins.batch].T * bins.depth
    row, values, times = distinct
    kinds, kind = np.unique(values, return_inverse=True)
    total = in_bin.sum(axis=1)
    profile = np.empty((len(_SIZES), genes))
    for at, size in enumerate(_SIZES):
        terms = times * (gammaln(kinds + size) - gammaln(size))[kind]
        profile[at] = np.bincount(row, weights=terms, minlength=genes) - total * math.log(size)
        losses = (in_bin + size * bins.number) * np.log1p(mean / size)
        profile[at] -= np.ascontiguousarray(losses).sum(axis=1)
    best = np.argmax(profile, axis=0)
    inner = np.clip(best, 1, len(_SIZES) - 2)
    left, middle, right = (profile[inner + i, np.arange(genes)] for i in (-1, 0, 1))
    curvature = left - 2 * middle + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(curvature < 0, 0.5 * (left - right) / curvature, 0.0)
    step = math.log(_SIZES[1] / _SIZES[0])
    size = _SIZES[inner] * np.exp(np.clip(shift, -1, 1) * step)
    size = np.where(best == 0, _SIZES[0], size)
    return np.where((best == len(_SIZES) - 1) | (total == 0), np.inf, size)


_FREQUENT = 256  # counts below this one are counted without sorting


def _repeated(counts: Columns) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Gene, value and number of equal counts, in the order of genes and values."""
    genes = len(counts.indptr) - 1
    gene, small = counts.gene, counts.values < _FREQUENT
    top = int(counts.values.max(initial=0)) + 1
    every = small.all()
    key = gene * top + counts.values.astype(np.int64)
    usual = min(top, _FREQUENT)
    some = gene[small] * usual + counts.values[small].astype(np.int64) if not every else key
    often = np.bincount(some, minlength=genes * usual)
    found = np.flatnonzero(often)
    rare, number = np.unique(key[~small] if not every else key[:0], return_counts=True)
    keys = np.concatenate([found // usual * top + found % usual, rare])
    order = np.argsort(keys, kind="stable")
    keys, times = keys[order], np.concatenate([often[found], number])[order]
    return keys // top, (keys % top).astype(np.float64), times
