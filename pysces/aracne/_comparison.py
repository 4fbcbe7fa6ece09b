"""Differences of the networks of two groups, and their distribution under permuted groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pysces.aracne._candidates import Edges, ScoredCandidates
from pysces.aracne._consensus import adjusted
from pysces.aracne._copula import Copula, strata
from pysces.aracne._donors import FEWEST_SAMPLES
from pysces.aracne._inference import Consensus, consensus_of
from pysces.aracne._runner import Runner
from pysces.dispatch.blocks import blocks, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pysces.aracne._labellings import Labellings
    from pysces.aracne._options import AracneOptions

    Floats = NDArray[np.float64]

_LARGEST_CORRELATION = 1 - 1e-9
_SIZES_PER_OCTAVE = 8
_IN_CACHE = 1 << 15  # values of 8 bytes


@dataclass(frozen=True)
class NearbyNull(Copula):
    """The copula estimator with the null distribution of one of eight sample sizes per octave.

    (n - 2) MI has nearly the same distribution for all n, so that groups of permuted donors, each
    with another number of samples, do not require a simulation each.
    """

    def enough(self) -> Copula:
        """The estimator of the nearest of these sample sizes."""
        octaves = round(_SIZES_PER_OCTAVE * np.log2(max(2, self.n))) / _SIZES_PER_OCTAVE
        n = round(2**octaves)
        near = Copula(n, max(n, round(self.total * n / self.n)), self.degree, self.studentised)
        return near.enough()


@dataclass(frozen=True, eq=False)
class GroupCandidates(ScoredCandidates):
    """Candidates of some of the samples, whose scores are those among all samples."""

    @property
    def estimator(self) -> Copula:
        """The estimator on all of these samples."""
        n = self.scores.n_samples
        return NearbyNull(n, n, self.scores.degree, self.scores.studentised)


@dataclass(frozen=True, eq=False)
class Groups:
    """Networks of the two groups of a labelling of the samples.

    Attributes
    ----------
    candidates
        All samples. Scores are computed within the given groups, so that no labelling mixes
        different levels of a gene.
    depth, batch
        Depth and batch of each sample, or None: the strata within which decoys are permuted.
    options
        How networks are inferred.
    """

    candidates: ScoredCandidates
    depth: Floats | None
    batch: NDArray[np.int64] | None
    options: AracneOptions

    def of(self, samples: NDArray[np.bool_]) -> GroupCandidates:
        """Candidates of some of the samples."""
        own, scores = self.candidates, self.candidates.scores
        nonzero = scores.nonzero
        if nonzero is not None:
            bits = np.unpackbits(nonzero, axis=1, count=scores.n_samples)
            nonzero = np.packbits(bits[:, samples], axis=1)
        values = np.ascontiguousarray(scores.values[:, :, samples])
        depth = None if self.depth is None else self.depth[samples]
        batch = None if self.batch is None else self.batch[samples]
        return GroupCandidates(
            own.expression.take_samples(samples),
            own.regulators,
            own.n_decoys,
            own.seed,
            replace(scores, values=values, nonzero=nonzero),
            strata(depth, batch, int(samples.sum())),
        )

    @staticmethod
    def fewest_samples(options: AracneOptions) -> int:
        """Number of samples below which a group has no edges."""
        return FEWEST_SAMPLES * (1 if options.resampling is None else 2)

    def network(self, samples: NDArray[np.bool_]) -> GroupNetwork:
        """The candidates of some samples and their network; None for too few samples."""
        candidates = self.of(samples)
        if samples.sum() < self.fewest_samples(self.options):
            return candidates, None
        return candidates, consensus_of(candidates, self.options, Runner())

    def keys(self, edges: Edges) -> NDArray[np.int64]:
        """One number for each edge."""
        return edges.row.astype(np.int64) * self.candidates.n_genes + edges.gene

    def statistics(
        self, labels: NDArray[np.bool_], row: NDArray[np.intp], gene: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """Squared statistic of each edge, and its correlation in reference and group [2 edges].

        With z = artanh(r) of the correlation of two scores in one group, and its variance by the
        influence function of r, mean((x y - r (x^2 + y^2) / 2)^2) / n / (1 - r^2)^2, which holds
        without normality,

            T^2 = sum over terms of (z_group - z_reference)^2 / (var_group + var_reference)

        over the pairs of scores that mutual information uses: (h1, h1), and for degree 2 also
        (h2, h1) and (h1, h2), given the h1 of the same gene as h2: else r would vary with the
        skewness of that h1, which scores within a given group do not have.
        """
        scores = self.candidates.scores
        values, source = scores.values, self.candidates.regulators
        squared, first = np.zeros(len(row)), np.empty((2, len(row)))
        for some in blocks(len(row), max(1, _IN_CACHE // scores.n_samples)):
            x, y = values[source[row[some]]], values[gene[some]]
            both = [_terms(x[:, :, own], y[:, :, own], scores.degree) for own in (~labels, labels)]
            for (z0, v0, _), (z1, v1, _) in zip(*both, strict=True):
                squared[some] += (z1 - z0) ** 2 / (v0 + v1)
            first[:, some] = [terms[0][2] for terms in both]
        return squared, first


Term = tuple["Floats", "Floats", "Floats"]


def _terms(x: NDArray[np.int8], y: NDArray[np.int8], degree: int) -> list[Term]:
    """Fisher's z, its variance, and the correlation, for each pair of scores."""
    x1, y1 = _standard(x[:, 0]), _standard(y[:, 0])
    found = [transformed(x1, y1)]
    if degree == 2:
        found.append(transformed(_residual(x[:, 1], x1), _residual(y1, x1)))
        found.append(transformed(_residual(y[:, 1], y1), _residual(x1, y1)))
    return found


def transformed(x: Floats, y: Floats) -> Term:
    """Fisher's z, its variance, and the correlation of each row of x with that of y.

    Rows have a mean of 0 and a standard deviation of 1.
    """
    products = x * y
    r = np.clip(products.mean(axis=1), -_LARGEST_CORRELATION, _LARGEST_CORRELATION)
    influence = products - r[:, None] / 2 * (x * x + y * y)
    variance = np.mean(influence * influence, axis=1) / x.shape[1] / (1 - r * r) ** 2
    # At least that of a normal distribution in twice as many samples: r of few distinct values
    return np.arctanh(r), np.maximum(variance, 0.5 / x.shape[1]), r


def _residual(values: NDArray[Any], standard: Floats) -> Floats:
    """What standardised values do not explain linearly, standardised."""
    slope = np.einsum("es,es->e", values, standard)[:, None] / values.shape[1]
    return _standard(values - slope * standard)


def _standard(values: NDArray[Any]) -> Floats:
    centred = values - values.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.mean(centred * centred, axis=1, keepdims=True))
    return np.asarray(centred / np.where(spread > 1e-9, spread, 1.0))


GroupNetwork = tuple[GroupCandidates, Consensus | None]


class Labelled(NamedTuple):
    """The differences under one labelling.

    row, gene: the edges of either network. squared: their statistics. n_common: edges of both.
    """

    row: NDArray[np.intp]
    gene: NDArray[np.intp]
    squared: Floats
    n_common: int


@dataclass(frozen=True, eq=False)
class Differences:
    """Differences under the given labelling (the first) and under permuted ones.

    All labellings count alike in the p-values, the given one included. If they are exchangeable,
    as they are without a difference of the groups, at most a share of alpha of all edges (or
    regulators) has a p-value of at most alpha on average: p-values are ranks among the statistics
    of all labellings.

    Attributes
    ----------
    labelled
        The differences under each labelling.
    n_regulators
        Number of regulators.
    """

    labelled: Sequence[Labelled]
    n_regulators: int

    def edge_pvalues(self) -> tuple[Floats, Floats]:
        """p- and q-values of the edges of the given labelling."""
        return _ranked(
            self.labelled[0].squared, np.concatenate([one.squared for one in self.labelled])
        )

    @cached_property
    def _sums(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Sum of squared statistics, and whether there are edges [labellings regulators]."""
        length = self.n_regulators
        sums = [np.bincount(one.row, one.squared, length) for one in self.labelled]
        there = [np.bincount(one.row, minlength=length) > 0 for one in self.labelled]
        return np.stack(sums), np.stack(there)

    def regulon_pvalues(self) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
        """Regulators with edges, their statistics, p- and q-values.

        The statistic is the sum of those of the edges, standardised for each regulator by its mean
        and standard deviation over all labellings.
        """
        sums, there = self._sums
        spread = sums.std(axis=0)
        statistic = (sums - sums.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        regulators = np.flatnonzero(there[0])
        own = statistic[0, regulators]
        pvalues, qvalues = _ranked(own, statistic[there])
        return regulators, own, pvalues, qvalues

    def pvalue(self) -> float:
        """p-value of the whole networks, by the mean squared statistic of their edges."""
        means = [one.squared.mean() if len(one.squared) else 0.0 for one in self.labelled]
        return float(np.mean(np.array(means) >= means[0]))

    def jaccard(self) -> Floats:
        """Edges of both networks as a share of those of either [labellings]."""
        return np.array([one.n_common / max(1, len(one.squared)) for one in self.labelled])


def _ranked(own: Floats, pooled: Floats) -> tuple[Floats, Floats]:
    """p-values by rank among all values, own ones included, and q-values."""
    # Equal statistics of exchanged groups differ by rounding
    above = len(pooled) - np.searchsorted(np.sort(pooled), own - 1e-9 * np.abs(own), side="left")
    pvalues = above / max(1, len(pooled))
    return pvalues, adjusted(pvalues, len(pvalues), "fdr_bh")


def differences(groups: Groups, labellings: Labellings) -> tuple[Differences, list[GroupNetwork]]:
    """The differences under all labellings, and the two networks of the given one."""
    found: list[Labelled] = []
    given: list[GroupNetwork] = []
    for number in progress(range(len(labellings)), "permutations", unit="permutation"):
        labels = labellings[number]
        networks = [groups.network(side) for side in (~labels, labels)]
        edges = [Edges.joined([]) if one is None else one.edges for _, one in networks]
        keys = [groups.keys(one) for one in edges]
        row, gene = np.divmod(np.union1d(*keys), groups.candidates.n_genes)
        squared, _ = groups.statistics(labels, row, gene)
        found.append(Labelled(row, gene, squared, sum(map(len, keys)) - len(row)))
        if number == 0:
            given = networks
    return Differences(found, groups.candidates.n_regulators), given
