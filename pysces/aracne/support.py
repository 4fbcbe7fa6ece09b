"""Support of edges: in how many resamples each was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces.aracne.significance import decoy_qvalues, least_support

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne.pairs import Candidates
    from pysces.aracne.resample import ResampleResult

_WAITING = 1_000_000
_STEP = 10  # resamples between two looks
_ALIKE = 0.98  # share of edges that two looks must have in common


class Seen:
    """In how many resamples each edge was seen so far."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._n_genes = max(1, candidates.n_genes)
        self._decoys_per_regulator = candidates.n_decoys / candidates.n_regulators
        self._keys = np.empty(0, dtype=np.int64)
        self._counts = np.empty(0, dtype=np.int32)
        self._waiting: list[NDArray[np.int64]] = []
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
        self._waiting.append(edges.row.astype(np.int64) * self._n_genes + edges.gene)
        # Joining costs a copy of all that was seen: wait until it's worth it.
        if sum(map(len, self._waiting)) >= min(max(len(self._keys), _WAITING), 5 * _WAITING):
            self._merge()

    def _merge(self) -> None:
        new = [np.empty(0, dtype=np.int64), *self._waiting]
        keys, counts = np.unique(np.concatenate(new), return_counts=True)
        self._waiting = []
        place = np.searchsorted(self._keys, keys)
        known = np.zeros(len(keys), dtype=bool)
        inside = place < len(self._keys)
        known[inside] = self._keys[place[inside]] == keys[inside]
        self._counts[place[known]] += counts[known].astype(np.int32)
        self._keys = np.insert(self._keys, place[~known], keys[~known])
        self._counts = np.insert(self._counts, place[~known], counts[~known])

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of edges with a support of 0, 1, 2, ...: of regulators, and of decoys."""
        self._merge()
        first = np.searchsorted(self._keys, self._candidates.n_regulators * self._n_genes)
        length = self.resamples + 1
        return (
            np.bincount(self._counts[:first], minlength=length),
            np.bincount(self._counts[first:], minlength=length),
        )

    def edges(
        self, least: int = 1
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Rows, genes and support of all edges seen in at least so many resamples."""
        self._merge()
        chosen = self._counts >= least
        row, gene = np.divmod(self._keys[chosen], self._n_genes)
        return row.astype(np.int32), gene.astype(np.int32), self._counts[chosen].astype(np.int64)

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

    def settled(self, alpha: float) -> bool:
        """Whether significant edges are nearly the same as at the look before, by support alone."""
        if self.resamples % _STEP:
            return False
        row, gene, support = self.edges(self.least_support(alpha))
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
