"""Mutual information of regulators and genes in fixed point: sums are exact in any order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .ranks import ordinal_ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray


def adaptive_mi(
    regulators: NDArray[np.int32],
    genes: NDArray[np.int32],
    split: NDArray[np.int32],
    log_width: NDArray[np.int64],
    n_log_n: NDArray[np.int64],
    min_count: int,
) -> NDArray[np.int64]:
    """Mutual information by adaptive partitioning, times the number of samples.

    The plane of the ranks of two genes is divided in four, and each quarter again if its points are
    uneven (Fraser and Swinney 1986; Darbellay and Vajda 1999; Lachmann et al. 2016). Both marginals
    are cut by one binary tree, a heap of nodes of which 1 is the root: a rank goes to the child
    ``2 node + 1`` if it is above ``split[node]``, else to ``2 node``. A cell with c points, q of
    them in each quarter, is cut, up to D times, if it is the root or

        c >= min_count  and  4 sum(q^2) / c - c > 7.815

    (chi-square against equal quarters, 3 degrees of freedom, 5 %), which is tested in
    integers: ``4 sum(q^2) - c^2 > floor(1563 c / 200)``. With the leaves L of that tree, c points
    in a leaf and its widths w_x, w_y in ranks,

        n MI = n ln n + sum_L c (ln c - ln w_x - ln w_y)

    Parameters
    ----------
    regulators : (regulators, samples) int32
        Ranks 1 ... n of each row.
    genes : (genes, samples) int32
        Ranks 1 ... n of each row.
    split : (nodes,) int32
        2^D thresholds for D levels of cuts; entry 0 is unused.
    log_width : (cells,) int64
        ln of the width of each of the 2^(D + 1) nodes, fixed point.
    n_log_n : (counts,) int64
        c ln c for c = 0 ... n, in the same fixed point.
    min_count : int
        Cells with fewer points are leaves.

    Returns
    -------
    (regulators, genes) int64
        n MI in nats, in the fixed point of the tables: exact in any order of the sum.
    """
    n = regulators.shape[1]
    mi = np.zeros((regulators.shape[0], genes.shape[0]), dtype=np.int64)
    if n == 0:
        return mi
    for r, x in enumerate(regulators):
        for g, y in enumerate(genes):
            mi[r, g] = int(n_log_n[n]) + sum(
                int(n_log_n[count]) - count * (int(log_width[x_node]) + int(log_width[y_node]))
                for x_node, y_node, count in _leaves(x, y, split, min_count)
            )
    return mi


def adaptive_edges(
    rows: NDArray[np.int32],
    genes: NDArray[np.int32],
    own: NDArray[np.int64],
    chosen: NDArray[np.int32],
    row_keys: NDArray[np.uint64],
    gene_keys: NDArray[np.uint64],
    thresholds: NDArray[np.int64],
    n_regulators: int,
    descending: bool,
    split: NDArray[np.int32],
    log_width: NDArray[np.int64],
    n_log_n: NDArray[np.int64],
    min_count: int,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Pairs of a batch of resamples whose mutual information reaches the threshold.

    The samples of a resample are ranked again, as by `ordinal_ranks`, and their mutual information
    is that of `adaptive_mi`.

    Parameters
    ----------
    rows : (rows, samples) int32
        Regulators, then decoys: integers in the order of the values, equal for equal values.
    genes : (genes, samples) int32
        The same of the genes.
    own : (rows,) int64
        The gene of each row that is never its target (itself), or -1.
    chosen : (resamples, chosen) int32
        Positions of the samples of each resample.
    row_keys : (resamples, rows) uint64
        Keys of the hash that orders equal values.
    gene_keys : (resamples, genes) uint64
    thresholds : (resamples,) int64
        In the fixed point of the tables, at least 1.
    n_regulators : int
        Number of rows that are regulators.
    descending : bool
        Whether rank 1 is the largest value.
    split : (nodes,) int32
        As for `adaptive_mi`.
    log_width : (cells,) int64
        As for `adaptive_mi`.
    n_log_n : (counts,) int64
        As for `adaptive_mi`.
    min_count : int
        As for `adaptive_mi`.

    Returns
    -------
    (resamples,) int64
        Number of edges of each resample.
    (found,) int32
        Row of each edge. Edges are ordered by resample, row and gene.
    (found,) int32
        Gene of each edge.
    (found,) int64
        n MI of each edge.
    (resamples, genes) int64
        The largest n MI of each gene with a regulator.
    """
    counts = np.zeros(len(chosen), dtype=np.int64)
    largest = np.zeros((len(chosen), len(genes)), dtype=np.int64)
    found: list[tuple[NDArray[np.integer], ...]] = [(np.empty(0), np.empty(0), np.empty(0))]
    for r, samples in enumerate(chosen):
        x = ordinal_ranks(rows[:, samples].astype(np.float64), row_keys[r], descending)
        y = ordinal_ranks(genes[:, samples].astype(np.float64), gene_keys[r], descending)
        mi = adaptive_mi(x, y, split, log_width, n_log_n, min_count)
        inside = np.flatnonzero(own >= 0)
        mi[inside, own[inside]] = 0
        largest[r] = mi[:n_regulators].max(axis=0, initial=0)
        row, gene = np.nonzero(mi >= thresholds[r])
        counts[r] = len(row)
        found.append((row, gene, mi[row, gene]))
    row, gene, strength = (np.concatenate(part) for part in zip(*found, strict=True))
    return (
        counts, row.astype(np.int32), gene.astype(np.int32), strength.astype(np.int64), largest,
    )  # fmt: skip


def adaptive_leaves(
    first: NDArray[np.int32], second: NDArray[np.int32], split: NDArray[np.int32], min_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Leaves of the adaptive partition of given pairs: the cells whose terms `adaptive_mi` adds up.

    Cells are cut if ``4 sum(q^2) / c - c > 7.815``, as described there. The leaves tile the
    plane; with their c points, and with the log-widths w of their nodes,

        n MI = n ln n + sum_L c (ln c - w[x_node] - w[y_node])

    Parameters
    ----------
    first, second : (pairs, samples) int32
        Ranks 1 ... n of both genes of each pair.
    split : (nodes,) int32
        2^D thresholds for D levels of cuts; entry 0 is unused.
    min_count : int
        Cells with fewer points are leaves.

    Returns
    -------
    (pairs,) int64
        Number of leaves of each pair.
    (found,) int32
        Node of the first gene, 1 ... 2^(D + 1) - 1, of each leaf. Leaves are in the order of the
        pairs, and of each cell the quarter low-low comes first, then low-high, high-low, high-high.
    (found,) int32
        Node of the second gene of each leaf.
    (found,) int64
        Points c of each leaf, 0 included.
    """
    number = np.zeros(len(first), dtype=np.int64)
    found: list[tuple[int, int, int]] = []
    for pair, (x, y) in enumerate(zip(first, second, strict=True)):
        leaves = list(_leaves(x, y, split, min_count))
        number[pair] = len(leaves)
        found += leaves
    x_node, y_node, count = np.array(found, dtype=np.int64).reshape(-1, 3).T
    return number, x_node.astype(np.int32), y_node.astype(np.int32), count.copy()


def _leaves(
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    split: NDArray[np.int32],
    min_count: int,
    x_node: int = 1,
    y_node: int = 1,
) -> Iterator[tuple[int, int, int]]:
    """Nodes and number of points of the leaves below one cell; x, y: ranks of its points."""
    count = x.shape[0]
    root = x_node == 1
    if x_node >= split.shape[0] or count < (1 if root else min_count):
        yield x_node, y_node, count
        return
    x_high = x > split[x_node]
    y_high = y > split[y_node]
    quarters = [(x_high == i) & (y_high == j) for i in (False, True) for j in (False, True)]
    if not root and not _is_uneven([int(np.count_nonzero(q)) for q in quarters]):
        yield x_node, y_node, count
        return
    for k, q in enumerate(quarters):
        yield from _leaves(x[q], y[q], split, min_count, 2 * x_node + k // 2, 2 * y_node + k % 2)


def _is_uneven(quarters: list[int]) -> bool:
    """Chi-square of four counts against equal quarters exceeds 7.815 (3 df, 5 %).

    With c points, chi^2 = 4 sum(q^2) / c - c > 7.815 = 1563 / 200 is, in integers,
    4 sum(q^2) - c^2 > floor(1563 c / 200).

    >>> _is_uneven([3, 0, 0, 0]), _is_uneven([4, 0, 0, 3]), _is_uneven([4, 0, 0, 4])
    (True, False, True)
    """
    count = sum(quarters)
    return 4 * sum(q * q for q in quarters) - count * count > (1563 * count) // 200


def binned_mi(
    regulators: NDArray[np.uint8],
    genes: NDArray[np.uint8],
    n_bins: int,
    n_log_n: NDArray[np.int64],
    half_cell: int,
) -> NDArray[np.int64]:
    """Mutual information of fixed bins, times the number of samples.

        n MI = sum c_xy ln c_xy - sum c_x ln c_x - sum c_y ln c_y + n ln n
               + half_cell (K_x + K_y - K_xy - 1)

    with c the counts of the joint and marginal bins and K the numbers of occupied ones. The last
    term is the correction of Miller and Madow (Miller 1955).

    Parameters
    ----------
    regulators : (regulators, samples) uint8
        Bin numbers 0 ... n_bins - 1.
    genes : (genes, samples) uint8
        Bin numbers 0 ... n_bins - 1.
    n_bins : int
    n_log_n : (counts,) int64
        c ln c for c = 0 ... n, fixed point.
    half_cell : int
        One half in the same fixed point, or 0 for no correction.

    Returns
    -------
    (regulators, genes) int64
        n MI in nats, in the fixed point of the table; 0 without samples.
    """
    n = regulators.shape[1]
    mi = np.zeros((regulators.shape[0], genes.shape[0]), dtype=np.int64)
    if n == 0:
        return mi
    for r, x in enumerate(regulators):
        for g, y in enumerate(genes):
            joint = np.bincount(x.astype(np.int64) * n_bins + y, minlength=n_bins * n_bins)
            joint = joint.reshape(n_bins, n_bins)
            x_count, y_count = joint.sum(axis=1), joint.sum(axis=0)
            occupied = [int(np.count_nonzero(c)) for c in (x_count, y_count, joint)]
            mi[r, g] = (
                int(n_log_n[joint].sum())
                - int(n_log_n[x_count].sum())
                - int(n_log_n[y_count].sum())
                + int(n_log_n[n])
                + half_cell * (occupied[0] + occupied[1] - occupied[2] - 1)
            )
    return mi
