"""Support of edges: in how many resamples each was seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pysces.aracne._significance import decoy_qvalues, least_support

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._candidates import Candidates
    from pysces.aracne._resampling import ResampleResult

_WAITING = 1_000_000
_STEP = 10  # resamples between two looks
_ALIKE = 0.98  # share of edges that two looks must have in common


class SeenEdges(NamedTuple):
    """Edges with their support and their mean mutual information over the resamples that have them.

    row, gene: int32. support, mean: int64; the mean in the fixed point of the estimator.
    """

    row: NDArray[np.int32]
    gene: NDArray[np.int32]
    support: NDArray[np.int64]
    mean: NDArray[np.int64]


class Seen:
    """In how many resamples each edge was seen so far."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._n_genes = max(1, candidates.n_genes)
        self._decoys_per_regulator = candidates.n_decoys / candidates.n_regulators
        self._keys = np.empty(0, dtype=np.int64)
        # Of each key: resamples that have it, those of even number, sum of mutual information
        self._tallies = np.empty((3, 0), dtype=np.int64)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._significant = np.empty(0, dtype=np.int64)
        self.resamples = 0
        self.largest = 0
        # Of each resample: significant pairs before pruning and edges after it, of regulators
        self.sizes: list[tuple[int, int]] = []

    def add(self, result: ResampleResult) -> None:
        """Count the edges of one resample."""
        edges, n_regulators = result.network, self._candidates.n_regulators
        self.resamples += 1
        self.largest = max(self.largest, result.largest)
        significant = int((result.edges.row < n_regulators).sum())
        self.sizes.append((significant, int((edges.row < n_regulators).sum())))
        keys = edges.row.astype(np.int64) * self._n_genes + edges.gene
        even = np.full(len(edges), self.resamples % 2, dtype=np.int64)  # the first has number 0
        self._waiting.append((keys, np.stack([np.ones_like(even), even, edges.mi])))
        # Joining costs a copy of all that was seen: wait until it's worth it.
        waiting = sum(len(part) for part, _ in self._waiting)
        if waiting >= min(max(len(self._keys), _WAITING), 5 * _WAITING):
            self._merge()

    def _merge(self) -> None:
        if not self._waiting:
            return
        keys = np.concatenate([self._keys, *(part for part, _ in self._waiting)])
        tallies = np.concatenate([self._tallies, *(part for _, part in self._waiting)], axis=1)
        self._waiting = []
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        if len(keys) == 0:
            return
        first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        self._keys = keys[first]
        self._tallies = np.add.reduceat(tallies[:, order], first, axis=1)

    @property
    def _counts(self) -> NDArray[np.int64]:
        return self._tallies[0]

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of edges with a support of 0, 1, 2, ...: of regulators, and of decoys."""
        self._merge()
        first = np.searchsorted(self._keys, self._candidates.n_regulators * self._n_genes)
        length = self.resamples + 1
        return (
            np.bincount(self._counts[:first], minlength=length),
            np.bincount(self._counts[first:], minlength=length),
        )

    def edges(self, least: int = 1) -> SeenEdges:
        """All edges seen in at least so many resamples."""
        self._merge()
        chosen = self._counts >= least
        row, gene = np.divmod(self._keys[chosen], self._n_genes)
        support, _, total = self._tallies[:, chosen]
        return SeenEdges(
            row.astype(np.int32), gene.astype(np.int32), support, total // np.maximum(support, 1)
        )

    def stability(self, min_support: float) -> float:
        """Overlap (common / either) of the edges that even and odd resamples would call."""
        self._merge()
        real = self._keys < self._candidates.n_regulators * self._n_genes
        support, even, _ = self._tallies[:, real]
        n_even = (self.resamples + 1) // 2
        first = even >= max(1.0, min_support * n_even)
        second = support - even >= max(1.0, min_support * (self.resamples - n_even))
        return float((first & second).sum() / max(1, (first | second).sum()))

    def least_support(self, alpha: float) -> int:
        """No edge of less support can be significant at alpha, nor matters to one that is."""
        return least_support(*self.counts(), self._decoys_per_regulator, alpha)

    def chance_rate(self, resample_pvalue: float) -> float:
        """Mean probability that chance gives a pair an edge in one resample.

        It has to be significant by chance and to survive the pruning, as the rule of ARACNe3 has
        it: p-value times the share of significant pairs that are kept.
        """
        shares = [kept / max(1, significant) for significant, kept in self.sizes]
        return resample_pvalue * float(np.mean(shares))

    def settled(self, alpha: float, min_support: float = 0.0) -> bool:
        """Whether significant edges are nearly the same as at the look before, by support alone."""
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
