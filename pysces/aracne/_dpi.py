"""Removal of indirect edges by the data processing inequality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp

from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

from pysces.aracne._candidates import Candidates, Edges


def kept_fraction(tolerance: float) -> int:
    """``1 - tolerance`` with 30 fractional bits, as the kernel `dpi` takes it.

    Rounded down: an edge exactly at the limit is kept, since the inequality is strict.
    """
    return int(np.floor((1.0 - tolerance) * 2**30))


def dpi_mask(
    candidates: Candidates, edges: Edges, method: str | None, tolerance: float
) -> NDArray[np.bool_]:
    """Edges kept by the data processing inequality, bool [edges]; decisions on unpruned edges.

    Decoys are pruned by the same regulators as their originals.

    Parameters
    ----------
    candidates, edges
        The significant edges of regulators and decoys.
    method
        ``"dpi"``, ``"maxent"`` or ``None``.
    tolerance
        The weakest edge of a triangle is kept if it is weaker by at most this share.
    """
    if method is None or len(edges) == 0:
        return np.ones(len(edges), dtype=bool)
    n_regulators = candidates.n_regulators
    of_gene = candidates.regulator_of_gene()
    keep = ops.prune_edges(
        edges.row,
        edges.gene,
        edges.mi,
        of_gene.astype(np.int32),
        np.arange(len(edges)),
        n_regulators,
        kept_fraction(tolerance),
    )
    if method == "maxent":
        partner = of_gene[edges.gene]
        both = (partner >= 0) & (edges.row < n_regulators)
        weakest = _weakest(candidates, edges, partner)
        keep[both] &= ~weakest[edges.row[both], partner[both]]
    return keep


def _weakest(candidates: Candidates, edges: Edges, partner: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pairs of regulators that the maximum-entropy rule removes in addition."""
    n_regulators = candidates.n_regulators
    to_regulator = partner >= 0
    between = sp.csr_array(
        (edges.mi[to_regulator], (edges.row[to_regulator], partner[to_regulator])),
        shape=(candidates.n_rows, n_regulators),
    )
    weakest = np.zeros((n_regulators, n_regulators), dtype=bool)
    for block in _by_genes(candidates, edges):
        regulators = block.rows[block.rows < n_regulators]  # the first rows
        network = block.dense[: len(regulators)]
        between_regulators = between[regulators][:, regulators].toarray()
        weakest[np.ix_(regulators, regulators)] |= ops.weakest_pairs(between_regulators, network)
    return weakest


class _Block(NamedTuple):
    """Edges of some genes as a dense matrix, restricted to the rows that have any."""

    rows: NDArray[np.int32]
    dense: NDArray[np.int64]


def _by_genes(candidates: Candidates, edges: Edges) -> Iterator[_Block]:
    """Blocks of genes with about a thousand edges, so that dense matrices stay small."""
    order = np.argsort(edges.gene, kind="stable")
    gene = edges.gene[order]
    few = max(16, 1024 * candidates.n_genes // max(1, len(edges)))
    length = min(few, block_length(24 * candidates.n_rows, candidates.n_genes))
    for genes in blocks(candidates.n_genes, length):
        start, stop = np.searchsorted(gene, [genes.start, genes.stop])
        if start == stop:
            continue
        chosen = order[start:stop]
        rows, row = np.unique(edges.row[chosen], return_inverse=True)
        column = gene[start:stop].astype(np.int64) - genes.start
        dense = np.zeros((len(rows), genes.stop - genes.start), dtype=np.int64)
        dense[row, column] = edges.mi[chosen]
        yield _Block(rows, dense)
