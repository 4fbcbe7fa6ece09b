"""aREA, weighted mean and normal scores on MLX.

Ranks are integers, computed by sorting order-preserving int64 keys. Normal quantiles come from the
float64 table of the host, stored as pairs of float32 (48 bits). Their products with the weights of
the targets are also pairs; each is rounded once, to fixed point with 40 fractional bits, and summed
in int64, exactly in any order. The few remaining operations per score use pairs.
"""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import numpy as np

from .._constants import NOWHERE
from . import _double as dd
from . import _fixed as fx
from ._double import Double
from ._sparse import dense, entries, placed
from .ranks import average_ranks

_BITS = 40
_MEAN_BITS = 56
_BLOCK = 1 << 23  # cells x edges at a time


def normal_scores(ranks: mx.array, table_start: mx.array, quantiles: Double) -> Double:
    """See the reference: a gather from the host's table."""
    if ranks.size == 0:
        return fx.zero_double(ranks.shape)
    found = fx.pick(quantiles, mx.where(ranks > 0, table_start[:, None] + ranks, 0))
    return fx.where(ranks > 0, found, fx.zero_double(ranks.shape))


def area(
    signature: mx.array,
    max_rank_deviation: mx.array,
    table_start: mx.array,
    quantiles: Double,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
) -> tuple[Double, Double]:
    """See the reference; by blocks of cells, sums in fixed point."""

    def some(rows: slice) -> mx.array:
        return signature[rows]

    return _area(
        some, max_rank_deviation, table_start, quantiles, indptr, targets, mode, likelihood
    )


def sparse_area(
    zero: mx.array,
    start: mx.array,
    stop: mx.array,
    gene: mx.array,
    value: mx.array,
    max_rank_deviation: mx.array,
    table_start: mx.array,
    quantiles: Double,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
) -> tuple[Double, Double]:
    """See the reference; blocks of cells are made dense on the device."""

    def some(rows: slice) -> mx.array:
        return dense(zero, start, stop, gene, value, rows)

    return _area(
        some, max_rank_deviation, table_start, quantiles, indptr, targets, mode, likelihood
    )


def _area(
    some: Callable[[slice], mx.array],
    max_rank_deviation: mx.array,
    table_start: mx.array,
    quantiles: Double,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
) -> tuple[Double, Double]:
    """Enrichment of signatures, of which `some` returns a block."""
    weight = fx.normalised(likelihood, np.array(indptr))
    edges = _Edges(indptr, targets, weight, dd.to_numpy(mode))

    def block(rows: slice) -> tuple[Double, Double]:
        ranks = average_ranks(some(rows))
        scores = _both_tails(ranks, max_rank_deviation[rows], table_start[rows], quantiles)
        return _sums(ranks > 0, scores, edges)

    return _by_blocks(block, len(table_start), edges)


def weighted_area(
    signature: mx.array,
    weights: Double,
    weighted_norm: bool,
    max_rank_deviation: mx.array,
    table_start: mx.array,
    quantiles: Double,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
) -> tuple[Double, Double]:
    """See the reference; weights are scaled by a power of two to at most 1."""
    ends = np.array(indptr)
    edges = _Edges(indptr, targets, fx.normalised(likelihood, ends), dd.to_numpy(mode))
    exponent = 0
    if weights.hi.size:
        exponent = int(fx.exponents(mx.max(mx.abs(weights.hi)).reshape(1)).item())
    scaled = fx.scaled(weights, -exponent)

    def block(rows: slice) -> tuple[Double, Double]:
        ranks = average_ranks(signature[rows])
        scores = _both_tails(ranks, max_rank_deviation[rows], table_start[rows], quantiles)
        own = Double(scaled.hi[rows], scaled.lo[rows])
        return _weighted_sums(ranks > 0, scores, own, weighted_norm, edges)

    return _by_blocks(block, len(signature), edges)


def paired_area(
    signature: mx.array,
    max_rank_deviation: mx.array,
    table_start: mx.array,
    quantiles: Double,
    cell: mx.array,
    regulon: mx.array,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
) -> tuple[Double, Double]:
    """See the reference; the edges of all pairs are concatenated."""
    ends, rows, own = np.array(indptr), np.array(cell), np.array(regulon)
    sizes = np.diff(ends)[own]
    laid = np.concatenate([[0], np.cumsum(sizes)])
    if laid[-1] == 0:
        return fx.nan_double((len(own),)), fx.nan_double((len(own),))
    at = np.arange(laid[-1]) + np.repeat(ends[:-1][own] - laid[:-1], sizes)
    weight, modes = fx.normalised(likelihood, ends)[at], dd.to_numpy(mode)[at]
    ranks = average_ranks(signature)
    signed, unsigned = _both_tails(ranks, max_rank_deviation, table_start, quantiles)
    genes = mx.array(np.array(targets)[at].astype(np.int64))
    place = mx.array(np.repeat(rows, sizes).astype(np.int64)) * ranks.shape[1] + genes
    present = (ranks.reshape(-1)[place] > 0)[None]

    def flat(values: Double) -> Double:
        return Double(values.hi.reshape(-1)[place][None], values.lo.reshape(-1)[place][None])

    every = mx.arange(len(at))
    edges = _Edges(mx.array(laid), every, weight, modes)
    es, nes = _sums(present, (flat(signed), flat(unsigned)), edges)
    return Double(es.hi[0], es.lo[0]), Double(nes.hi[0], nes.lo[0])


def weighted_mean(
    signature: Double, indptr: mx.array, targets: mx.array, weights: Double
) -> Double:
    """See the reference; each row is scaled by a power of two, weights by their sum."""
    ends = np.array(indptr)
    shape = (len(signature.hi), len(ends) - 1)
    if shape[0] * shape[1] == 0 or len(targets) == 0:
        return fx.nan_double(shape)
    values = dd.to_numpy(weights)
    total = np.bincount(fx.owners(ends), weights=np.abs(values), minlength=shape[1])
    share = values / np.where(total > 0, total, 1.0)[fx.owners(ends)]
    size = mx.array(np.rint(np.abs(share) * 2.0**_MEAN_BITS).astype(np.int64))
    missing = mx.isnan(signature.hi)
    known = fx.where(missing, fx.zero_double(missing.shape), signature)
    exponent = fx.row_exponents(known.hi)
    small = fx.power_of_two(-exponent)
    known = fx.columns(Double(known.hi * small, known.lo * small), targets)
    terms = fx.to_fixed(dd.multiply(known, _row(share)), _MEAN_BITS)
    top = fx.from_fixed(fx.segment_sums(terms, indptr), _MEAN_BITS)
    present = mx.take(missing, targets, axis=1) == False  # noqa: E712 - an array
    bottom = fx.segment_sums(mx.where(present, size[None], 0), indptr)
    mean = fx.quotient(top, fx.from_fixed(bottom, _MEAN_BITS))
    large = fx.power_of_two(exponent)
    return Double(mean.hi * large, mean.lo * large)


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
    indptr: mx.array,
    regulon: mx.array,
    weight: mx.array,
    n_regulons: int,
) -> tuple[mx.array, mx.array]:
    """See the reference; blocks of cells are made dense, sums are int64 over sorted edges."""
    cells, genes = len(start), level.shape[1]
    owner = np.array(regulon)
    order = np.argsort(owner, kind="stable")
    ends = mx.array(np.searchsorted(owner[order], np.arange(n_regulons + 1)))
    target = mx.array(fx.owners(np.array(indptr))[order])
    weights = weight.astype(mx.int64)[mx.array(order)]
    sums, total = [], []
    step = max(1, min(fx.MOST_ROWS, _BLOCK // max(len(order), genes, 1)))
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
        if len(order):
            terms = mx.take(scores, target, axis=1) * weights[None]
            sums.append(fx.segment_sums(terms, ends))
        else:
            sums.append(mx.zeros((many, n_regulons), dtype=mx.int64))
        mx.eval(sums[-1], total[-1])
    if not sums:
        return mx.zeros((0, n_regulons), dtype=mx.int64), mx.zeros((0,), dtype=mx.int64)
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


class _Edges:
    """Targets and constants of the edges of all regulons, computed on the host in float64."""

    def __init__(
        self, indptr: mx.array, targets: mx.array, weight: np.ndarray, mode: np.ndarray
    ) -> None:
        ends = np.array(indptr)
        owner = fx.owners(ends)
        self.indptr, self.targets, self.count = indptr, targets, len(ends) - 1
        self.directed = dd.from_numpy((weight * mode)[None])
        self.tail = dd.from_numpy((weight * (1 - np.abs(mode)))[None])
        self.mode = dd.from_numpy(mode[None])
        self.rest = dd.from_numpy((1 - np.abs(mode))[None])
        self.weight = dd.from_numpy(weight[None])
        self.fixed = mx.array(np.rint(weight * 2.0**_BITS).astype(np.int64))
        self.square = mx.array(np.rint(weight**2 * 2.0**_BITS).astype(np.int64))
        # Edges of each regulon by decreasing weight: the first present one has the largest.
        order = np.lexsort((-weight, owner)) if len(weight) else np.zeros(0, dtype=np.int64)
        self.by_weight, self.ordered = mx.array(order), dd.from_numpy(weight[order])
        total = np.bincount(owner, weights=weight, minlength=self.count)
        square = np.bincount(owner, weights=weight**2, minlength=self.count)
        total = np.where(total > 0, total, np.nan)  # division by 0: no score
        self.total, self.norm = dd.from_numpy(total[None]), dd.from_numpy(np.sqrt(square)[None])


def _row(values: np.ndarray) -> Double:
    return dd.from_numpy(values[None])


def _by_blocks(block, cells: int, edges: _Edges):  # type: ignore[no-untyped-def]
    """Scores of blocks of cells, evaluated in sequence."""
    if cells == 0 or edges.count == 0 or len(edges.targets) == 0:
        return fx.nan_double((cells, edges.count)), fx.nan_double((cells, edges.count))
    step = max(1, min(fx.MOST_ROWS, _BLOCK // max(1, len(edges.targets))))
    parts = []
    for start in range(0, cells, step):
        parts.append(block(slice(start, start + step)))
        mx.eval(parts[-1])
    joined = [
        Double(mx.concatenate([p[i].hi for p in parts]), mx.concatenate([p[i].lo for p in parts]))
        for i in range(2)
    ]
    return joined[0], joined[1]


def _both_tails(
    ranks: mx.array, max_rank_deviation: mx.array, table_start: mx.array, quantiles: Double
) -> tuple[Double, Double]:
    present = ranks > 0
    middle = mx.sum(present, axis=1, keepdims=True).astype(mx.int32) + 1
    deviation = mx.where(present, mx.abs(ranks - middle), 0)
    own = mx.max(deviation, axis=1, keepdims=True)
    largest = mx.where(max_rank_deviation[:, None] < 0, own, max_rank_deviation[:, None])
    magnitude = mx.where(present, 2 * deviation + middle - largest, 0)
    return normal_scores(ranks, table_start, quantiles), normal_scores(
        magnitude, table_start, quantiles
    )


def _sums(present: mx.array, scores: tuple[Double, Double], edges: _Edges) -> tuple[Double, Double]:
    """Scores from fixed-point sums; sums of all likelihoods if no gene is missing."""
    signed, unsigned = (fx.columns(s, edges.targets) for s in scores)
    directed = fx.segment_sums(
        fx.to_fixed(dd.multiply(edges.directed, signed), _BITS), edges.indptr
    )
    tail = fx.segment_sums(fx.to_fixed(dd.multiply(edges.tail, unsigned), _BITS), edges.indptr)
    if bool(mx.all(present).item()):
        total, factor = edges.total, edges.norm
    else:
        here = mx.take(present, edges.targets, axis=1)
        sums = fx.segment_sums(mx.where(here, edges.fixed[None], 0), edges.indptr)
        squares = fx.segment_sums(mx.where(here, edges.square[None], 0), edges.indptr)
        total = fx.from_fixed(sums, _BITS)
        total = fx.where(sums > 0, total, fx.nan_double(sums.shape))
        norm = fx.sqrt(fx.from_fixed(squares, _BITS))
        factor = fx.quotient(norm, _largest_present(here, edges))
    return _joined(directed, tail, total, factor)


def _largest_present(here: mx.array, edges: _Edges) -> Double:
    """Largest likelihood of each regulon's targets that have a value (0 without any)."""
    many = here.shape[1]
    ordered = mx.take(here, edges.by_weight, axis=1)
    place = mx.where(ordered, mx.arange(many)[None], many)
    following = mx.cummin(place, axis=1, reverse=True)
    edge = mx.full((here.shape[0], 1), many, dtype=following.dtype)
    following = mx.concatenate([following, edge], axis=1)
    first = mx.take(following, edges.indptr[:-1], axis=1)
    found = fx.pick(edges.ordered, mx.minimum(first, many - 1))
    return fx.where(first < edges.indptr[1:][None], found, fx.zero_double(first.shape))


def _joined(
    directed: mx.array, tail: mx.array, total: Double, factor: Double
) -> tuple[Double, Double]:
    """Enrichment score and NES from the fixed-point sums of both parts."""
    size = mx.abs(directed) + mx.maximum(tail, 0)
    sign = mx.where(_below_nothing(directed, total), -1.0, 1.0)
    es = fx.quotient(fx.from_fixed(size, _BITS), _like(total, size))
    es = Double(es.hi * sign, es.lo * sign)
    return es, dd.multiply(es, _like(factor, size))


def _below_nothing(directed: mx.array, total: Double) -> mx.array:
    """Whether the directed part is below -2^-40, the limit of rounding noise."""
    return directed.astype(mx.float32) < -mx.maximum(total.hi, 0.5)


def _like(value: Double, array: mx.array) -> Double:
    return Double(mx.broadcast_to(value.hi, array.shape), mx.broadcast_to(value.lo, array.shape))


def _weighted_sums(
    present: mx.array,
    scores: tuple[Double, Double],
    weights: Double,
    weighted_norm: bool,
    edges: _Edges,
) -> tuple[Double, Double]:
    signed, unsigned = (fx.columns(s, edges.targets) for s in scores)
    here = mx.take(present, edges.targets, axis=1)
    weight = dd.multiply(fx.columns(weights, edges.targets), edges.weight)
    weight = fx.where(here, weight, fx.zero_double(here.shape))

    def total(terms: Double) -> mx.array:
        return fx.segment_sums(fx.to_fixed(terms, _BITS), edges.indptr)

    directed = total(dd.multiply(dd.multiply(weight, edges.mode), signed))
    tail = total(dd.multiply(dd.multiply(weight, edges.rest), unsigned))
    sums = total(weight)
    divisor = fx.where(sums > 0, fx.from_fixed(sums, _BITS), fx.nan_double(sums.shape))
    if not weighted_norm:
        return _joined(directed, tail, divisor, edges.norm)
    norm = fx.sqrt(fx.from_fixed(total(dd.multiply(weight, weight)), _BITS))
    return _joined(directed, tail, divisor, fx.quotient(norm, _largest(weight, edges)))


def _largest(weight: Double, edges: _Edges) -> Double:
    """Largest weight of each regulon in each cell, over a padded table of its edges."""
    ends = np.array(edges.indptr)
    sizes = np.diff(ends)
    place = np.arange(max(1, int(sizes.max(initial=1))))
    valid = mx.array(place[None] < sizes[:, None])
    index = mx.array(np.minimum(ends[:-1, None] + place, max(0, ends[-1] - 1)))
    fixed = mx.take(fx.to_fixed(weight, _BITS), index.reshape(-1), axis=1)
    fixed = fixed.reshape(weight.hi.shape[0], *index.shape)
    return fx.from_fixed(mx.max(mx.where(valid[None], fixed, 0), axis=2), _BITS)
