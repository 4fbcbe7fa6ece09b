"""Mutual information in integers: a hand-written kernel on GPUs, else array operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
import numpy as np

from . import _arrays, _gpu
from ._planes import pack, path_of_ranks
from .ranks import ordinal_ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_PAIRS = 1 << 22  # pairs whose mutual information is held at a time
_ROOM = 1 << 16  # pairs of a block that a GPU writes without knowing their number
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
    planes = _Planes.of(regulators, genes, split)
    return planes.mi(slice(None), log_width, n_log_n, min_count)


def adaptive_edges(
    rows: mx.array,
    genes: mx.array,
    own: mx.array,
    chosen: mx.array,
    row_keys: mx.array,
    gene_keys: mx.array,
    thresholds: mx.array,
    n_regulators: int,
    descending: bool,
    split: mx.array,
    log_width: mx.array,
    n_log_n: mx.array,
    min_count: int,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], mx.array]:
    """See the reference. Ranks, planes and matrices stay on the device, by blocks of rows."""
    limits, self_gene = np.array(thresholds), np.array(own)
    many, n_genes = chosen.shape[0], genes.shape[0]
    counts = np.zeros(many, dtype=np.int64)
    largest = [mx.zeros((n_genes,), dtype=mx.int64) for _ in range(many)]
    edges = [(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))]
    if rows.shape[0] == 0 or n_genes == 0 or 0 in chosen.shape:
        return counts, *edges[0], mx.zeros((many, n_genes), dtype=mx.int64)
    for r in range(many):
        x, y = (
            ordinal_ranks(mx.take(side, chosen[r], axis=1).astype(mx.int64), keys[r], descending)
            for side, keys in ((rows, row_keys), (genes, gene_keys))
        )
        planes = _Planes.of(x, y, split)
        step = _gpu.ROWS if _gpu.usable("adaptive_mi") else max(1, _BLOCK_PAIRS // n_genes)
        for first in range(0, rows.shape[0], step):
            mi = planes.mi(slice(first, first + step), log_width, n_log_n, min_count)
            # A mask, as scatters of int64 are not available on CUDA
            self_pair = mx.array(self_gene[first : first + step])[:, None] == mx.arange(n_genes)
            mi = mx.where(self_pair, mx.array(0, dtype=mx.int64), mi)
            if first < n_regulators:
                largest[r] = mx.maximum(largest[r], mx.max(mi[: n_regulators - first], axis=0))
            place, strength = _at_least(mi, int(limits[r]))
            row, gene = np.divmod(place, n_genes)
            counts[r] += len(row)
            edges.append(((row + first).astype(np.int32), gene.astype(np.int32), strength))
    row, gene, strength = (np.concatenate(part) for part in zip(*edges, strict=True))
    return counts, row, gene, strength, mx.stack(largest)


def _at_least(mi: mx.array, limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the pairs that reach the limit, ascending, and their values."""
    if _gpu.usable("adaptive_edges"):
        position, value = _gpu.at_least(mi, limit, _ROOM)().T
        return position, value
    values = np.array(mi).ravel()
    position = np.flatnonzero(values >= limit)
    return position, values[position]


class _Planes(NamedTuple):
    """Bit planes of both sides (levels x words x rows), and the paths of ranks in the tree."""

    x: mx.array
    y: mx.array
    samples: int
    paths: NDArray[np.uint32]

    @classmethod
    def of(cls, x: mx.array, y: mx.array, split: mx.array) -> _Planes:
        levels = int(split.shape[0]).bit_length() - 1
        paths = path_of_ranks(np.array(split), x.shape[1])
        form = _gpu.pack if _gpu.usable("adaptive_mi") else pack
        packed = (form(ranks, mx.array(paths), levels) for ranks in (x, y))
        return cls(*packed, x.shape[1], paths)

    def mi(self, rows: slice, log_width: mx.array, n_log_n: mx.array, min_count: int) -> mx.array:
        """Mutual information of some rows with all genes."""
        x = self.x[:, :, rows]
        if self.x.shape[0] == 0:
            root = 2 * n_log_n[self.samples] - 2 * self.samples * log_width[1]
            return mx.broadcast_to(root, (x.shape[2], self.y.shape[2]))
        if _gpu.usable("adaptive_mi"):
            x = mx.contiguous(x)
            return _gpu.adaptive_mi(x, self.y, self.paths, log_width, n_log_n, min_count)
        return _arrays.adaptive_mi(x, self.y, self.samples, log_width, n_log_n, min_count)


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
