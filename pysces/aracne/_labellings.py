"""Permutations of the groups of samples, or of donors where samples of a donor depend."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pysces import _seeds

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Labellings:
    """The given labelling of samples by two groups (number 0), and permutations of it.

    Without donors, labels are permuted within strata of samples. With donors, those with samples of
    a single group keep them together: their labels are permuted among these donors. The groups of a
    donor with samples of both are exchanged with probability 1/2. If there are no more labellings
    than asked for, each occurs once; else they are drawn at random.

    Attributes
    ----------
    labels
        Whether a sample is in the group (and not in the reference), bool [samples].
    strata
        Stratum of each sample, int64 [samples].
    donor
        Donor of each sample, int64 [samples] from 0, or None.
    n_permutations
        Number of permutations asked for.
    seed
        Each permutation has its own random stream, keyed by the seed and its number.
    """

    labels: NDArray[np.bool_]
    strata: NDArray[np.int64]
    donor: NDArray[np.int64] | None
    n_permutations: int
    seed: int

    def __len__(self) -> int:
        """Number of labellings, the given one included."""
        return min(self.n_permutations + 1, self.n_distinct)

    def __getitem__(self, number: int) -> NDArray[np.bool_]:
        """One labelling, bool [samples]."""
        if number == 0:
            return self.labels
        stream = _seeds.generator(self.seed, "labels", number)
        if self.donor is None:
            drawn = stream.random(len(self.labels))
            order = np.lexsort((drawn, self.strata))
            found = np.empty_like(self.labels)
            found[np.argsort(self.strata, kind="stable")] = self.labels[order]
            return found
        of_single, exchanged = self._of_single, np.zeros(self.n_mixed, dtype=bool)
        if self.n_distinct <= self.n_permutations + 1:
            of_single, exchanged = self._all[number]
        else:
            of_single = stream.permutation(of_single)
            exchanged = stream.random(len(exchanged)) < 0.5
        by_donor = np.zeros(len(self._share), dtype=bool)
        by_donor[~self._mixed] = of_single
        by_donor[self._mixed] = exchanged
        mixed = self._mixed[self.donor]
        return np.where(mixed, self.labels, False) ^ by_donor[self.donor]

    @cached_property
    def n_distinct(self) -> int:
        """Number of distinct labellings of donors; those of samples are not counted."""
        if self.donor is None:
            return self.n_permutations + 1
        inside = int(self._of_single.sum())
        return int(math.comb(len(self._of_single), inside) * 2**self.n_mixed)

    @property
    def smallest_pvalue(self) -> float:
        """The smallest p-value of a statistic that stays the same if both groups are exchanged."""
        mirrored = self.donor is not None and 2 * self._of_single.sum() == len(self._of_single)
        return min(1.0, (1 + mirrored * (self.n_distinct == len(self))) / len(self))

    @property
    def n_mixed(self) -> int:
        """Number of donors with samples of both groups."""
        return int(self._mixed.sum())

    @cached_property
    def _share(self) -> NDArray[np.float64]:
        """Share of the samples of each donor that are in the group, [donors]."""
        assert self.donor is not None
        return np.bincount(self.donor, self.labels) / np.bincount(self.donor)

    @property
    def _mixed(self) -> NDArray[np.bool_]:
        return (self._share > 0) & (self._share < 1)

    @property
    def _of_single(self) -> NDArray[np.bool_]:
        """Labels of the donors with samples of one group."""
        return self._share[~self._mixed] == 1

    @cached_property
    def _all(self) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """All labellings of donors: of those with one group, and which others are exchanged."""
        given, n = self._of_single, len(self._of_single)
        chosen = [tuple(np.flatnonzero(given).tolist())]
        chosen += [c for c in itertools.combinations(range(n), int(given.sum())) if c != chosen[0]]
        return [
            (np.isin(np.arange(n), inside), np.array(exchanged, dtype=bool))
            for inside in chosen
            for exchanged in itertools.product((False, True), repeat=self.n_mixed)
        ]
