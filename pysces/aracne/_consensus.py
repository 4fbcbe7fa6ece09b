"""Support of edges over resamples, and which edges are significant."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._candidates import Candidates
    from pysces.aracne._resampling import ResampleResult


def adjusted(
    pvalues: NDArray[np.float64], n_tests: int, correction: str | None
) -> NDArray[np.float64]:
    """q-values of the smallest p-values of `n_tests` tests.

    Only the smallest p-values are given. A q-value is exact if it is at most the largest given
    p-value: those left out are larger, so they cannot lower it.

    ``"fdr_bh"``: min over j >= k of p_(j) n_tests / j (Benjamini and Hochberg 1995).
    ``"bonferroni"``: p n_tests. ``None``: p.

    >>> adjusted(np.array([0.01, 0.5, 0.02]), 3, "fdr_bh").round(3).tolist()
    [0.03, 0.5, 0.03]
    """
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
    decoy_counts: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """q-values of edges by comparison with the edges of decoy regulators.

    A decoy is a regulator with its values permuted over samples; it goes through the same
    resamples, thresholds and pruning. Edges are ordered by (support, then mutual information), and

        q(s) = min over s' <= s of (1 + decoy edges at or above s') / decoys per regulator
                                   / edges at or above s'

    the target-decoy estimate of Elias and Gygi (2007) over all edges together. One decoy is added
    (as in Barber and Candes 2015), so that no edge is significant if there are few.

    `support` may be any integers in the order of the evidence. `decoy_counts` is the number that
    each edge of a decoy stands for, 1 if None; the largest of them is added then.
    """
    count, decoys = len(support), len(decoy_support)
    order = np.lexsort((np.concatenate([mi, decoy_mi]), np.concatenate([support, decoy_support])))[
        ::-1
    ]
    is_decoy = order >= count
    above, one = np.cumsum(is_decoy), 1.0
    if decoy_counts is not None:
        above = np.cumsum(np.concatenate([np.zeros(count), decoy_counts])[order])
        one = max(1.0, decoy_counts.max(initial=0.0))
    edges = np.cumsum(~is_decoy)
    both = np.stack(
        [np.concatenate([support, decoy_support]), np.concatenate([mi, decoy_mi])], axis=1
    )[order]
    # Tied edges share a q-value: each position takes the counts at the end of its run of ties.
    ends = np.append(np.any(both[1:] != both[:-1], axis=1), True)
    last = np.flatnonzero(ends)[np.searchsorted(np.flatnonzero(ends), np.arange(count + decoys))]
    ratio = (one + above[last]) / decoys_per_regulator / np.maximum(edges[last], 1)
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

    In the best case all edges of regulators precede those of decoys among the edges of one
    support. If the ratio exceeds alpha even then, no edge of this support is significant or lowers
    the q-value of an edge that is. At genome scale this excludes nearly all edges seen only once
    or twice.

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

    The rule of ARACNe-AP, kept to reproduce its results. The inequality is strict, and resamples
    are treated as independent although they share the data: on noise it returns false edges.
    """
    mean = support.sum() / max(1, n_regulators * n_targets)
    return stats.poisson.sf(support, mean)


def binomial_log_pvalues(
    support: NDArray[np.int64], n_resamples: int, rate: float
) -> NDArray[np.float64]:
    """Ln P(X >= support) for binomial counts of `n_resamples` trials at a false-positive rate.

    The rule of ARACNe3, kept to reproduce its results. Resamples are treated as independent
    although they share the data: on noise it returns false edges.
    """
    return stats.binom.logsf(support - 1, n_resamples, rate)


_WAITING = 1_000_000
_EVEN = 1 << 32
_STEP = 10  # resamples between two checks
_ALIKE = 0.98  # share of edges that two checks must have in common


class SupportedEdges(NamedTuple):
    """Edges, their support and their mean mutual information over the resamples that have them.

    row, gene: int32. support, mean: int64; the mean is in the fixed point of the estimator.
    """

    row: NDArray[np.int32]
    gene: NDArray[np.int32]
    support: NDArray[np.int64]
    mean: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_]) -> SupportedEdges:
        """Some of the edges."""
        return SupportedEdges(
            self.row[chosen], self.gene[chosen], self.support[chosen], self.mean[chosen]
        )


class SupportCounts:
    """Counts of the resamples that have each edge."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._n_genes = max(1, candidates.n_genes)
        self._decoys_per_regulator = candidates.n_decoys / candidates.n_regulators
        self._keys = np.empty(0, dtype=np.int64)
        # Per key: resamples that have it plus _EVEN times the even-numbered ones among them; sum of
        # their mutual information
        self._tallies = np.empty((2, 0), dtype=np.int64)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._significant = np.empty(0, dtype=np.int64)
        self.resamples = 0
        self.largest = 0
        # Per resample: significant pairs of regulators before pruning, and their edges after it
        self.sizes: list[tuple[int, int]] = []

    def add(self, result: ResampleResult) -> None:
        """Count the edges of one resample."""
        edges, n_regulators = result.network, self._candidates.n_regulators
        self.resamples += 1
        self.largest = max(self.largest, result.largest)
        significant = int((result.edges.row < n_regulators).sum())
        self.sizes.append((significant, int((edges.row < n_regulators).sum())))
        keys = edges.row.astype(np.int64) * self._n_genes + edges.gene
        one = 1 + _EVEN * (self.resamples % 2)  # the first has number 0
        self._waiting.append((keys, np.stack([np.full(len(edges), one), edges.mi])))
        # Merging copies all edges seen so far, so it waits until enough new ones have come.
        waiting = sum(len(part) for part, _ in self._waiting)
        if waiting >= min(max(len(self._keys), _WAITING), 5 * _WAITING):
            self._merge()

    def _merge(self) -> None:
        if not self._waiting:
            return
        keys = np.concatenate([self._keys, *(part for part, _ in self._waiting)])
        tallies = np.concatenate([self._tallies, *(part for _, part in self._waiting)], axis=1)
        self._waiting = []
        if len(keys) == 0:
            return
        order = np.argsort(keys, kind="stable")  # merges parts that are sorted
        keys = keys[order]
        first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        self._keys = keys[first]
        self._tallies = np.stack([np.add.reduceat(one[order], first) for one in tallies])

    @property
    def _counts(self) -> NDArray[np.int64]:
        return self._tallies[0] % _EVEN

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of edges with a support of 0, 1, 2, ..., of regulators and of decoys."""
        self._merge()
        first = np.searchsorted(self._keys, self._candidates.n_regulators * self._n_genes)
        length = self.resamples + 1
        return (
            np.bincount(self._counts[:first], minlength=length),
            np.bincount(self._counts[first:], minlength=length),
        )

    def edges(self, least: int = 1) -> SupportedEdges:
        """All edges with at least this support."""
        self._merge()
        counts = self._counts
        chosen = counts >= least
        row, gene = np.divmod(self._keys[chosen], self._n_genes)
        support, total = counts[chosen], self._tallies[1, chosen]
        return SupportedEdges(
            row.astype(np.int32), gene.astype(np.int32), support, total // np.maximum(support, 1)
        )

    def stability(self, min_support: float) -> float:
        """Overlap (common / either) of the edges that even and odd resamples would call."""
        self._merge()
        real = self._keys < self._candidates.n_regulators * self._n_genes
        even, support = np.divmod(self._tallies[0, real], _EVEN)
        n_even = (self.resamples + 1) // 2
        first = even >= max(1.0, min_support * n_even)
        second = support - even >= max(1.0, min_support * (self.resamples - n_even))
        return float((first & second).sum() / max(1, (first | second).sum()))

    def least_support(self, alpha: float) -> int:
        """Edges of smaller support are not significant and do not affect those that are."""
        return least_support(*self.counts(), self._decoys_per_regulator, alpha)

    def chance_rate(self, resample_pvalue: float) -> float:
        """Mean probability that a pair of independent genes has an edge in one resample.

        As in ARACNe3, the p-value times the share of significant pairs that pruning keeps.
        """
        shares = [kept / max(1, significant) for significant, kept in self.sizes]
        return resample_pvalue * float(np.mean(shares))

    def settled(self, alpha: float, min_support: float = 0.0) -> bool:
        """Whether the significant edges, by support alone, are nearly those of the last check."""
        if self.resamples % _STEP:
            return False
        least = max(self.least_support(alpha), math.ceil(min_support * self.resamples))
        row, gene, support, _ = self.edges(least)
        real = row < self._candidates.n_regulators
        none = np.zeros(len(row), dtype=np.int64)
        qvalues = decoy_qvalues(
            support[real], none[real], support[~real], none[~real], self._decoys_per_regulator
        )
        keys = row[real].astype(np.int64) * self._n_genes + gene[real]
        before, self._significant = self._significant, keys[qvalues <= alpha]
        common = len(np.intersect1d(before, self._significant, assume_unique=True))
        either = len(before) + len(self._significant) - common
        return self.resamples > _STEP and common >= _ALIKE * either
