"""The copula estimator: integer scores per gene, computed once; resamples select samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from pysces import _seeds
from pysces._checks import check_one_of
from pysces.aracne._partition import FRACTION_BITS
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pysces.data._count_data import CountData
    from pysces.data._expression import Expression

    Floats = NDArray[np.float64]

DEGREES = ("auto", 1, 2)
LARGEST = 127  # largest integer score
SPARSE = 0.5  # share of zeros above which the parabola costs more power than it gains
FEWEST_NONZERO = 3  # fewest nonzero counts of a gene in a resample
_IN_CACHE = 1 << 14  # scores, of 8 bytes
LEAST_VARIANCE = 0.01  # variance of h2 given h1: 0 for a gene with two values


@dataclass(frozen=True)
class Copula:
    """Mutual information of a Gaussian copula with a parabola, from n samples.

    Attributes
    ----------
    n
        Number of samples that the mutual information is computed from.
    total
        Number of samples that the scores were computed from.
    degree
        1: linear in the scores; 2: with a parabola.
    studentised
        Whether the smaller of the plain and the studentised share of variance is used.
    """

    n: int
    total: int
    degree: int
    studentised: bool

    @property
    def kind(self) -> str:
        """Its name in the options."""
        return "copula"

    @property
    def ties(self) -> str:
        """How equal values are scored: they share a score."""
        return "together"

    @property
    def terms(self) -> int:
        """Number of scores of a gene: h1, h2, and their squares."""
        return self.degree * (2 if self.studentised else 1)

    @property
    def name(self) -> str:
        """Text key of everything that the null distribution depends on."""
        form = "-lesser" * self.studentised
        return f"copula{self.degree}{form}-n{self.n}of{self.total}"

    @property
    def bytes_per_gene(self) -> float:
        """Memory that `independent` needs for each gene: ranks and scores."""
        return 12.0 * self.total + (8.0 + 2.0 * self.terms) * self.n

    @property
    def per_nat(self) -> float:
        """What the kernels return for one nat."""
        return 2.0**FRACTION_BITS

    def nats(self, mi: NDArray[np.int64]) -> Floats:
        """Mutual information in nats from what the kernels return."""
        return np.asarray(mi) / 2.0**FRACTION_BITS

    def with_samples(self, n: int) -> Copula:
        """The same estimator with n of the samples."""
        return replace(self, n=n)

    def null_form(self) -> Copula:
        """The form whose null distribution is simulated: scores without ties."""
        return self

    def enough(self) -> Copula:
        """The estimator of fewest samples that has the same null distribution up to a factor.

        In large samples n R^2 tends to a sum of squares of normal variables.
        """
        most = 4096
        if self.n <= most:
            return self
        return replace(self, n=most, total=max(most, round(most * self.total / self.n)))

    def stretch(self, large: Copula) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """Rescale null values of this sample size to a larger one: (n - 2) MI is constant."""
        scale = (self.n - 2) / (large.n - 2)
        return lambda mi: np.rint(mi * scale).astype(np.int64)

    def independent(
        self, genes: NDArray[np.uint64], key: int, n_rows: int, draw: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Mutual information of independent genes without ties, rows x others.

        Parameters
        ----------
        genes, key
            Numbers of the genes, the rows first, and the key that their values are drawn with.
        n_rows
            Number of rows.
        draw
            Samples of a bootstrap, or None for the first n of the permuted samples.
        """
        keys = _seeds.combine(genes, key)
        ranks = ops.ordinal_ranks(np.zeros((len(keys), self.total)), keys, False) - 1
        template = whole_scores(*untied_scores(self.total), self.degree, self.studentised)[0]
        chosen = np.arange(self.n) if draw is None else draw
        values = np.ascontiguousarray(template[:, ranks[:, chosen]].swapaxes(0, 1))
        return ops.copula_mi(values[:n_rows], values[n_rows:], self.degree)


def untied_scores(n: int) -> tuple[Floats, Floats]:
    """Scores of n distinct values in ascending order, each 1 x n."""
    less = np.arange(n)[None, :]
    return _rank_scores(less, less + 1, n)


def _rank_scores(
    less: NDArray[np.int64], up_to: NDArray[np.int64], n: int
) -> tuple[Floats, Floats]:
    """Means of z and of z^2 - 1 over the normal quantiles from less / n to up_to / n."""
    ends = np.arange(n + 1) / n
    z = ndtri(ends)
    z[[0, -1]] = 0.0  # z phi(z) is 0 at both ends, and so is phi
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    density[[0, -1]] = 0.0
    width = (up_to - less) / n
    first = (density[less] - density[up_to]) / width
    second = ((z * density)[less] - (z * density)[up_to]) / width
    return first, second


def continuous_scores(values: Floats) -> tuple[Floats, Floats]:
    """Normal scores of values, genes x samples; equal values share the mean of their interval.

    A value covers the interval of the uniform distribution from the share of samples below it to
    the share of samples up to it; h1 and h2 are the means of z and of z^2 - 1 over that interval.
    """
    n = values.shape[1]
    ranks = ops.average_ranks(values)
    first, second = np.empty(values.shape), np.empty(values.shape)
    for genes in _cached(values.shape):
        doubled = ranks[genes].astype(np.int64)  # 2 less + equal + 1
        equal = np.stack([np.bincount(row, minlength=2 * n + 1)[row] for row in doubled])
        less = (doubled - equal - 1) // 2
        first[genes], second[genes] = _rank_scores(less, less + equal, n)
    return first, second


def _cached(shape: tuple[int, ...]) -> Iterator[slice]:
    """Blocks of genes whose arrays of all samples stay in the cache of a core."""
    return blocks(shape[0], max(1, _IN_CACHE // max(1, shape[1])))


def whole_scores(first: Floats, second: Floats, degree: int, studentised: bool) -> NDArray[np.int8]:
    """Scores as 8-bit integers, genes x terms x samples.

    h1 is centred; h2 is made orthogonal to h1, and is 0 where less than 1 % of its variance is
    left. Each is scaled so that its largest is 127: a correlation does not depend on the scale.
    """
    first = first - first.mean(axis=1, keepdims=True)
    terms = [first]
    if degree == 2:
        second = second - second.mean(axis=1, keepdims=True)
        spread = np.maximum((first * first).sum(axis=1, keepdims=True), 1e-300)
        before = (second * second).sum(axis=1)
        second = second - (first * second).sum(axis=1, keepdims=True) / spread * first
        flat = (second * second).sum(axis=1) <= LEAST_VARIANCE * before
        second[flat] = 0.0
        terms.append(second)
    whole = []
    for term in terms:
        largest = np.abs(term).max(axis=1, keepdims=True, initial=0.0)
        scale = np.where(largest > 1e-9, LARGEST / np.maximum(largest, 1e-9), 0.0)
        whole.append(np.rint(term * scale))
    if studentised:
        whole += [np.rint(term * term / LARGEST) for term in whole]
    return np.stack(whole, axis=1).astype(np.int8)


def nats_of_pair(first: Floats, second: Floats, degree: int, studentised: bool) -> float:
    """Mutual information of two genes in nats, from their scores h1 and h2, each [2 samples]."""
    whole = whole_scores(first, second, degree, studentised)
    return float(ops.copula_mi(whole[:1], whole[1:], degree)[0, 0]) / 2.0**FRACTION_BITS


def degree_of(degree: int | str, sparse: bool) -> int:
    """The degree of the polynomial; ``"auto"`` is 1 for sparse values, else 2."""
    return degree if not isinstance(degree, str) else 1 if sparse else 2


@dataclass(frozen=True, eq=False)
class Scores:
    """Integer scores of all genes over all samples.

    Attributes
    ----------
    values
        int8 [genes terms samples].
    degree
        1 or 2.
    studentised
        Whether there are squared scores.
    nonzero
        Where a gene has counts, packed bits uint8 [genes, samples / 8]; None for continuous data.
    """

    values: NDArray[np.int8]
    degree: int
    studentised: bool
    nonzero: NDArray[np.uint8] | None

    @classmethod
    def of(
        cls,
        expression: Expression,
        counts: CountData | None,
        batch: NDArray[np.int64] | None,
        degree: int | str,
    ) -> Scores:
        """Scores of counts given their depth, or of the ranks of continuous values by batch."""
        check_one_of("degree", degree, DEGREES)
        sparse = (counts.expression if counts else expression).zero_share() > SPARSE
        chosen = degree_of(degree, sparse)
        n_genes, n = expression.n_genes, expression.n_samples
        terms = chosen * (2 if sparse else 1)
        values = np.empty((n_genes, terms, n), dtype=np.int8)
        nonzero = None if counts is None else np.empty((n_genes, -(-n // 8)), dtype=np.uint8)
        for genes in blocks(n_genes, block_length(120 * n, n_genes)):
            if counts is None:
                first, second = ranked_scores(expression.gene_block(genes), batch)
            else:
                block = counts.expression.gene_block(genes)
                first, second = counts.model.scores(block, genes)
                assert nonzero is not None
                nonzero[genes] = np.packbits(block > 0, axis=1)
            for some in _cached(first.shape):
                whole = whole_scores(first[some], second[some], chosen, sparse)
                values[genes][some] = whole
        return cls(values, chosen, sparse, nonzero)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.values.shape[2]

    def estimator(self) -> Copula:
        """The estimator on all samples."""
        return Copula(self.n_samples, self.n_samples, self.degree, self.studentised)

    def usable(self, weights: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Genes that have enough counts in each resample, bool [resamples genes].

        The score of a gene with almost no counts is a function of the depth alone.
        """
        if self.nonzero is None:
            return np.ones((len(weights), len(self.values)), dtype=bool)
        drawn = (weights > 0).astype(np.float32).T
        found = np.empty((len(weights), len(self.values)), dtype=bool)
        for genes in blocks(len(self.values), block_length(5 * self.n_samples, len(self.values))):
            bits = np.unpackbits(self.nonzero[genes], axis=1, count=self.n_samples)
            found[:, genes] = (bits.astype(np.float32) @ drawn).T >= FEWEST_NONZERO
        return found

    @cached_property
    def digest(self) -> str:
        """Hexadecimal BLAKE2b of everything that resamples depend on."""
        found = hashlib.blake2b(digest_size=16)
        found.update(f"{self.values.shape} {self.degree} {self.studentised}".encode())
        found.update(self.values.data)
        if self.nonzero is not None:
            found.update(self.nonzero.data)
        return found.hexdigest()


def ranked_scores(values: Floats, batch: NDArray[np.int64] | None) -> tuple[Floats, Floats]:
    """Scores of continuous values, ranked within batches."""
    if batch is None:
        return continuous_scores(values)
    first, second = np.empty(values.shape), np.empty(values.shape)
    for number in np.unique(batch):
        own = batch == number
        first[:, own], second[:, own] = continuous_scores(np.ascontiguousarray(values[:, own]))
    return first, second


def strata(
    depth: Floats | None, batch: NDArray[np.int64] | None, n: int, most: int = 10, fewest: int = 20
) -> NDArray[np.int64]:
    """Strata of samples of similar depth within each batch, numbered from 0 [samples].

    Decoys are permuted within strata, so they keep the dependence that depth and batch induce
    between all genes. A stratum has at least `fewest` samples: in smaller ones the permutation
    would leave many values in place.
    """
    found = np.zeros(n, dtype=np.int64)
    count = 0
    for number in [0] if batch is None else np.unique(batch):
        own = np.arange(n) if batch is None else np.flatnonzero(batch == number)
        pieces = 1 if depth is None else max(1, min(most, len(own) // fewest))
        order = own if depth is None else own[np.argsort(depth[own], kind="stable")]
        for piece in np.array_split(order, pieces):
            found[piece] = count
            count += 1
    return found


def facts_of(scores: Scores, counts: CountData | None) -> dict[str, Any]:
    """What the run record says of the scores."""
    facts: dict[str, Any] = {
        "scores": "continuous" if counts is None else "counts given depth",
        "degree": scores.degree,
        "studentised": scores.studentised,
    }
    if counts is None:
        return facts
    return {
        **facts,
        "counts_recovered": counts.recovered,
        "depth_source": counts.source,
        "depth_median": float(np.median(counts.depth)),
        "depth_least": float(counts.depth.min()),
        "depth_largest": float(counts.depth.max()),
    }
