"""Weighted running sum and its permutations on MLX.

Positions are integers; the weights of the targets are fixed point, scaled per cell by a power of
two, so sums are exact int64. The sum is evaluated only at the targets, as pairs of float32, and
compared as integers with 50 fractional bits.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from .._constants import NOISE
from . import _double as dd
from . import _fixed as fx
from ._double import Double

_BITS = 50
_NOISE = int(NOISE * 2**_BITS)  # magnitudes that differ by less are equal
_BLOCK = 1 << 21  # cells x edges at a time


def running_sum(signature: mx.array, weight: Double, indptr: mx.array, targets: mx.array) -> Double:
    """See the reference; by blocks of cells."""
    parts = [
        fx.from_fixed(cells.scores(cells.place), _BITS)
        for cells in _blocks(signature, weight, indptr, targets)
    ]
    shape = (len(signature), len(indptr) - 1)
    return _stacked(parts) if parts else fx.zero_double(shape)


def permuted_running_sum(
    signature: mx.array,
    weight: Double,
    permutations: mx.array,
    indptr: mx.array,
    targets: mx.array,
) -> tuple[Double, Double, mx.array, mx.array]:
    """See the reference; one permutation at a time, for all cells of a block."""
    parts = []
    for cells in _blocks(signature, weight, indptr, targets):
        score = cells.scores(cells.place)
        total, same, extreme = (mx.zeros(score.shape, dtype=mx.int64) for _ in range(3))
        for shuffled in permutations:
            null = cells.scores(cells.moved(shuffled))
            alike = (null >= 0) == (score >= 0)
            total = total + mx.where(alike, null, 0)
            same = same + alike
            extreme = extreme + (alike & (mx.abs(null) >= mx.abs(score) - _NOISE))
            mx.eval(total, same, extreme)
        mean = fx.quotient(fx.from_fixed(total, _BITS), dd.from_int(mx.maximum(same, 1)))
        parts.append((fx.from_fixed(score, _BITS), mean, same, extreme))
    shape = (len(signature), len(indptr) - 1)
    if not parts:
        zeros = mx.zeros(shape, dtype=mx.int64)
        return fx.zero_double(shape), fx.zero_double(shape), zeros, zeros
    return (
        _stacked([p[0] for p in parts]),
        _stacked([p[1] for p in parts]),
        mx.concatenate([p[2] for p in parts]),
        mx.concatenate([p[3] for p in parts]),
    )


def _stacked(parts: list[Double]) -> Double:
    return Double(mx.concatenate([p.hi for p in parts]), mx.concatenate([p.lo for p in parts]))


def _blocks(signature, weight, indptr, targets):  # type: ignore[no-untyped-def]
    """Prepared blocks of cells; none if there is nothing to score."""
    cells, genes = signature.shape
    if cells == 0 or genes == 0 or len(targets) == 0:
        return
    step = max(1, min(fx.MOST_ROWS, _BLOCK // max(genes, len(targets))))
    for start in range(0, cells, step):
        rows = slice(start, start + step)
        own = Double(weight.hi[rows], weight.lo[rows])
        block = _Cells(signature[rows], own, indptr, targets)
        mx.eval(block.place, block.heights)
        yield block


class _Cells:
    """Sorted signatures of a block of cells, and the positions of the targets in them."""

    def __init__(
        self, signature: mx.array, weight: Double, indptr: mx.array, targets: mx.array
    ) -> None:
        cells, genes = signature.shape
        top = mx.array(np.array(np.iinfo(np.int64).max))
        missing = signature == top
        keys = mx.where(missing, top, mx.bitwise_invert(signature))
        order = mx.argsort(keys, axis=1)
        ordered = mx.take_along_axis(keys, order, axis=1)
        self.n = genes - mx.sum(missing.astype(mx.int64), axis=1, keepdims=True)
        changes = ordered[:, 1:] != ordered[:, :-1]
        edge = mx.ones((cells, 1), dtype=mx.bool_)
        position = mx.arange(genes)[None].astype(mx.int64)
        starts = mx.concatenate([edge, changes], axis=1)
        self.first = mx.cummax(mx.where(starts, position, 0), axis=1)
        ends = mx.where(mx.concatenate([changes, edge], axis=1), position, genes - 1)
        self.last = mx.cummin(ends, axis=1, reverse=True)
        blank = mx.zeros((cells, genes), dtype=mx.int64)
        place = mx.put_along_axis(blank, order, mx.broadcast_to(position, (cells, genes)), axis=1)
        self.place = mx.take(place, targets, axis=1)
        ends_host = np.array(indptr)
        self.owner = mx.array(fx.owners(ends_host))[None]
        self.indptr = indptr
        self.genes = genes
        sizes = np.diff(ends_host)
        largest = max(1, int(sizes.max()))
        self.bits = 61 - largest.bit_length()
        weight = fx.where(missing, fx.zero_double(missing.shape), weight)
        inverse = fx.power_of_two(-fx.row_exponents(weight.hi))
        scaled = fx.to_fixed(Double(weight.hi * inverse, weight.lo * inverse), self.bits)
        self.heights = mx.take_along_axis(scaled, order, axis=1)
        padded = ends_host[:-1, None] + np.arange(largest)
        self.inside = mx.array(np.arange(largest)[None] < sizes[:, None])[None]
        self.padded = mx.array(np.minimum(padded, ends_host[-1] - 1).reshape(-1))
        self.shape = (cells, len(sizes), largest)

    def moved(self, shuffled: mx.array) -> mx.array:
        """Positions of the targets after a permutation of the positions that hold a value."""
        kept = shuffled[None] < self.n
        count = mx.cumsum(kept.astype(mx.int64), axis=1) - 1
        width = (len(self.n), self.genes)
        index = mx.broadcast_to(shuffled[None].astype(mx.int64), width)
        target = mx.put_along_axis(mx.zeros(width, dtype=mx.int64), index, count, axis=1)
        new = mx.take_along_axis(target, self.place, axis=1)
        return mx.where(self.place < self.n, new, self.place)

    def scores(self, place: mx.array) -> mx.array:
        """Largest excursion of each regulon in each cell, in fixed point."""
        grouped = mx.sort(self.owner * (self.genes + 1) + place, axis=1)
        place = grouped - self.owner * (self.genes + 1)
        hit = place < self.n
        gain = mx.where(hit, mx.take_along_axis(self.heights, place, axis=1), 0)
        edge = mx.zeros((place.shape[0], 1), dtype=mx.int64)
        gained = mx.concatenate([edge, mx.cumsum(gain, axis=1)], axis=1)
        counted = mx.concatenate([edge, mx.cumsum(hit.astype(mx.int64), axis=1)], axis=1)
        start = mx.take(self.indptr[:-1], self.owner[0])
        base, base_count = mx.take(gained, start, axis=1), mx.take(counted, start, axis=1)
        first = mx.take_along_axis(self.first, place, axis=1)
        last = mx.take_along_axis(self.last, place, axis=1)
        begin, end = self._ties(first)
        total = self._spread(fx.segment_sums(gain, self.indptr))
        hits = self._spread(fx.segment_sums(hit.astype(mx.int64), self.indptr))
        misses = mx.maximum(
            self.n - hits, 1
        )  # avoids division by 0; without misses the numerator is 0

        def height(at: mx.array, passed: mx.array) -> mx.array:
            """The sum after `at` targets and `passed` genes in total."""
            weight = mx.take_along_axis(gained, at, axis=1) - base
            targets = mx.take_along_axis(counted, at, axis=1) - base_count
            share = fx.quotient(fx.from_fixed(weight, 0), fx.from_fixed(total, 0))
            missed = fx.quotient(fx.from_fixed(passed - targets, 0), fx.from_fixed(misses, 0))
            return fx.to_fixed(dd.subtract(share, missed), _BITS)

        usable = hit & (total > 0)
        top = self._extreme(mx.where(usable, height(end + 1, last + 1), 0), mx.max)
        bottom = self._extreme(mx.where(usable, height(begin, first), 0), mx.min)
        return mx.where(top > _NOISE - bottom, top, bottom)

    def _ties(self, first: mx.array) -> tuple[mx.array, mx.array]:
        """First and last edge of the tie that each (sorted) edge of a regulon belongs to."""
        many = first.shape[1]
        position = mx.arange(many)[None].astype(mx.int64)
        changes = (first[:, 1:] != first[:, :-1]) | (self.owner[:, 1:] != self.owner[:, :-1])
        edge = mx.ones((first.shape[0], 1), dtype=mx.bool_)
        starts = mx.concatenate([edge, changes], axis=1)
        begin = mx.cummax(mx.where(starts, position, 0), axis=1)
        ends = mx.where(mx.concatenate([changes, edge], axis=1), position, many - 1)
        return begin, mx.cummin(ends, axis=1, reverse=True)

    def _spread(self, values: mx.array) -> mx.array:
        """Repeat one value per regulon for each of its edges."""
        return mx.take(values, self.owner[0], axis=1)

    def _extreme(self, values: mx.array, which) -> mx.array:  # type: ignore[no-untyped-def]
        """Largest (or smallest) value of each regulon's edges, or 0."""
        padded = mx.take(values, self.padded, axis=1).reshape(self.shape)
        return which(mx.where(self.inside, padded, 0), axis=2)
