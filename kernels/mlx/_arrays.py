"""The hand-written GPU kernels (`_gpu.py`) as array operations, for other devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
import numpy as np

from .._constants import NOWHERE
from . import _fixed as fx
from ._planes import popcount, valid, words
from ._sparse import entries, placed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Screened = Callable[[], tuple[NDArray[Any], NDArray[Any], list[NDArray[np.int64]]]]

_BLOCK_WORDS = 1 << 20  # words of masks of the cells that are divided together
_BLOCK_TRIANGLES = 1 << 22
_BLOCK_PRODUCTS = 1 << 22
_BLOCK_CELLS = 1 << 23  # cells x edges at a time
_ROUNDING = 2.0**-21  # relative error of a product of means in float32


def max_min(between: mx.array, network: mx.array) -> mx.array:
    """``max_j min(between[i, j], network[j, g])``, rows x genes, at least 0."""
    rows, regulators = between.shape
    genes = network.shape[1]
    step = max(1, _BLOCK_TRIANGLES // max(rows, 1))
    done = []
    for begin in range(0, genes, step):
        block = network[:, begin : begin + step]
        together = max(1, _BLOCK_TRIANGLES // (rows * block.shape[1]))
        strongest = mx.zeros((rows, block.shape[1]), dtype=mx.int64)
        for j in range(0, regulators, together):
            legs = mx.minimum(between[:, j : j + together, None], block[None, j : j + together])
            strongest = mx.maximum(strongest, mx.max(legs, axis=1))
            mx.eval(strongest)
        done.append(strongest)
    return mx.concatenate(done, axis=1)


def copula_screen(
    products: Sequence[mx.array],
    x_terms: NDArray[np.float32],
    y_terms: NDArray[np.float32],
    own: NDArray[np.int64],
    n: int,
    limit: float,
    room: int = 0,
) -> Screened:
    """Function that reads the pairs that may reach the limit, and their sums.

    Products are genes x rows.
    """

    def squared(product: mx.array, of_x: int, of_y: int) -> mx.array:
        mean = mx.array(x_terms[of_x] * n)[None, :] * mx.array(y_terms[of_y])[:, None]
        size = mx.abs(product.astype(mx.float32) - mean) + _ROUNDING * mx.abs(mean)
        scaled = size * mx.array(x_terms[of_x + 1])[None, :] * mx.array(y_terms[of_y + 1])[:, None]
        return scaled * scaled

    def read() -> tuple[NDArray[Any], NDArray[Any], list[NDArray[np.int64]]]:
        share = squared(products[0], 0, 0)
        if len(products) == 3:
            share = share + mx.maximum(squared(products[1], 2, 0), squared(products[2], 0, 2))
        row, gene = np.nonzero(np.array(share >= limit).T)
        other = gene != own[row]
        row, gene = row[other], gene[other]
        return row, gene, [np.array(one)[gene, row].astype(np.int64) for one in products]

    return read


def pair_sums(
    x: mx.array,
    y: mx.array,
    row: NDArray[np.integer],
    gene: NDArray[np.integer],
    first: int,
    degree: int,
) -> list[NDArray[np.int64]]:
    """Sums over samples of the products of scores, pair by pair, from the term `first` on."""
    found: list[NDArray[np.int64]] = []
    step = max(1, _BLOCK_PRODUCTS // max(1, x.shape[2]))
    for i, j in [(0, 0), (1, 0), (0, 1)][: 1 if degree == 1 else 3]:
        sums = np.empty(len(row), dtype=np.int64)
        for start in range(0, len(row), step):
            some = slice(start, start + step)
            one = x[mx.array(row[some].astype(np.int32)), first + i].astype(mx.int64)
            two = y[mx.array(gene[some].astype(np.int32)), first + j].astype(mx.int64)
            sums[some] = np.array(mx.sum(one * two, axis=1))
        found.append(sums)
    return found


def adaptive_mi(
    x: mx.array,
    y: mx.array,
    samples: int,
    log_width: mx.array,
    n_log_n: mx.array,
    min_count: int,
) -> mx.array:
    """Mutual information from the bit planes, in array operations.

    x, y: planes, levels x words x rows. Cells to be divided are rows of masks; a pass counts their
    quarters, selects those to be divided, and gathers them as the next rows.
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
    """Joint cells to be divided: pair, rows and nodes of both sides, and masks of their points."""

    pair: NDArray[np.int64]
    x_row: mx.array
    y_row: mx.array
    x_node: mx.array
    y_node: mx.array
    points: mx.array

    def some(self, rows: slice) -> _Cells:
        """A selection of the cells."""
        return _Cells(*(part[rows] for part in self))


def _cut(
    cells: _Cells, depth: int, t: _Partition, result: NDArray[np.int64], together: int
) -> None:
    """Divide cells of one depth in four, recurse into uneven quarters, and add up the leaves."""
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
    """Sum of the leaf terms among the quarters of each cell, and the quarters to be divided.

    The second is cells x 4, or None if there is no deeper level.
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
    """Number of points of each row of masks, int64."""
    return mx.sum(popcount(points).astype(mx.int32), axis=1).astype(mx.int64)


def _is_uneven(a: mx.array, b: mx.array, c: mx.array, d: mx.array, count: mx.array) -> mx.array:
    """The reference's test without division, which array operations may compute in floats.

    200 excess > 1563 count; the excess is limited to 8 count to avoid overflow.
    """
    excess = 4 * (a * a + b * b + c * c + d * d) - count * count
    return 200 * mx.minimum(excess, 8 * count) > 1563 * count


def depth_sums(
    start: mx.array,
    stop: mx.array,
    depth: mx.array,
    batch: mx.array,
    gene: mx.array,
    count: mx.array,
    direct: mx.array,
    level: mx.array,
    size: mx.array,
    table: mx.array,
    limit: int,
    ends: mx.array,
    target: mx.array,
    weight: mx.array,
) -> tuple[mx.array, mx.array]:
    """Sums of `enrichment.depth_sums` over edges that are sorted by regulon."""
    cells, genes = len(start), level.shape[1]
    sums, total = [], []
    step = max(1, min(fx.MOST_ROWS, _BLOCK_CELLS // max(len(target), genes, 1)))
    for begin in range(0, cells, step):
        many = min(step, cells - begin)
        row, at = entries(start, stop, slice(begin, begin + many))
        scores = mx.zeros((many, genes), dtype=mx.int64)
        if len(row) and genes:
            own, y = gene[at], count[at]
            used = (own >= 0) & (y != 0)
            own = mx.maximum(own, 0)
            base = level[batch[row + begin], own]
            used = used & (base != NOWHERE)
            place = base.astype(mx.int64) + depth[row + begin]
            excess = _excess(y, place, depth[row + begin], size[own], table, direct, limit)
            scores = placed(scores[0], many, row, mx.where(used, own, genes), excess)
        total.append(mx.sum(scores, axis=1))
        if len(target):
            terms = mx.take(scores, target, axis=1) * weight.astype(mx.int64)[None]
            sums.append(fx.segment_sums(terms, ends))
        else:
            sums.append(mx.zeros((many, len(ends) - 1), dtype=mx.int64))
        mx.eval(sums[-1], total[-1])
    if not sums:
        return mx.zeros((0, len(ends) - 1), dtype=mx.int64), mx.zeros((0,), dtype=mx.int64)
    return mx.concatenate(sums), mx.concatenate(total)


def _excess(
    y: mx.array,
    place: mx.array,
    depth: mx.array,
    size: mx.array,
    table: mx.array,
    direct: mx.array,
    limit: int,
) -> mx.array:
    """Score of each count minus that of a zero."""
    pieces, counts = table.shape[1:3]
    terms = table.reshape(-1, 16)
    u = (size.astype(mx.int64) & 0xFFFFF) - 0x80000

    def polynomial(place: mx.array, counted: mx.array | int) -> tuple[mx.array, mx.array]:
        inside = mx.clip(place, 0, (pieces << 20) - 1)
        piece = (size.astype(mx.int64) >> 20) * pieces + (inside >> 20)
        c = terms[piece * counts + counted].astype(mx.int64)
        t = (inside & 0xFFFFF) - 0x80000
        value = mx.zeros(t.shape, dtype=mx.int64)
        for i in (12, 8, 4, 0):
            term = c[:, i + 3]
            for j in (2, 1, 0):
                term = ((term * u) >> 20) + c[:, i + j]
            value = ((value * t) >> 20) + term
        return (value + 2) >> 2, c[:, 15] & 1

    def bend(zero: mx.array) -> mx.array:
        x = mx.clip(mx.maximum(-limit - zero, 0) << 20, 0, limit << 20) // max(limit, 1)
        square = x * x >> 20
        return limit * (x - (x * square >> 20) + (square * square >> 21)) >> 20

    part = depth.astype(mx.int64) & 0x7FFF
    zero, _ = polynomial(place, 0)
    left = bend(polynomial(place - part, 0)[0]) * (0x8000 - part)
    right = bend(polynomial(place - part + 0x8000, 0)[0]) * part
    clipped = mx.maximum(zero, -limit) - bend(zero) + ((left + right) >> 15)
    zero = mx.where(zero < -limit + 0x80000, clipped, zero)
    value, plain = polynomial(place, mx.maximum(y, 0).astype(mx.int64))
    score = mx.clip(value, -limit, limit)
    if len(direct):
        score = mx.where(y < 0, direct[mx.maximum(-y - 1, 0)], score)
    return mx.where((y > 0) & (plain == 1), value, score - zero)
