"""Tests of the difference between groups of cells, for all regulators at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special, stats

from pysces.dispatch.blocks import block_length, blocks
from pysces.viper._statistics import GroupMoments, group_moments, t_of_moments, two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparisons:
    """Groups of cells compared with their references; arrays [groups regulators].

    Attributes
    ----------
    scores, pvalues
        Statistic and two-sided p-value.
    means, differences
        Mean of the group, and its difference from the mean of the reference.
    """

    scores: NDArray[np.float64]
    pvalues: NDArray[np.float64]
    means: NDArray[np.float64]
    differences: NDArray[np.float64]


def t_tests(
    values: NDArray[np.float64],
    codes: NDArray[Any],
    groups: Sequence[int],
    reference: int | None = None,
) -> Comparisons:
    """Welch's t tests between groups of cells.

    values: cells x regulators; NaN is missing and is ignored. codes: group of each cell, -1 for
    none. groups: groups to compare with a reference; None for all cells of other groups. For a
    regulator that is constant in both, t is NaN (equal means) or infinite.

    >>> values = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> t_tests(values, np.array([0, 0, 1, 1]), [0]).scores.round(4)
    array([[-2.8284]])
    """
    found = []
    with np.errstate(invalid="ignore", divide="ignore"):
        moments = [group_moments(values[codes == code]) for code in range(codes.max() + 1)]
        for group in groups:
            rest = [moments[code] for code in range(len(moments)) if code != group]
            other = functools.reduce(_merged, rest) if reference is None else moments[reference]
            t, degrees = t_of_moments(moments[group], other, welch=True)
            # Groups without variance have 0 / 0 degrees of freedom
            p = 2 * special.stdtr(np.where(np.isnan(degrees), 1.0, degrees), -np.abs(t))
            found.append((t, p, moments[group][1], moments[group][1] - other[1]))
    return Comparisons(*np.stack(found, axis=1))


def _merged(first: GroupMoments, second: GroupMoments) -> GroupMoments:
    """Moments of two groups together (Chan, Golub and LeVeque 1983)."""
    (n, mean, spread), (m, other, other_spread) = first, second
    distance = np.where((n > 0) & (m > 0), other - mean, 0.0)
    joint = np.where(n > 0, mean, other) + distance * (m / (n + m))
    return n + m, joint, spread + other_spread + distance**2 * (n * m / (n + m))


def rank_sum_tests(
    values: NDArray[np.float64],
    codes: NDArray[Any],
    groups: Sequence[int],
    reference: int | None = None,
) -> Comparisons:
    """Wilcoxon's rank-sum tests between groups of cells, as `t_tests`.

    The score is the normal approximation of the rank sum, with average ranks of ties and their
    variance, without continuity correction.

    >>> values = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> rank_sum_tests(values, np.array([0, 0, 1, 1]), [0]).scores.round(4)
    array([[-1.5492]])
    """
    found = t_tests(values, codes, groups, reference)
    scores = np.empty(found.scores.shape)
    # Cells to rank together, and the groups that are compared within them
    if reference is None:
        together = [(codes >= 0, list(enumerate(groups)))]
    else:
        together = [
            (np.isin(codes, (code, reference)), [(row, code)]) for row, code in enumerate(groups)
        ]
    for part in blocks(values.shape[1], block_length(64.0 * len(values), values.shape[1])):
        for cells, members in together:
            ranks = _centred_ranks(values[cells, part])
            for row, code in members:
                scores[row, part] = _rank_sum_z(ranks, codes[cells] == code)
    return replace(found, scores=scores, pvalues=two_sided(scores))


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average ranks of the cells minus their mean; missing values stay missing."""
    policy = "omit" if np.isnan(values).any() else "propagate"
    ranks = np.asarray(stats.rankdata(values, axis=0, nan_policy=policy))
    return ranks - (np.sum(~np.isnan(ranks), axis=0) + 1) / 2


def _rank_sum_z(ranks: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Normal scores of the rank sum of a group."""
    known = ~np.isnan(ranks)
    total, n = known.sum(axis=0), known[inside].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.nansum(ranks**2, axis=0) / total / (total - 1.0)
        return np.asarray(np.nansum(ranks[inside], axis=0) / np.sqrt(spread * n * (total - n)))
