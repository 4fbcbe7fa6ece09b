"""Resamples: the samples of each, and the edges found in each."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pysces import _seeds
from pysces._checks import check_one_of
from pysces.aracne._candidates import (
    Candidates,
    Edges,
    RankCandidates,
    ScoredCandidates,
    edges_above,
)
from pysces.aracne._dpi import dpi_mask
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray


RESAMPLINGS = ("halves", "subsample", "bootstrap", None)
FRACTION = 1 - 1 / math.e  # expected share of distinct samples in a bootstrap


@dataclass(frozen=True)
class Resampling:
    """A scheme of resampling.

    Attributes
    ----------
    kind
        ``"halves"`` (two resamples are complementary halves), ``"subsample"`` (without
        replacement), ``"bootstrap"`` (with replacement) or ``None``.
    n_samples
        Number of samples of the data.
    seed
        Each resample has its own random stream, keyed by the seed and its number.
    """

    kind: str | None
    n_samples: int
    seed: int

    def __post_init__(self) -> None:
        check_one_of("resampling", self.kind, RESAMPLINGS)

    def size(self, resample: int = 0) -> int:
        """Number of samples of one resample.

        The first half has n // 2 samples, the second the others. A subsample has 63.2 % of the
        samples, rounded to a multiple of a power of two (about a sixteenth of it or less), so that
        medians cut adaptive partitions into equal halves.

        >>> [Resampling("subsample", n, 0).size() for n in (10, 100, 200, 333, 1000)]
        [6, 64, 128, 208, 640]
        >>> [Resampling("halves", 333, 0).size(resample) for resample in (0, 1)]
        [166, 167]
        """
        if self.kind == "halves":
            return (self.n_samples + resample % 2) // 2
        if self.kind != "subsample":
            return self.n_samples
        wanted = FRACTION * self.n_samples
        even = 2 ** max(1, int(math.log2(max(1.0, wanted / 16))))
        return min(self.n_samples, max(1, round(wanted / even) * even))

    @property
    def null_scheme(self) -> str:
        """The scheme of its null distribution."""
        return "bootstrap" if self.kind == "bootstrap" else "permutation"

    def indices(self, resample: int) -> NDArray[np.int64]:
        """Positions of the samples of one resample, ascending."""
        if self.kind is None:
            return np.arange(self.n_samples)
        if self.kind == "halves":
            order = _seeds.generator(self.seed, "halves", resample // 2).permutation(self.n_samples)
            first = self.n_samples // 2
            return np.sort(order[first:] if resample % 2 else order[:first])
        stream = _seeds.generator(self.seed, "resample", resample)
        if self.kind == "bootstrap":
            return np.sort(stream.integers(0, self.n_samples, size=self.n_samples))
        return np.sort(stream.choice(self.n_samples, size=self.size(), replace=False))

    def weights(self, resample: int) -> NDArray[np.uint8]:
        """Multiplicity of each sample in one resample, uint8 [samples]."""
        times = np.bincount(self.indices(resample), minlength=self.n_samples)
        return np.minimum(times, 255).astype(np.uint8)


Batch = tuple[int, ...]  # numbers of resamples that are computed together
# A batch of halves needs one extra product over all samples, which its resamples share.
_MOST_TOGETHER = 50
_FEWEST_TOGETHER = 10
_WORK_TOGETHER = 3e12  # multiplications and additions; takes seconds to tens of seconds


@dataclass(frozen=True, eq=False)
class ResampleResult:
    """The edges of one resample.

    Attributes
    ----------
    edges
        Pairs above the threshold, of regulators and decoys, before pruning.
    kept
        Which of them the data processing inequality keeps.
    largest
        The largest mutual information of a regulator (fixed point).
    """

    edges: Edges
    kept: NDArray[np.bool_]
    largest: int

    @property
    def network(self) -> Edges:
        """The edges after pruning."""
        return self.edges.take(self.kept)


@dataclass(frozen=True, eq=False)
class Resampler(ABC):
    """Everything that a worker needs to compute any resample.

    Attributes
    ----------
    candidates
        Regulators, decoys and genes.
    resampling
        The scheme of resampling.
    thresholds
        Smallest mutual information of an edge, by the number of samples of a resample.
    dpi, dpi_tolerance
        How edges are pruned.
    """

    candidates: Candidates
    resampling: Resampling
    thresholds: Mapping[int, int]
    dpi: str | None
    dpi_tolerance: float

    def __call__(self, batch: Batch) -> list[ResampleResult]:
        """Compute, threshold and prune the edges of a batch of resamples."""
        return self.join([self.part(batch, slice(0, self.candidates.n_genes))])

    def batches(self, resamples: Sequence[int]) -> list[Batch]:
        """Resamples in batches that are computed together; here one per batch."""
        return [(resample,) for resample in resamples]

    def parts(self, count: int) -> list[slice]:
        """Genes in this many blocks, if there are more workers than resamples.

        Genes are divided, not regulators: each part ranks its own genes and all regulators, of
        which there are far fewer.
        """
        n_genes = self.candidates.n_genes
        return list(blocks(n_genes, -(-n_genes // max(1, count))))

    @abstractmethod
    def part(self, batch: Batch, genes: slice) -> list[tuple[Edges, int]]:
        """Pairs above the threshold of some genes with all regulators, per resample."""

    @abstractmethod
    def whole(self) -> tuple[Edges, int]:
        """Pairs above the threshold over all samples, and the largest value of a regulator."""

    def join(self, parts: list[list[tuple[Edges, int]]]) -> list[ResampleResult]:
        """Combine parts that cover all genes into the results of a batch."""
        return [
            self.pruned(
                Edges.joined([edges for edges, _ in of_one]), max(largest for _, largest in of_one)
            )
            for of_one in zip(*parts, strict=True)
        ]

    def pruned(self, edges: Edges, largest: int) -> ResampleResult:
        """Prune given edges."""
        kept = dpi_mask(self.candidates, edges, self.dpi, self.dpi_tolerance)
        return ResampleResult(edges, kept, largest)

    def portable(self) -> Resampler:
        """A copy with all values in memory, for other processes."""
        return replace(self, candidates=self.candidates.in_memory())


@dataclass(frozen=True, eq=False)
class RankResampler(Resampler):
    """Resamples of ranks or bins, one at a time."""

    candidates: RankCandidates

    def part(self, batch: Batch, genes: slice) -> list[tuple[Edges, int]]:
        """Rank some genes, and threshold their mutual information with all regulators."""
        found = []
        for resample in batch:
            key = _seeds.key(self.resampling.seed, "ties", resample)
            samples = self.resampling.indices(resample)
            estimator = self.candidates.estimator.with_samples(len(samples))
            threshold = self.thresholds[len(samples)]
            found.append(edges_above(self.candidates, estimator, samples, key, threshold, genes))
        return found

    def whole(self) -> tuple[Edges, int]:
        """Pairs above the threshold over all samples, and the largest value of a regulator."""
        own = self.candidates
        samples, key = own.whole()
        return edges_above(own, own.estimator, samples, key, self.thresholds[len(samples)])


@dataclass(frozen=True, eq=False)
class ScoreResampler(Resampler):
    """Resamples of scores, one kernel call per batch."""

    candidates: ScoredCandidates

    def batches(self, resamples: Sequence[int]) -> list[Batch]:
        """Resamples in batches; complementary halves stay together."""
        own = self.candidates
        terms = 1 if own.scores.degree == 1 else 3
        per_resample = 2.0 * terms * own.n_rows * own.n_genes * self.resampling.size()
        length = int(min(_MOST_TOGETHER, max(_FEWEST_TOGETHER, _WORK_TOGETHER // per_resample)))
        length -= length % 2
        pairs = dict.fromkeys(resample // 2 for resample in resamples)
        wanted = set(resamples)
        groups: list[Batch] = []
        for some in _grouped(list(pairs), length // 2):
            both = (resample for pair in some for resample in (2 * pair, 2 * pair + 1))
            groups.append(tuple(resample for resample in both if resample in wanted))
        return groups

    def part(self, batch: Batch, genes: slice) -> list[tuple[Edges, int]]:
        """Threshold the mutual information of some genes with all regulators and decoys."""
        own = self.candidates
        weights = np.stack([self.resampling.weights(resample) for resample in batch])
        sizes = weights.sum(axis=1, dtype=np.int64)
        counts, row, gene, mi = ops.copula_edges(
            own.rows,
            own.scores.values[genes],
            own.own_gene - genes.start,
            weights,
            own.usable_rows(weights),
            own.scores.usable(weights)[:, genes],
            np.array([max(1, self.thresholds[int(size)]) for size in sizes], dtype=np.int64),
            own.scores.degree,
        )
        found = []
        for stop, count in zip(np.cumsum(counts).tolist(), counts.tolist(), strict=True):
            one = slice(stop - count, stop)
            edges = Edges(row[one], gene[one] + np.int32(genes.start), mi[one])
            real = edges.mi[edges.row < own.n_regulators]
            found.append((edges, int(real.max(initial=0))))
        return found

    def whole(self) -> tuple[Edges, int]:
        """Pairs above the threshold over all samples, and the largest value of a regulator."""
        return self.part((0,), slice(0, self.candidates.n_genes))[0]


def resampler_of(
    candidates: Candidates,
    resampling: Resampling,
    thresholds: Mapping[int, int],
    dpi: str | None,
    dpi_tolerance: float,
) -> Resampler:
    """The resampler of these candidates."""
    kind = ScoreResampler if isinstance(candidates, ScoredCandidates) else RankResampler
    return kind(candidates, resampling, thresholds, dpi, dpi_tolerance)  # type: ignore[arg-type]


def _grouped(items: list[int], length: int) -> list[list[int]]:
    return [items[start : start + length] for start in range(0, len(items), length)]
