"""Data processing inequality: edges of triangles that the other two edges explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._constants import DISCOUNT_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _discount(mi: NDArray[np.int64], kept_fraction: int) -> NDArray[np.int64]:
    """``ceil(mi * kept_fraction / 2^30)``, exact although the product may exceed 2^63."""
    high = mi >> DISCOUNT_BITS
    low = mi & ((1 << DISCOUNT_BITS) - 1)
    return high * kept_fraction + (
        (low * kept_fraction + (1 << DISCOUNT_BITS) - 1) >> DISCOUNT_BITS
    )


def dpi(
    edges: NDArray[np.int64],
    between: NDArray[np.int64],
    network: NDArray[np.int64],
    kept_fraction: int,
) -> NDArray[np.bool_]:
    """Edges that the data processing inequality keeps (Margolin et al. 2006).

    An edge (i, g) is removed if some regulator j explains it:

        MI(i, g) < k max_j min(MI(i, j), MI(j, g)),   k = kept_fraction / 2^30

    All decisions are made on the given network, so their order does not matter. The caller rounds
    1 - tolerance down to a multiple of 2^-30, so k does not exceed it, and all edges that the
    tolerance keeps are kept. The comparison is exact: mutual information is an integer, so it is
    below the product with k if and only if it is below the product rounded up (`_discount`).

    Parameters
    ----------
    edges : (rows, genes) int64
        MI of the edges to decide; 0 is no edge.
    between : (rows, regulators) int64
        MI of the rows with all regulators; 0 is no edge, or the regulator itself.
    network : (regulators, genes) int64
        MI of all edges; 0 is no edge.
    kept_fraction : int
        floor((1 - tolerance) 2^30), 0 ... 2^30.

    Returns
    -------
    (rows, genes) bool
        Whether there is an edge and it is kept.
    """
    kept = np.zeros(edges.shape, dtype=np.bool_)
    for row in range(edges.shape[0]):
        weaker_leg = np.minimum(between[row][:, None], network)
        indirect = weaker_leg.max(axis=0, initial=0)
        kept[row] = (edges[row] > 0) & ~(edges[row] < _discount(indirect, kept_fraction))
    return kept


def weakest_pairs(between: NDArray[np.int64], network: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pairs of regulators that are the weakest edge, or tied for it, in some triangle.

    A triangle is two connected regulators i, j (a = MI(i, j) > 0) and a gene t connected to both
    (b = MI(i, t) > 0, c = MI(j, t) > 0). The pair is marked if for some t

        min(b, c) >= a  or  b = c

    Then neither b nor c is strictly the smallest edge, and the rule that removes one edge of every
    triangle removes the one between the regulators (Griffin et al. 2023).

    Parameters
    ----------
    between : (regulators, regulators) int64
        MI of the regulators with each other; 0 is no edge.
    network : (regulators, genes) int64
        MI of all edges; 0 is no edge.

    Returns
    -------
    (regulators, regulators) bool
    """
    marked = np.zeros(between.shape, dtype=np.bool_)
    for i, j in zip(*np.nonzero(between > 0), strict=True):
        b, c = network[i], network[j]
        both = (b > 0) & (c > 0)
        marked[i, j] = np.any(both & ((np.minimum(b, c) >= between[i, j]) | (b == c)))
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
    """Edges of a list that the data processing inequality keeps, by the rule of `dpi`.

    Parameters
    ----------
    row, gene : (edges,) int32
        Row and gene of every edge of the network, each pair at most once. The first `n_regulators`
        rows are regulators; only they explain edges.
    mi : (edges,) int64
        Mutual information, above 0.
    partner : (genes,) int32
        Row of each gene that is a regulator, else -1.
    asked : (asked,) int64
        Positions in the list of the edges to decide.
    n_regulators : int
    kept_fraction : int
        floor((1 - tolerance) 2^30), as for `dpi`.

    Returns
    -------
    (asked,) bool
    """
    between: dict[int, dict[int, int]] = {}  # of each row: regulators and their MI
    explains: dict[int, list[tuple[int, int]]] = {}  # of each gene: regulators and their MI
    for i, g, value in zip(row.tolist(), gene.tolist(), mi.tolist(), strict=True):
        if partner[g] >= 0:
            between.setdefault(i, {})[int(partner[g])] = value
        if i < n_regulators:
            explains.setdefault(g, []).append((i, value))
    kept = np.zeros(len(asked), dtype=np.bool_)
    for k, edge in enumerate(asked.tolist()):
        legs = between.get(int(row[edge]), {})
        paths = [min(legs.get(j, 0), v) for j, v in explains.get(int(gene[edge]), ())]
        indirect = _discount(np.array([max(paths, default=0)]), kept_fraction)[0]
        kept[k] = not mi[edge] < indirect
    return kept
