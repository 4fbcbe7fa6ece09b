"""Mutual information in whole numbers: a hand-written kernel on GPUs, else array operations."""

from __future__ import annotations

from typing import NamedTuple

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from . import _gpu
from ._planes import pack, path_of_ranks, popcount, valid, words

_BLOCK_WORDS = 1 << 20  # words of masks of the cells that are cut together
_BLOCK_COUNTS = 1 << 23  # joint counts of fixed bins held at a time
_BLOCK_ONES = 1 << 25  # indicators of fixed bins held at a time


def adaptive_mi(
    regulators: mx.array,
    genes: mx.array,
    split: mx.array,
    log_width: mx.array,
    n_log_n: mx.array,
    min_count: int,
) -> mx.array:
    """See the reference. Bit-identical to it in both forms."""
    n_regulators, samples = regulators.shape
    n_genes = genes.shape[0]
    if n_regulators == 0 or n_genes == 0 or samples == 0:
        return mx.zeros((n_regulators, n_genes), dtype=mx.int64)
    levels = int(split.shape[0]).bit_length() - 1
    if levels == 0:
        root = 2 * n_log_n[samples] - 2 * samples * log_width[1]
        return mx.broadcast_to(root, (n_regulators, n_genes))
    paths = path_of_ranks(np.array(split), samples)
    x = pack(regulators, mx.array(paths), levels)
    y = pack(genes, mx.array(paths), levels)
    if _gpu.custom_kernels() is True:
        return _gpu.adaptive_mi(x, y, paths, log_width, n_log_n, min_count)
    return adaptive_mi_by_arrays(x, y, samples, log_width, n_log_n, min_count)


def adaptive_mi_by_arrays(
    x: mx.array,
    y: mx.array,
    samples: int,
    log_width: mx.array,
    n_log_n: mx.array,
    min_count: int,
) -> mx.array:
    """Mutual information from the bit planes, in array operations.

    x, y: planes, levels x words x rows. Cells to be cut are rows of masks; a pass counts their
    quarters, finds which of those are to be cut, and gathers them as the next rows.
    """
    partition = _Partition(
        x.transpose(0, 2, 1), y.transpose(0, 2, 1), log_width, n_log_n, min_count
    )
    n_regulators, n_genes = x.shape[2], y.shape[2]
    pairs = n_regulators * n_genes
    result = np.full(pairs, int(n_log_n[samples].item()), dtype=np.int64)
    together = max(1, _BLOCK_WORDS // words(samples))
    for begin in range(0, pairs, together):
        pair = np.arange(begin, min(begin + together, pairs))
        root = _Cells(
            pair,
            mx.array((pair // n_genes).astype(np.int32)),
            mx.array((pair % n_genes).astype(np.int32)),
            mx.ones(len(pair), dtype=mx.int32),
            mx.ones(len(pair), dtype=mx.int32),
            mx.broadcast_to(valid(samples), (len(pair), words(samples))),
        )
        _cut(root, 0, partition, result, together)
    return mx.array(result.reshape(n_regulators, n_genes))


class _Partition(NamedTuple):
    """Planes (levels x rows x words) of both sides, and the estimator's tables."""

    x: mx.array
    y: mx.array
    log_width: mx.array
    n_log_n: mx.array
    min_count: int


class _Cells(NamedTuple):
    """Joint cells to be cut: pair, rows and nodes on both sides, and masks of their points."""

    pair: NDArray[np.int64]
    x_row: mx.array
    y_row: mx.array
    x_node: mx.array
    y_node: mx.array
    points: mx.array

    def some(self, rows: slice) -> _Cells:
        """These cells alone."""
        return _Cells(*(part[rows] for part in self))


def _cut(
    cells: _Cells, depth: int, t: _Partition, result: NDArray[np.int64], together: int
) -> None:
    """Cut cells of one depth in four, and their quarters again where uneven; add up the leaves."""
    for begin in range(0, len(cells.pair), together):
        some = cells.some(slice(begin, begin + together))
        leaves, uneven = _add_leaves(some, depth, t)
        np.add.at(result, some.pair, np.array(leaves))
        if uneven is None:
            continue
        chosen = np.flatnonzero(np.array(uneven).ravel())  # cell and quarter, 4 * cell + quarter
        if len(chosen):
            _cut(_children(some, chosen, depth, t), depth + 1, t, result, together)


def _quarters(cells: _Cells, depth: int, t: _Partition) -> list[mx.array]:
    """Masks of the points in the quarters low-low, low-high, high-low and high-high."""
    x, y = t.x[depth][cells.x_row], t.y[depth][cells.y_row]
    high = cells.points & x
    low = cells.points & ~x
    return [low & ~y, low & y, high & ~y, high & y]


def _children(cells: _Cells, chosen: NDArray[np.int64], depth: int, t: _Partition) -> _Cells:
    """The chosen quarters (4 * cell + quarter), as cells of the next depth."""
    cell = mx.array((chosen // 4).astype(np.int32))
    quarter = mx.array((chosen % 4).astype(np.int32))
    points = mx.stack(_quarters(cells, depth, t), axis=1)
    return _Cells(
        cells.pair[chosen // 4],
        cells.x_row[cell],
        cells.y_row[cell],
        2 * cells.x_node[cell] + quarter // 2,
        2 * cells.y_node[cell] + quarter % 2,
        points[cell, quarter],
    )


def _add_leaves(cells: _Cells, depth: int, t: _Partition) -> tuple[mx.array, mx.array | None]:
    """Sum of the leaf terms among the quarters of each cell, and which quarters are to be cut.

    The second is cells x 4, or None where no deeper cut exists.
    """
    last = depth + 1 == t.x.shape[0]
    if not last:
        x, y = t.x[depth + 1][cells.x_row], t.y[depth + 1][cells.y_row]
    leaves = mx.zeros(len(cells.pair), dtype=mx.int64)
    uneven = []
    for quarter, points in enumerate(_quarters(cells, depth, t)):
        count = _count(points)
        width = (
            t.log_width[2 * cells.x_node + quarter // 2]
            + t.log_width[2 * cells.y_node + quarter % 2]
        )
        leaf = t.n_log_n[count] - count * width
        if not last:
            high = points & x
            a = _count(high & y)
            b = _count(high) - a
            c = _count(points & y) - a
            cut = _is_uneven(a, b, c, count - a - b - c, count) & (count >= t.min_count)
            uneven.append(cut)
            leaf = mx.where(cut, mx.zeros_like(leaf), leaf)
        leaves = leaves + leaf
    if last:
        mx.eval(leaves)
        return leaves, None
    cuts = mx.stack(uneven, axis=1)
    mx.eval(leaves, cuts)
    return leaves, cuts


def _count(points: mx.array) -> mx.array:
    """Points of each row of masks, as int64."""
    return mx.sum(popcount(points).astype(mx.int32), axis=1).astype(mx.int64)


def _is_uneven(a: mx.array, b: mx.array, c: mx.array, d: mx.array, count: mx.array) -> mx.array:
    """The reference's test without a division, which array operations may do in floats.

    200 excess > 1563 count; the excess is cut at 8 count so that nothing overflows.
    """
    excess = 4 * (a * a + b * b + c * c + d * d) - count * count
    return 200 * mx.minimum(excess, 8 * count) > 1563 * count


def binned_mi(
    regulators: mx.array, genes: mx.array, n_bins: int, n_log_n: mx.array, half_cell: int
) -> mx.array:
    """See the reference. Joint counts are products of indicators, exact in every block."""
    n_regulators, samples = regulators.shape
    n_genes = genes.shape[0]
    if n_regulators == 0 or n_genes == 0 or samples == 0:
        return mx.zeros((n_regulators, n_genes), dtype=mx.int64)
    half = mx.array(np.array(half_cell, dtype=np.int64))
    x_term, x_occupied = _marginal(regulators, n_bins, n_log_n)
    y_term, y_occupied = _marginal(genes, n_bins, n_log_n)
    side = max(1, int(_BLOCK_COUNTS**0.5) // n_bins)
    rows = []
    for r in range(0, n_regulators, side):
        row = []
        for g in range(0, n_genes, side):
            joint = _joint_counts(regulators[r : r + side], genes[g : g + side], n_bins)
            term = mx.sum(n_log_n[joint], axis=(1, 3))
            occupied = mx.sum((joint > 0).astype(mx.int64), axis=(1, 3))
            marginal = x_term[r : r + side, None] + y_term[None, g : g + side]
            degrees = x_occupied[r : r + side, None] + y_occupied[None, g : g + side]
            row.append(term - marginal + n_log_n[samples] + half * (degrees - occupied - 1))
            mx.eval(row[-1])
        rows.append(mx.concatenate(row, axis=1))
    return mx.concatenate(rows)


def _marginal(bins: mx.array, n_bins: int, n_log_n: mx.array) -> tuple[mx.array, mx.array]:
    """Sum of c ln c and number of occupied bins of each row."""
    term = mx.zeros(bins.shape[0], dtype=mx.int64)
    occupied = mx.zeros(bins.shape[0], dtype=mx.int64)
    for b in range(n_bins):
        count = mx.sum((bins == b).astype(mx.int32), axis=1)
        term = term + n_log_n[count]
        occupied = occupied + (count > 0).astype(mx.int64)
        mx.eval(term, occupied)
    return term, occupied


def _joint_counts(x: mx.array, y: mx.array, n_bins: int) -> mx.array:
    """Joint counts, regulators x bins x genes x bins, int32.

    float16 sums of ones are exact up to 2,048, float32 sums up to 2^24: no block is longer.
    """
    kind, longest = (mx.float16, 2048) if _gpu.on_gpu() else (mx.float32, 1 << 20)
    samples = x.shape[1]
    step = min(longest, max(64, _BLOCK_ONES // ((x.shape[0] + y.shape[0]) * n_bins)))
    bins = mx.arange(n_bins, dtype=mx.int32)[None, :, None]
    joint = mx.zeros((x.shape[0] * n_bins, y.shape[0] * n_bins), dtype=mx.int32)
    for begin in range(0, samples, step):
        ones = [
            (side[:, None, begin : begin + step].astype(mx.int32) == bins)
            .astype(kind)
            .reshape(side.shape[0] * n_bins, -1)
            for side in (x, y)
        ]
        joint = joint + (ones[0] @ ones[1].T).astype(mx.int32)
        mx.eval(joint)
    return joint.reshape(x.shape[0], n_bins, y.shape[0], n_bins)
