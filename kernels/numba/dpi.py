"""Data processing inequality on the sparse network above the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import prange

from .._constants import DISCOUNT_BITS
from ._jit import jit, on_threads, parallel, read_only
from ._sorting import MISSING, ZERO, scratch, sort_places

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEW = 32  # regulators of a gene
_EDGES = 8192  # of a part of the work of a thread
_GENES = 16  # columns copied together: two cache lines of a row


@parallel
def dpi(
    edges: NDArray[np.int64],
    between: NDArray[np.int64],
    network: NDArray[np.int64],
    kept_fraction: int,
) -> NDArray[np.bool_]:
    """See the reference. Each gene visits only its own regulators, the strongest first.

    An edge can be removed only by regulators with a stronger edge to the gene, and the first that
    explains it suffices, so a gene with k regulators requires at most k^2 / 2 comparisons.
    """
    rows, genes = edges.shape
    regulators = network.shape[0]
    kept = np.zeros((rows, genes), dtype=np.bool_)
    for block in prange((genes + _GENES - 1) // _GENES):
        begin = block * _GENES
        many = min(_GENES, genes - begin)
        columns = np.empty((many, regulators), dtype=np.int64)
        for j in range(regulators):
            for g in range(many):
                columns[g, j] = network[j, begin + g]
        strongest = np.empty((many, regulators), dtype=np.int64)
        strength = np.empty((many, regulators), dtype=np.int64)
        linked = np.empty(many, dtype=np.int64)
        for g in range(many):
            linked[g] = _strongest_first(columns[g], strongest[g], strength[g])
        for i in range(rows):
            for g in range(many):
                edge = edges[i, begin + g]
                if edge > 0:
                    kept[i, begin + g] = not _explained(
                        edge, between[i], strongest[g], strength[g], linked[g], kept_fraction
                    )
    return kept


@jit
def _strongest_first(column, regulators, strength):
    """Regulators of one gene by decreasing MI, and their MI; returns their number."""
    linked = np.flatnonzero(column > 0)  # few: most edges are below the threshold
    order = linked[np.argsort(-column[linked])]
    count = len(order)
    for k in range(count):
        regulators[k] = order[k]
        strength[k] = column[order[k]]
    return count


@jit
def _explained(edge, between, regulators, strength, count, kept_fraction):
    """Whether some regulator's path is stronger than the edge, after the discount."""
    for k in range(count):
        if strength[k] <= edge:
            return False
        leg = between[regulators[k]]
        if leg > edge and edge < _discount(min(leg, strength[k]), kept_fraction):
            return True
    return False


@jit
def _discount(mi, kept_fraction):
    """``ceil(mi * kept_fraction / 2^30)``, exact although the product may exceed 2^63."""
    high = mi >> DISCOUNT_BITS
    low = mi & ((1 << DISCOUNT_BITS) - 1)
    return high * kept_fraction + (
        (low * kept_fraction + (1 << DISCOUNT_BITS) - 1) >> DISCOUNT_BITS
    )


@parallel
def weakest_pairs(between: NDArray[np.int64], network: NDArray[np.int64]) -> NDArray[np.bool_]:
    """See the reference. A pair visits the targets of its first regulator until one decides."""
    regulators, genes = network.shape
    marked = np.zeros((regulators, regulators), dtype=np.bool_)
    for i in prange(regulators):
        targets = np.empty(genes, dtype=np.int64)
        count = 0
        for t in range(genes):
            if network[i, t] > 0:
                targets[count] = t
                count += 1
        for j in range(regulators):
            a = between[i, j]
            if a > 0:
                for k in range(count):
                    b = network[i, targets[k]]
                    c = network[j, targets[k]]
                    if c > 0 and (b == c or min(b, c) >= a):
                        marked[i, j] = True
                        break
    return marked


def prune_edges(
    row: NDArray[np.int32],
    gene: NDArray[np.int32],
    mi: NDArray[np.int64],
    partner: NDArray[np.int32],
    asked: NDArray[np.int64],
    n_regulators: int,
    kept_fraction: int,
) -> NDArray[np.bool_]:
    """See the reference. Uses lists of regulators per gene, strongest first, and per row.

    As in `dpi`, an edge visits only regulators with a stronger edge to its gene.
    """
    if len(asked) == 0:
        return np.zeros(0, dtype=np.bool_)
    wanted = np.zeros(len(row), dtype=np.bool_)
    wanted[asked] = True
    by_row = _grouped(row, int(row.max()) + 1)
    by_gene = _grouped(gene, len(partner))
    regulator, strength = np.empty(len(row), np.int32), np.empty(len(row), np.int64)
    last = np.empty(len(partner), np.int64)
    kept = np.zeros(len(row), dtype=np.bool_)

    def sort(begin: int, end: int) -> None:
        _sort_genes(row, mi, *by_gene, int(n_regulators), begin, end, regulator, strength, last)

    def prune(begin: int, end: int) -> None:
        _prune_rows(
            gene, mi, partner, wanted, *by_row, by_gene[1], last, regulator, strength,
            int(n_regulators), int(kept_fraction), begin, end, kept,
        )  # fmt: skip

    row, gene, mi, partner = map(read_only, (row, gene, mi, partner))
    # Starting threads takes longer than a few thousand edges.
    on_threads(sort, len(partner), max(256, _EDGES * len(partner) // len(row)))
    on_threads(prune, len(by_row[1]) - 1, max(8, _EDGES * len(by_row[1]) // len(row)))
    return kept[asked]


@jit
def _grouped(labels, groups):
    """Positions of the edges by label, and the start of each label (a counting sort)."""
    start = np.zeros(groups + 1, dtype=np.int64)
    for label in labels:
        start[label + 1] += 1
    for g in range(groups):
        start[g + 1] += start[g]
    place = start[:-1].copy()
    order = np.empty(len(labels), dtype=np.int64)
    for k in range(len(labels)):
        order[place[labels[k]]] = k
        place[labels[k]] += 1
    return order, start


@jit
def _sort_by_strength(regulators, strength):
    """Sort the regulators of a gene, the strongest first; a few by insertion."""
    n = len(strength)
    if n <= _FEW:
        for i in range(1, n):
            own, weight = regulators[i], strength[i]
            k = i
            while k > 0 and strength[k - 1] < weight:
                regulators[k], strength[k] = regulators[k - 1], strength[k - 1]
                k -= 1
            regulators[k], strength[k] = own, weight
        return
    space = scratch(n)
    keys, words, _, _, mask = space
    smallest, largest = MISSING, np.uint64(0)
    for i in range(n):
        key = np.uint64(-strength[i]) ^ ZERO
        keys[i], words[i] = key, np.uint64(i)
        smallest, largest = min(smallest, key), max(largest, key)
    sort_places(space, n, smallest, largest)
    before = regulators.copy()
    for i in range(n):
        place = np.int64(words[i] & mask)
        regulators[i] = before[place]
        strength[i] = -np.int64(keys[place] ^ ZERO)


@jit
def _sort_genes(
    row, mi, gene_order, gene_start, n_regulators, first, stop, regulator, strength, last
):  # fmt: skip
    """Regulators of some genes, the strongest first, and where those of each gene end."""
    for g in range(first, stop):
        begin = gene_start[g]
        end = begin
        for k in range(begin, gene_start[g + 1]):
            edge = gene_order[k]
            if row[edge] < n_regulators:
                regulator[end] = row[edge]
                strength[end] = mi[edge]
                end += 1
        last[g] = end
        _sort_by_strength(regulator[begin:end], strength[begin:end])


@jit
def _prune_rows(
    gene, mi, partner, wanted, row_order, row_start, gene_start, last, regulator, strength,
    n_regulators, kept_fraction, first, stop, kept,
):  # fmt: skip
    """Whether the edges of some rows stay."""
    between = np.empty(n_regulators, dtype=np.int64)
    for i in range(first, stop):
        if row_start[i] == row_start[i + 1]:
            continue
        between[:] = 0
        for k in range(row_start[i], row_start[i + 1]):
            edge = row_order[k]
            if partner[gene[edge]] >= 0:
                between[partner[gene[edge]]] = mi[edge]
        for k in range(row_start[i], row_start[i + 1]):
            edge = row_order[k]
            if wanted[edge]:
                g = gene[edge]
                begin = gene_start[g]
                kept[edge] = not _explained(
                    mi[edge], between, regulator[begin:last[g]], strength[begin:last[g]],
                    last[g] - begin, kept_fraction,
                )  # fmt: skip
