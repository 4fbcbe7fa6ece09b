"""Which edges are significant: multiple testing, and support against decoys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from pysces._checks import check_one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CORRECTIONS = ("fdr_bh", "bonferroni", None)


def adjusted(
    pvalues: NDArray[np.float64], n_tests: int, correction: str | None
) -> NDArray[np.float64]:
    """q-values of the smallest p-values of `n_tests` tests.

    Only the smallest are given; a q-value is exact as long as it's at most the largest given
    p-value (those left out are larger, so they can't lower it).

    ``"fdr_bh"``: min over j >= k of p_(j) n_tests / j (Benjamini and Hochberg 1995).
    ``"bonferroni"``: p n_tests. ``None``: p.

    >>> adjusted(np.array([0.01, 0.5, 0.02]), 3, "fdr_bh").round(3).tolist()
    [0.03, 0.5, 0.03]
    """
    check_one_of("correction", correction, CORRECTIONS)
    if correction is None:
        return pvalues.astype(float)
    if correction == "bonferroni":
        return np.minimum(1.0, pvalues * n_tests)
    order = np.argsort(pvalues, kind="stable")
    scaled = pvalues[order] * n_tests / np.arange(1, len(order) + 1)
    qvalues = np.empty(len(order))
    qvalues[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return qvalues


def decoy_qvalues(
    support: NDArray[np.int64],
    mi: NDArray[np.int64],
    decoy_support: NDArray[np.int64],
    decoy_mi: NDArray[np.int64],
    decoys_per_regulator: float,
) -> NDArray[np.float64]:
    """q-values of edges by comparison with the edges of decoy regulators.

    A decoy is a regulator with its values permuted over samples; it goes through the same
    resamples, thresholds and pruning. Edges are ordered by (support, then mutual information), and

        q(s) = min over s' <= s of (1 + decoy edges at or above s') / decoys per regulator
                                   / edges at or above s'

    the target-decoy estimate of Elias and Gygi (2007) over all edges together, with one decoy
    added (as in Barber and Candes 2015), so that with few edges none is significant.
    """
    count, decoys = len(support), len(decoy_support)
    order = np.lexsort((np.concatenate([mi, decoy_mi]), np.concatenate([support, decoy_support])))[
        ::-1
    ]
    is_decoy = order >= count
    above = np.cumsum(is_decoy)
    edges = np.cumsum(~is_decoy)
    both = np.stack(
        [np.concatenate([support, decoy_support]), np.concatenate([mi, decoy_mi])], axis=1
    )[order]
    # Equal scores stand or fall together: each place takes the counts at the end of its run.
    ends = np.append(np.any(both[1:] != both[:-1], axis=1), True)
    last = np.flatnonzero(ends)[np.searchsorted(np.flatnonzero(ends), np.arange(count + decoys))]
    ratio = (1.0 + above[last]) / decoys_per_regulator / np.maximum(edges[last], 1)
    lowest = np.minimum(1.0, np.minimum.accumulate(ratio[::-1])[::-1])
    qvalues = np.empty(count + decoys)
    qvalues[order] = lowest
    return qvalues[:count]


def least_support(
    counts: NDArray[np.int64],
    decoy_counts: NDArray[np.int64],
    decoys_per_regulator: float,
    alpha: float,
) -> int:
    """The smallest support at which a q-value of :func:`decoy_qvalues` can be at most alpha.

    Of the edges of one support, those of regulators might all come before those of decoys; if
    even then the ratio exceeds alpha, no edge of this support passes, and none lowers the q-value
    of an edge that does. At genome scale nearly all edges seen once or twice need no more work.

    Parameters
    ----------
    counts, decoy_counts
        Number of edges, and of edges of decoys, with a support of 0, 1, 2, ...

    >>> least_support(np.array([0, 90, 10, 100]), np.array([0, 80, 9, 1]), 1.0, 0.05)
    2
    """
    edges = np.cumsum(counts[::-1])[::-1]
    better_decoys = np.cumsum(decoy_counts[::-1])[::-1] - decoy_counts
    possible = (1.0 + better_decoys) / decoys_per_regulator <= alpha * edges
    possible[0] = False
    return int(np.argmax(possible)) if possible.any() else len(counts)


def poisson_pvalues(
    support: NDArray[np.int64], n_regulators: int, n_targets: int
) -> NDArray[np.float64]:
    """P(X > support) for Poisson counts of mean sum(support) / (regulators x targets).

    The rule of ARACNe-AP, kept for reproduction: strictly greater, and resamples taken for
    independent though they share the data, so it does not hold on noise.
    """
    mean = support.sum() / max(1, n_regulators * n_targets)
    return stats.poisson.sf(support, mean)


def binomial_log_pvalues(
    support: NDArray[np.int64], n_resamples: int, rate: float
) -> NDArray[np.float64]:
    """Ln P(X >= support) for binomial counts of `n_resamples` trials at a false-positive rate.

    The rule of ARACNe3, kept for reproduction: resamples are taken for independent though they
    share the data, so it does not hold on noise.
    """
    return stats.binom.logsf(support - 1, n_resamples, rate)
