"""Mutual information of regulators and genes, in fixed point: whole numbers, exact in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Tables(NamedTuple):
    """What an estimator is: where marginal cells are cut, how wide they are, when to stop."""

    split: NDArray[np.int32]
    log_width: NDArray[np.int64]
    n_log_n: NDArray[np.int64]
    min_count: int
    levels: int


def adaptive_mi(
    regulators: NDArray[np.int32],
    genes: NDArray[np.int32],
    split: NDArray[np.int32],
    log_width: NDArray[np.int64],
    n_log_n: NDArray[np.int64],
    min_count: int,
) -> NDArray[np.int64]:
    """Mutual information, times n, of each regulator with each gene: adaptive partitioning.

    The rank plane is cut in four, and each part again wherever its points are uneven (Fraser and
    Swinney 1986; Darbellay and Vajda 1999). With the leaves L of that tree, c points in a leaf and
    widths wx, wy in ranks,

        n MI = n ln n + sum_L c (ln c - ln wx - ln wy).

    regulators, genes: ranks 1..n of each row, regulators x n and genes x n.
    split: 2^D thresholds of a binary heap (node 1 is the root; entry 0 is unused): a rank goes to
        child 2 node + 1 iff it is above split[node], else to 2 node.
    log_width: 2^(D + 1) entries, ln of each node's width. n_log_n: c ln c for c = 0..n.
        Both in the same fixed point.
    min_count: cells with fewer points are leaves.

    Returns regulators x genes, in the fixed point of the tables.
    """
    tables = _Tables(split, log_width, n_log_n, min_count, int(split.shape[0]).bit_length() - 1)
    n = regulators.shape[1]
    mi = np.zeros((regulators.shape[0], genes.shape[0]), dtype=np.int64)
    if n == 0:
        return mi
    for r, x in enumerate(regulators):
        for g, y in enumerate(genes):
            mi[r, g] = int(n_log_n[n]) + _tree(x, y, 1, 1, 0, tables)
    return mi


def _tree(
    x: NDArray[np.int32], y: NDArray[np.int32], x_node: int, y_node: int, depth: int, t: _Tables
) -> int:
    """Sum of the leaf terms beneath one cell; x, y are the ranks of the points in it."""
    count = x.shape[0]
    if count == 0:
        return 0
    if depth == t.levels or (depth > 0 and count < t.min_count):
        return _leaf(count, x_node, y_node, t)
    x_high = x > t.split[x_node]
    y_high = y > t.split[y_node]
    quarters = [(x_high == i) & (y_high == j) for i in (False, True) for j in (False, True)]
    if depth > 0 and not _is_uneven([int(np.count_nonzero(q)) for q in quarters]):
        return _leaf(count, x_node, y_node, t)
    return sum(
        _tree(x[q], y[q], 2 * x_node + k // 2, 2 * y_node + k % 2, depth + 1, t)
        for k, q in enumerate(quarters)
    )


def _leaf(count: int, x_node: int, y_node: int, t: _Tables) -> int:
    """Term of a leaf: c ln c - c (ln wx + ln wy)."""
    return int(t.n_log_n[count]) - count * (int(t.log_width[x_node]) + int(t.log_width[y_node]))


def _is_uneven(quarters: list[int]) -> bool:
    """Chi-square of four counts against equal quarters exceeds 7.815 (3 df, 5 %).

    With c points, chi^2 = 4 sum(q^2) / c - c > 7.815 = 1563 / 200 is, in whole numbers,
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
    """Mutual information, times n, of each regulator with each gene: fixed bins.

        n MI = sum c_xy ln c_xy - sum c_x ln c_x - sum c_y ln c_y + n ln n
               [+ (K_x + K_y - K_xy - 1) / 2, the correction of Miller and Madow (Miller 1955)]

    with c the counts of the joint and marginal bins and K the numbers of occupied ones.

    regulators, genes: bin numbers below n_bins, regulators x n and genes x n.
    n_log_n: c ln c for c = 0..n, fixed point. half_cell: 1/2 in the same fixed point, or 0 for no
    correction. n = 0 gives 0.

    Returns regulators x genes, in the fixed point of the table.
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
