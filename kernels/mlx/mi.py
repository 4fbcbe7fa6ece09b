"""Mutual information in integers: a hand-written kernel on GPUs, else array operations."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from . import _arrays, _gpu
from ._planes import pack, path_of_ranks

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
    return _arrays.adaptive_mi(x, y, samples, log_width, n_log_n, min_count)


def binned_mi(
    regulators: mx.array, genes: mx.array, n_bins: int, n_log_n: mx.array, half_cell: int
) -> mx.array:
    """See the reference. Joint counts are products of indicators, exact in each block."""
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

    float16 sums of ones are exact up to 2,048, float32 sums up to 2^24; blocks are not longer.
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
