"""One resample: from its samples to its edges. The unit of work, of checkpoints and of clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pysces import seeds
from pysces.aracne.pairs import Candidates, Edges, edges_above, surviving
from pysces.dispatch.chunks import blocks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pysces.aracne.measure import Measure
    from pysces.aracne.resampling import Resampling


@dataclass(frozen=True, eq=False)
class ResampleResult:
    """What one resample found.

    Attributes
    ----------
    edges
        Pairs above the threshold, of regulators and decoys, before pruning.
    kept
        Which of them survive the data processing inequality.
    largest
        The largest mutual information of a regulator (fixed point).
    """

    edges: Edges
    kept: NDArray[np.bool_]
    largest: int

    @property
    def network(self) -> Edges:
        """The edges that survive."""
        return self.edges.take(self.kept)


@dataclass(frozen=True, eq=False)
class Resampler:
    """All that a worker needs to compute any one resample."""

    candidates: Candidates
    measure: Measure
    resampling: Resampling
    threshold: int
    dpi: str | None
    dpi_tolerance: float

    def __call__(self, resample: int) -> ResampleResult:
        """Rank, measure, threshold and prune one resample."""
        return self.join([self.part(resample, slice(0, self.candidates.n_genes))])

    def parts(self, count: int) -> list[slice]:
        """Genes in so many blocks, for more workers than resamples.

        Of genes, not of regulators: each part ranks its own genes and all regulators, which are far
        fewer.
        """
        n_genes = self.candidates.n_genes
        return list(blocks(n_genes, -(-n_genes // max(1, count))))

    def part(self, resample: int, genes: slice) -> tuple[Edges, int]:
        """Rank, measure and threshold some genes with all regulators."""
        key = seeds.key(self.resampling.seed, "ties", resample)
        samples = self.resampling.indices(resample)
        return edges_above(self.candidates, self.measure, samples, key, self.threshold, genes)

    def join(self, parts: list[tuple[Edges, int]]) -> ResampleResult:
        """The result of parts that cover all genes."""
        edges = Edges.joined([edges for edges, _ in parts])
        return self.pruned(edges, max(largest for _, largest in parts))

    def pruned(self, edges: Edges, largest: int) -> ResampleResult:
        """The result of edges that are known already."""
        kept = surviving(self.candidates, edges, self.dpi, self.dpi_tolerance)
        return ResampleResult(edges, kept, largest)

    def portable(self) -> Resampler:
        """The same with all values in memory, so that it can travel to other processes."""
        return replace(self, candidates=self.candidates.in_memory())
