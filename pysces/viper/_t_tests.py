"""t tests of genes between groups of samples, and permutation nulls of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from pysces import _seeds
from pysces.errors import InputError
from pysces.viper._normal_scores import z_of_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

Moments = tuple[Any, "NDArray[np.float64]", "NDArray[np.float64]"]  # number, mean, sum of squares
_MOST_DRAWS = 1000


def t_test(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Statistic t and two-sided p-value of each gene between two groups, with a pooled variance.

    x, y: samples x genes; NaN is missing and does not count. A gene that is constant in each group
    has the t 0 / 0 = NaN or an infinite one, never one of rounding errors.

    >>> t, p = t_test(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [2.5], [1.5]]))
    >>> float(t[0]), float(p[0])
    (0.0, 1.0)
    """
    t, degrees = _t(x, y, welch=False)
    return t, 2 * special.stdtr(degrees, -np.abs(t))


def group_z(
    x: NDArray[np.float64], y: NDArray[np.float64], *, welch: bool = False
) -> NDArray[np.float64]:
    """Normal score of each gene between two groups of samples, from the two-sample t test.

    welch: each group has its own variance (Welch 1947), instead of a pooled one.
    """
    return z_of_t(*_t(x, y, welch=welch))


def _difference(
    first: Moments, second: Moments, *, welch: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
    """Statistic t of two groups, and its degrees of freedom."""
    (n, mean, spread), (m, other, other_spread) = first, second
    if not welch:
        pooled = (spread + other_spread) / (n + m - 2)
        return (mean - other) / np.sqrt(pooled * (1 / n + 1 / m)), n + m - 2
    part, other_part = spread / (n - 1) / n, other_spread / (m - 1) / m
    degrees = (part + other_part) ** 2 / (part**2 / (n - 1) + other_part**2 / (m - 1))
    return (mean - other) / np.sqrt(part + other_part), degrees


def _t(
    x: NDArray[np.float64], y: NDArray[np.float64], *, welch: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return _difference(_moments(x), _moments(y), welch=welch)


def _moments(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    missing = np.isnan(values)
    n = np.sum(~missing, axis=0).astype(np.float64)
    mean = _exact_mean(values, np.where(missing, 0.0, values).sum(axis=0) / n)
    deviation = np.where(missing, 0.0, values - mean)
    return n, mean, (deviation * deviation).sum(axis=0)


def _exact_mean(values: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each gene; the value of a constant gene, whose sum may be rounded."""
    lowest, highest = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    return np.where(lowest == highest, lowest, mean)


def permutation_orders(
    n_x: int, n_y: int, draws: range, seed: int, *, replace: bool = True
) -> NDArray[np.intp]:
    """Draws of all samples [draws samples]: the first n_x of each play the first group.

    A draw in which a group is one sample over and over is drawn again. Each draw has a stream of
    its own, so that they may be made some at a time.
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
    """Draws with replacement of either group [draws samples], each with a stream of its own."""
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
    """Tests (t) of groups drawn from the rows of x and y, as normal scores [draws genes].

    Sums over a draw are products with how often it holds each row, about a common centre.
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
        return z_of_t(*_difference(*sums, welch=welch))


def bootstrapped_group_z(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    welch: bool = False,
) -> NDArray[np.float64]:
    """Signatures [bootstraps genes] of groups resampled each on its own [bootstraps samples]."""
    if np.isnan(x).any() or np.isnan(y).any():
        draws = zip(first, second, strict=True)
        return np.array([group_z(x[a], y[b], welch=welch) for a, b in draws])
    return _drawn_z(x, y, first, second, welch)
