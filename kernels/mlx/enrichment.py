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

from . import _arrays, _gpu
from . import _double as dd
from . import _fixed as fx
from ._double import Double
from ._sparse import dense
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
    by_kernels = signature.size > 0 and _gpu.usable("area")

    def some(rows: slice) -> mx.array:
        return _gpu.ranks(signature[rows]) if by_kernels else average_ranks(signature[rows])

    ranked = signature.shape[1], max_rank_deviation, table_start, quantiles
    return _area(by_kernels, some, *ranked, indptr, targets, mode, likelihood)


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
    """See the reference; stored values are merged with the others, or blocks are made dense."""
    stored = start, stop, gene, value
    by_kernels = len(zero) > 0 and len(targets) > 0 and _gpu.usable("sparse_area")
    if by_kernels:
        presorted = _gpu.Presorted(np.array(zero))
        targets = mx.take(presorted.place, targets)

    def some(rows: slice) -> mx.array:
        if by_kernels:
            return _gpu.sparse_ranks(presorted, *stored, rows)
        return average_ranks(dense(zero, *stored, rows))

    ranked = len(zero), max_rank_deviation, table_start, quantiles
    return _area(by_kernels, some, *ranked, indptr, targets, mode, likelihood)


def _area(
    by_kernels: bool,
    some: Callable[[slice], mx.array],
    genes: int,
    max_rank_deviation: mx.array,
    table_start: mx.array,
    quantiles: Double,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
) -> tuple[Double, Double]:
    """Enrichment of ranks [cells genes] of blocks of cells; for kernels: [genes cells]."""
    weight = fx.normalised(likelihood, np.array(indptr))
    edges = _Edges(indptr, targets, weight, dd.to_numpy(mode))
    step = max(1, min(fx.MOST_ROWS, _BLOCK // max(1, len(targets))))
    if by_kernels:
        step = _gpu.cells_together(genes)
        real = mx.concatenate([*edges.directed, *edges.tail])
        place = mx.array(np.argsort(np.array(edges.by_weight)))
        whole = mx.stack([edges.fixed, edges.square, place])

    def block(rows: slice) -> tuple[Double, Double]:
        ranks = some(rows)
        given = max_rank_deviation[rows], table_start[rows], quantiles
        if not by_kernels:
            return _sums(ranks > 0, _both_tails(ranks, *given), edges)
        known, directed, tail, *present = _gpu.area_sums(
            ranks, *given, indptr, targets, real, whole
        )
        total, factor = edges.total, edges.norm
        if bool(mx.any(known < genes).item()):
            total, factor = _of_present(*present, edges)
        return _joined(directed, tail, total, factor)

    return _by_blocks(block, len(table_start), edges, step)


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

    step = max(1, min(fx.MOST_ROWS, _BLOCK // max(1, len(targets))))
    return _by_blocks(block, len(signature), edges, step)


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
    """See the reference; by a kernel, or blocks of cells are made dense."""
    owner = np.array(regulon)
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(n_regulons + 1))
    edges = tuple(map(mx.array, (ends, fx.owners(np.array(indptr))[order].astype(np.int32))))
    given = start, stop, depth, batch, gene, count, direct, level, size, table
    compute = _gpu.depth_sums if _gpu.usable("depth_sums") else _arrays.depth_sums
    return compute(*given, limit, *edges, weight[mx.array(order.astype(np.int32))])


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


def _by_blocks(block, cells: int, edges: _Edges, step: int):  # type: ignore[no-untyped-def]
    """Scores of blocks of cells, evaluated in sequence."""
    if cells == 0 or edges.count == 0 or len(edges.targets) == 0:
        return fx.nan_double((cells, edges.count)), fx.nan_double((cells, edges.count))
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
        total, factor = _of_present(sums, squares, _first_present(here, edges), edges)
    return _joined(directed, tail, total, factor)


def _of_present(
    sums: mx.array, squares: mx.array, first: mx.array, edges: _Edges
) -> tuple[Double, Double]:
    """Sum and factor of the likelihoods of the targets that have a value."""
    total = fx.from_fixed(sums, _BITS)
    total = fx.where(sums > 0, total, fx.nan_double(sums.shape))
    largest = fx.pick(edges.ordered, mx.clip(first, 0, len(edges.targets) - 1))
    some = first < edges.indptr[1:][None]
    largest = fx.where(some, largest, fx.zero_double(first.shape))
    return total, fx.quotient(fx.sqrt(fx.from_fixed(squares, _BITS)), largest)


def _first_present(here: mx.array, edges: _Edges) -> mx.array:
    """First target with a value in the order `by_weight`; beyond the regulon's without any."""
    many = here.shape[1]
    ordered = mx.take(here, edges.by_weight, axis=1)
    place = mx.where(ordered, mx.arange(many)[None], many)
    following = mx.cummin(place, axis=1, reverse=True)
    edge = mx.full((here.shape[0], 1), many, dtype=following.dtype)
    following = mx.concatenate([following, edge], axis=1)
    return mx.take(following, edges.indptr[:-1], axis=1)


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
