"""Tables of normal quantiles, made once on the host in float64, and p-values."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from numpy.typing import NDArray


@functools.lru_cache(maxsize=64)
def normal_table(n: int) -> NDArray[np.float64]:
    """Normal quantiles of ranks among n values: entry i is ``Phi^-1(i / (2 (n + 1)))``.

    Indexed by twice the average rank. The first and the last entry, which no rank has, are 0.

    >>> normal_table(3)[4]  # the middle of three
    np.float64(0.0)
    """
    table = special.ndtri(np.arange(2 * n + 3) / (2 * (n + 1)))
    table[[0, -1]] = 0.0
    table.flags.writeable = False
    return table


def tables(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where each row's table starts, and the tables of all numbers of values that occur."""
    present = values.shape[1] - np.count_nonzero(np.isnan(values), axis=1)
    lengths, which = np.unique(present, return_inverse=True)
    found = [normal_table(int(n)) for n in lengths]
    starts = np.cumsum([0, *(len(table) for table in found[:-1])]).astype(np.int64)
    return starts[which], np.concatenate(found or [normal_table(0)])


def stacked_tables(largest: int) -> NDArray[np.float64]:
    """The tables of 0, 1, ... ``largest`` values: that of n starts at n (n + 2)."""
    return np.concatenate([normal_table(n) for n in range(largest + 1)])


def two_sided(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided p-values of normal scores."""
    return np.asarray(2 * special.ndtr(-np.abs(z)), dtype=np.float64)


def z_of_t(t: NDArray[np.float64], degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Normal scores with the same two-sided p-values as t statistics.

    Finite where t is, also where the p-value is below what float64 holds.

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

    Where the series fails, at very many degrees of freedom, the approximation of Wallace (1959, Ann
    Math Stat 30:1124), which is exact there to 1e-6.
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

    Missing values stay missing and don't count.

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
