"""Data processing inequality: which edge of a triangle is explained by the other two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRACTION_BITS = 30  # of `kept_fraction`


def _discount(mi: NDArray[np.int64], kept_fraction: int) -> NDArray[np.int64]:
    """``ceil(mi * kept_fraction / 2^30)``, exact although the product may pass 2^63."""
    high = mi >> FRACTION_BITS
    low = mi & ((1 << FRACTION_BITS) - 1)
    return high * kept_fraction + (
        (low * kept_fraction + (1 << FRACTION_BITS) - 1) >> FRACTION_BITS
    )


def dpi(
    edges: NDArray[np.int64],
    between: NDArray[np.int64],
    network: NDArray[np.int64],
    kept_fraction: int,
) -> NDArray[np.bool_]:
    """Edges that stay after the data processing inequality (Margolin et al. 2006).

    An edge (i, g) goes iff some regulator j has ``MI(i, g) < (1 - tolerance) * min(MI(i, j),
    MI(j, g))``. All decisions are made on the network as given, so their order is of no account.

    edges: rows x genes, MI of the edges in question, 0 = no edge.
    between: rows x regulators, MI of the rows' regulators with all regulators, 0 = no edge or self.
    network: regulators x genes, MI of all edges, 0 = no edge.
    kept_fraction: round((1 - tolerance) * 2^30).

    Returns rows x genes: True where there is an edge and it stays.
    """
    kept = np.zeros(edges.shape, dtype=np.bool_)
    for row in range(edges.shape[0]):
        weaker_leg = np.minimum(between[row][:, None], network)
        indirect = weaker_leg.max(axis=0, initial=0)
        kept[row] = (edges[row] > 0) & ~(edges[row] < _discount(indirect, kept_fraction))
    return kept


def weakest_pairs(between: NDArray[np.int64], network: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Regulator pairs which are the weakest edge, or tied for it, in a triangle with some gene.

    A triangle is two connected regulators i, j (a = MI(i, j) > 0) and a gene t connected to both
    (b = MI(i, t) > 0, c = MI(j, t) > 0). The pair is marked iff ``min(b, c) >= a or b == c`` for
    some t: then neither b nor c is strictly the smallest edge, and the rule that every triangle
    loses one edge takes the one between the regulators.

    between: regulators x regulators. network: regulators x genes. 0 = no edge.

    Returns regulators x regulators.
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
    """Which edges of a list stay after the data processing inequality: the rule of `dpi`.

    row, gene, mi: all edges, mutual information above 0. The first `n_regulators` rows are
        regulators; only they explain.
    partner: for each gene the regulator that it is, or -1.
    asked: places of the edges in question.
    kept_fraction: round((1 - tolerance) * 2^30).
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
