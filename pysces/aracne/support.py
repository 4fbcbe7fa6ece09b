"""Support of edges: in how many resamples each was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces.aracne.significance import decoy_qvalues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne.pairs import Candidates
    from pysces.aracne.resample import ResampleResult

_STEP = 10  # resamples between two looks
_ALIKE = 0.98  # share of edges that two looks must have in common


class Seen:
    """In how many resamples each edge was seen so far."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._keys = np.empty(0, dtype=np.int64)
        self._counts = np.empty(0, dtype=np.int64)
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
        self._waiting.append(edges.row.astype(np.int64) * self._candidates.n_genes + edges.gene)
        # Sorting all that was seen costs more than sorting what's new: wait until that is as much.
        if sum(map(len, self._waiting)) >= max(len(self._keys), 1_000_000):
            self._merge()

    def _merge(self) -> None:
        new = [np.empty(0, dtype=np.int64), *self._waiting]
        keys, counts = np.unique(np.concatenate(new), return_counts=True)
        both = np.concatenate([self._keys, keys])
        order = np.argsort(both, kind="stable")
        first = np.flatnonzero(np.diff(both[order], prepend=-1))
        self._counts = np.add.reduceat(np.concatenate([self._counts, counts])[order], first)
        self._keys, self._waiting = both[order][first], []

    def edges(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Rows, genes and support of all edges seen."""
        self._merge()
        row, gene = np.divmod(self._keys, max(1, self._candidates.n_genes))
        return row.astype(np.int32), gene.astype(np.int32), self._counts

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
        row, _, support = self.edges()
        real = row < self._candidates.n_regulators
        none = np.zeros(len(row), dtype=np.int64)
        decoys = self._candidates.n_decoys / self._candidates.n_regulators
        qvalues = decoy_qvalues(support[real], none[real], support[~real], none[~real], decoys)
        before, self._significant = self._significant, self._keys[real][qvalues <= alpha]
        common = len(np.intersect1d(before, self._significant, assume_unique=True))
        either = len(before) + len(self._significant) - common
        return self.resamples > _STEP and common >= _ALIKE * either
