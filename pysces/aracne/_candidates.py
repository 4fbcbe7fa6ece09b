"""Candidates (regulators and decoys), their edges, and mutual information by blocks."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pysces import _seeds
from pysces.aracne._correlation import spearman
from pysces.aracne._estimators import Adaptive
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.settings import settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.aracne._copula import Copula, Scores
    from pysces.aracne._estimators import Estimator, RankEstimator
    from pysces.data._expression import Expression


@dataclass(frozen=True, eq=False)
class Edges:
    """Pairs of rows (regulators, then decoys) and genes with their mutual information.

    Attributes
    ----------
    row, gene
        Positions, int32 [edges].
    mi
        Fixed point, int64 [edges].
    """

    row: NDArray[np.int32]
    gene: NDArray[np.int32]
    mi: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: NDArray[Any]) -> Edges:
        """Some of the edges, by mask or position."""
        return Edges(self.row[chosen], self.gene[chosen], self.mi[chosen])

    @classmethod
    def joined(cls, parts: list[Edges]) -> Edges:
        """All edges of several parts, in their order."""
        if not parts:
            return cls(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))
        return cls(
            np.concatenate([part.row for part in parts]),
            np.concatenate([part.gene for part in parts]),
            np.concatenate([part.mi for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class Candidates(ABC):
    """Candidate edges: the genes of an expression matrix, the regulators among them, and decoys.

    Rows are the regulators, followed by the decoys. A decoy is a regulator whose values are
    permuted over the samples, once, by the seed: it has the same marginal distribution and the same
    resamples, but regulates nothing. The regulators are copied in turn, in an order that depends on
    the seed and their names, so the first decoys do not depend on the number of decoys.

    Attributes
    ----------
    expression
        Genes x samples, no constant genes.
    regulators
        Positions of the regulators among the genes, int64 [regulators].
    n_decoys
        Number of decoys.
    seed
        Seed of the decoys and of the order of ties.
    """

    expression: Expression
    regulators: NDArray[np.int64]
    n_decoys: int
    seed: int

    @cached_property
    def _gene_keys(self) -> NDArray[np.uint64]:
        return _seeds.keys(self.seed, self.expression.genes, "gene")

    @cached_property
    def decoy_source(self) -> NDArray[np.int64]:
        """The regulator whose values each row has, int64 [rows]."""
        own = np.arange(self.n_regulators)
        turns = np.argsort(_seeds.combine(self._gene_keys[self.regulators], 1), kind="stable")
        return np.concatenate([own, np.resize(turns, self.n_decoys)])

    @cached_property
    def _row_keys(self) -> NDArray[np.uint64]:
        own = self._gene_keys[self.regulators]
        turn = np.arange(self.n_decoys) // max(1, self.n_regulators)
        names = self.expression.genes[self.regulators[self.decoy_source[self.n_regulators :]]]
        decoys = [
            _seeds.key(self.seed, "decoy", turn, name)
            for turn, name in zip(turn.tolist(), names, strict=True)
        ]
        return np.concatenate([own, np.array(decoys, dtype=np.uint64)])

    @property
    def n_regulators(self) -> int:
        """Number of regulators without decoys; they are the first rows."""
        return len(self.regulators)

    @property
    def n_rows(self) -> int:
        """Number of regulators and decoys."""
        return self.n_regulators + self.n_decoys

    @property
    def n_genes(self) -> int:
        """Number of genes, regulators included."""
        return self.expression.n_genes

    @property
    def n_pairs(self) -> int:
        """Number of tests: unordered pairs, so a pair of two regulators counts once."""
        regulators = self.n_regulators
        return regulators * (self.n_genes - regulators) + regulators * (regulators - 1) // 2

    def regulator_of_gene(self) -> NDArray[np.int64]:
        """Index of each gene among the regulators, or -1, int64 [genes]."""
        found = np.full(self.n_genes, -1, dtype=np.int64)
        found[self.regulators] = np.arange(self.n_regulators)
        return found

    @property
    @abstractmethod
    def estimator(self) -> Estimator:
        """The estimator on all samples."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Hexadecimal digest of the data that mutual information depends on."""

    @property
    def strata_digest(self) -> str:
        """Hexadecimal digest of the strata within which decoys are permuted."""
        return "none"

    @abstractmethod
    def pair_mi(self, row: NDArray[np.int32], gene: NDArray[np.int32]) -> NDArray[np.int64]:
        """Mutual information of rows and genes over all samples, pair by pair, fixed point."""

    @abstractmethod
    def correlation(
        self, row: NDArray[np.integer], gene: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Correlation of regulators and genes, pair by pair; its sign is that of the mode."""

    @abstractmethod
    def in_memory(self) -> Self:
        """A copy that holds everything resampling needs in memory."""

    @abstractmethod
    def _permutation(self, row: int) -> NDArray[np.int64]:
        """The permutation of the samples of a decoy."""


@dataclass(frozen=True, eq=False)
class RankCandidates(Candidates):
    """Candidates whose values are ranked, or binned, in every resample.

    Attributes
    ----------
    rank_estimator
        The estimator on all samples.
    """

    rank_estimator: RankEstimator

    @property
    def estimator(self) -> RankEstimator:
        """The estimator on all samples."""
        return self.rank_estimator

    @cached_property
    def _held(self) -> NDArray[np.int32] | None:
        """Ranks of all values if they take a quarter of the memory or less; else None."""
        own = self.expression
        if own.n_genes * own.n_samples * 4 > settings.memory // 4:
            return None
        ranks = np.empty(own.shape[::-1], dtype=np.int32)
        for genes in blocks(own.n_genes, block_length(32 * own.n_samples, own.n_genes)):
            ranks[genes] = ops.average_ranks(own.gene_block(genes))
        return ranks

    @cached_property
    def row_ranks(self) -> NDArray[np.int32]:
        """Integers in the order of the values of regulators and decoys, int32 [rows samples]."""
        ranks = self.gene_ranks(self.regulators)[self.decoy_source]
        for row in range(self.n_regulators, self.n_rows):
            ranks[row] = ranks[row, self._permutation(row)]
        return ranks

    def gene_ranks(self, genes: slice | NDArray[np.int64]) -> NDArray[np.int32]:
        """Integers in the order of the values of some genes, int32 [genes samples]."""
        if self._held is not None:
            return self._held[genes]
        return ops.average_ranks(self.expression.gene_block(genes))

    def keys(self, genes: slice, tie_key: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Keys of the hashes that order equal values, of all rows and of some genes."""
        row_keys = _seeds.combine(self._row_keys, tie_key)
        return row_keys, _seeds.combine(self._gene_keys[genes], tie_key)

    @property
    def digest(self) -> str:
        """Hexadecimal digest of the data that mutual information depends on."""
        return self.expression.data_hash()

    def whole(self) -> tuple[NDArray[np.int64], int]:
        """Positions of all samples, and the key that breaks their ties."""
        return np.arange(self.expression.n_samples), _seeds.key(self.seed, "ties", "all")

    def pair_mi(self, row: NDArray[np.int32], gene: NDArray[np.int32]) -> NDArray[np.int64]:
        """Mutual information of rows and genes over all samples, pair by pair, fixed point."""
        mi = np.zeros(len(row), dtype=np.int64)
        if len(row) == 0:
            return mi
        for rows, genes, block in mi_blocks(self, self.estimator, *self.whole()):
            inside = np.flatnonzero(
                (row >= rows.start)
                & (row < rows.stop)
                & (gene >= genes.start)
                & (gene < genes.stop)
            )
            mi[inside] = block[row[inside] - rows.start, gene[inside] - genes.start]
        return mi

    def correlation(
        self, row: NDArray[np.integer], gene: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Spearman correlation of regulators and genes, pair by pair."""
        return spearman(self.expression, self.regulators[row], gene.astype(np.int64))

    def in_memory(self) -> Self:
        """A copy whose expression is one array in memory."""
        own = self.expression
        loaded = type(own).from_matrix(own.gene_block().T, own.genes, own.samples)
        return replace(self, expression=loaded)

    def _values(self, genes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Numbers in the order of the values of some genes."""
        if self._held is None:
            return self.expression.gene_block(genes)
        return self._held[genes].astype(np.float64)

    def gene_marginals(
        self, estimator: RankEstimator, genes: slice, samples: NDArray[np.int64], tie_key: int
    ) -> NDArray[Any]:
        """Ranks or bins of some genes over some samples."""
        chosen = np.arange(genes.start, genes.stop)
        values = np.ascontiguousarray(self._values(chosen)[:, samples])
        return estimator.marginals(values, _seeds.combine(self._gene_keys[genes], tie_key))

    def row_marginals(
        self, estimator: RankEstimator, rows: slice, samples: NDArray[np.int64], tie_key: int
    ) -> NDArray[Any]:
        """Ranks or bins of some regulators and decoys over some samples."""
        chosen = np.arange(rows.start, rows.stop)
        values = self._values(self.regulators[self.decoy_source[chosen]])
        values = np.stack(
            [
                own if row < self.n_regulators else own[self._permutation(int(row))]
                for row, own in zip(chosen, values, strict=True)
            ]
        )
        keys = self._row_keys[rows]
        return estimator.marginals(
            np.ascontiguousarray(values[:, samples]), _seeds.combine(keys, tie_key)
        )

    def _permutation(self, row: int) -> NDArray[np.int64]:
        key = int(self._row_keys[row])
        return _seeds.generator(key, "permutation").permutation(self.expression.n_samples)


@dataclass(frozen=True, eq=False)
class ScoredCandidates(Candidates):
    """Candidates with integer scores instead of values; decoys are permuted within strata.

    Attributes
    ----------
    scores
        Scores of all genes.
    strata
        Stratum of each sample, int64 [samples].
    donor
        Donor of each sample, int64 [samples], or None.
    """

    scores: Scores
    strata: NDArray[np.int64]
    donor: NDArray[np.int64] | None = None

    @cached_property
    def own_gene(self) -> NDArray[np.int64]:
        """Gene of each row: the regulator itself, or the one a decoy copies; never its target."""
        return self.regulators[self.decoy_source]

    @cached_property
    def rows(self) -> NDArray[np.int8]:
        """Scores of regulators and decoys, int8 [rows terms samples]."""
        found = self.scores.values[self.own_gene]
        for row in range(self.n_regulators, self.n_rows):
            found[row] = found[row][:, self._permutation(row)]
        return found

    @cached_property
    def _nonzero_rows(self) -> NDArray[np.uint8] | None:
        if self.scores.nonzero is None:
            return None
        n = self.expression.n_samples
        bits = np.unpackbits(self.scores.nonzero[self.own_gene], axis=1, count=n)
        for row in range(self.n_regulators, self.n_rows):
            bits[row] = bits[row][self._permutation(row)]
        return np.packbits(bits, axis=1)

    @property
    def estimator(self) -> Copula:
        """The estimator on all samples."""
        return self.scores.estimator()

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest of the data that mutual information depends on."""
        found = hashlib.blake2b(self.scores.digest.encode(), digest_size=16)
        found.update("\0".join(self.expression.genes).encode())
        return found.hexdigest()

    @property
    def strata_digest(self) -> str:
        """Hexadecimal digest of the strata within which decoys are permuted."""
        return hashlib.blake2b(self.strata.tobytes(), digest_size=16).hexdigest()

    def pair_mi(self, row: NDArray[np.int32], gene: NDArray[np.int32]) -> NDArray[np.int64]:
        """Mutual information of rows and genes over all samples, pair by pair, fixed point."""
        if len(row) == 0:
            return np.zeros(0, dtype=np.int64)
        return ops.copula_pairs(self.rows, self.scores.values, row, gene, self.scores.degree)

    def correlation(
        self, row: NDArray[np.integer], gene: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Correlation of regulators and genes, pair by pair.

        Spearman correlation of continuous values; of counts, the correlation of their scores: raw
        counts grow with the depth, so that repressed targets would appear activated.
        """
        if self.scores.nonzero is None:
            return spearman(self.expression, self.regulators[row], gene.astype(np.int64))
        found = np.empty(len(row))
        n = self.scores.n_samples
        for some in blocks(len(row), block_length(24 * n, len(row))):
            x = self.rows[row[some], 0].astype(np.float64)
            y = self.scores.values[gene[some], 0].astype(np.float64)
            # Integers: the sums do not depend on the order of the samples
            sums = [n * (a * b).sum(axis=1) - a.sum(axis=1) * b.sum(axis=1)
                    for a, b in ((x, y), (x, x), (y, y))]  # fmt: skip
            with np.errstate(divide="ignore", invalid="ignore"):
                found[some] = sums[0] / np.sqrt(sums[1]) / np.sqrt(sums[2])
        return np.clip(np.nan_to_num(found), -1.0, 1.0)

    def usable_rows(self, weights: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Regulators and decoys with enough counts in each resample, bool [resamples rows]."""
        return replace(self.scores, values=self.rows, nonzero=self._nonzero_rows).usable(weights)

    def in_memory(self) -> Self:
        """A copy without expression values, which the scores replace."""
        return replace(self, expression=self.expression.names_only())

    def _permutation(self, row: int) -> NDArray[np.int64]:
        """A permutation of the samples within their strata."""
        stream = _seeds.generator(int(self._row_keys[row]), "permutation")
        drawn = stream.random(len(self.strata))
        order = np.empty(len(self.strata), dtype=np.int64)
        order[np.argsort(self.strata, kind="stable")] = np.lexsort((drawn, self.strata))
        return order


def mi_blocks(
    candidates: RankCandidates,
    estimator: RankEstimator,
    samples: NDArray[np.int64],
    tie_key: int,
    wanted: slice | None = None,
) -> Iterator[tuple[slice, slice, NDArray[np.int64]]]:
    """Yield (rows, genes, mutual information) blocks that cover all pairs; self pairs are 0.

    A block takes at most a quarter of ``settings.memory``. `wanted` selects genes; None for all.
    """
    wanted = wanted or slice(0, candidates.n_genes)
    n = len(samples)
    per_gene = n * (8 + estimator.bytes_per_value) + 8
    gene_length = block_length(2 * per_gene, candidates.n_genes)
    row_length = block_length(8 * gene_length + 2 * per_gene, candidates.n_rows, share=1 / 8)
    row_length = min(row_length, 256)  # keeps GPU launches short
    rows = list(blocks(candidates.n_rows, row_length))
    row_bytes = candidates.n_rows * n * estimator.bytes_per_value
    kept = (
        [candidates.row_marginals(estimator, r, samples, tie_key) for r in rows]
        if (row_bytes <= settings.memory // 8)
        else None
    )
    for place in blocks(wanted.stop - wanted.start, gene_length):
        genes = slice(wanted.start + place.start, wanted.start + place.stop)
        gene_marginals = candidates.gene_marginals(estimator, genes, samples, tie_key)
        for i, block in enumerate(rows):
            own = kept[i] if kept else candidates.row_marginals(estimator, block, samples, tie_key)
            mi = estimator.mi(own, gene_marginals)
            _clear_self_pairs(candidates, block, genes, mi)
            yield block, genes, mi


def _clear_self_pairs(
    candidates: Candidates, rows: slice, genes: slice, mi: NDArray[np.int64]
) -> None:
    """Set self pairs to 0: a regulator is no target of itself or of its own decoy."""
    gene = candidates.regulators[candidates.decoy_source[rows]]
    inside = (gene >= genes.start) & (gene < genes.stop)
    mi[np.flatnonzero(inside), gene[inside] - genes.start] = 0


def edges_above(
    candidates: RankCandidates,
    estimator: RankEstimator,
    samples: NDArray[np.int64],
    tie_key: int,
    threshold: int,
    wanted: slice | None = None,
) -> tuple[Edges, int]:
    """Pairs at or above a threshold, and the largest mutual information of a regulator.

    `wanted` selects genes; None for all.
    """
    wanted = wanted or slice(0, candidates.n_genes)
    threshold = max(threshold, 1)  # 0 means no edge
    given = samples, tie_key, threshold, wanted
    found = (
        _adaptive_edges(candidates, estimator, *given)
        if isinstance(estimator, Adaptive)
        else _binned_edges(candidates, estimator, *given)
    )
    parts, largest = [], 0
    for edges, highest in found:
        parts.append(edges)
        largest = max(largest, highest)
    return Edges.joined(parts), largest


def _adaptive_edges(
    candidates: RankCandidates,
    estimator: Adaptive,
    samples: NDArray[np.int64],
    tie_key: int,
    threshold: int,
    wanted: slice,
) -> Iterator[tuple[Edges, int]]:
    """One kernel per block of genes ranks, computes and selects; there is no matrix of pairs."""
    own = candidates.regulators[candidates.decoy_source]
    length = block_length(20 * candidates.expression.n_samples, candidates.n_genes)
    for place in blocks(wanted.stop - wanted.start, length):
        genes = slice(wanted.start + place.start, wanted.start + place.stop)
        row_keys, gene_keys = candidates.keys(genes, tie_key)
        inside = (own >= genes.start) & (own < genes.stop)
        _, row, gene, mi, largest = ops.adaptive_edges(
            candidates.row_ranks,
            candidates.gene_ranks(genes),
            np.where(inside, own - genes.start, -1),
            samples.astype(np.int32)[None, :],
            row_keys[None, :],
            gene_keys[None, :],
            np.array([threshold], dtype=np.int64),
            candidates.n_regulators,
            **estimator.tables_of_edges(),
        )
        yield Edges(row, gene + np.int32(genes.start), mi), int(largest.max(initial=0))


def _binned_edges(
    candidates: RankCandidates,
    estimator: RankEstimator,
    samples: NDArray[np.int64],
    tie_key: int,
    threshold: int,
    wanted: slice,
) -> Iterator[tuple[Edges, int]]:
    for rows, genes, mi in mi_blocks(candidates, estimator, samples, tie_key, wanted):
        real = mi[: max(0, candidates.n_regulators - rows.start)]
        found = np.flatnonzero(mi >= threshold)  # much faster than nonzero on a matrix
        row, gene = np.divmod(found, mi.shape[1])
        edges = Edges(
            (row + rows.start).astype(np.int32),
            (gene + genes.start).astype(np.int32),
            mi.ravel()[found],
        )
        yield edges, int(real.max(initial=0))
