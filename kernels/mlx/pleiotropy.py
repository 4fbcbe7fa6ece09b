"""Scores of shared targets on MLX.

Each tested cell and regulator is one row of a padded table of the keys of its targets, which are
ranked; scores come from the table of the host as pairs of float32, sums are int64 fixed point.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from . import _double as dd
from . import _fixed as fx
from ._double import Double
from .ranks import average_ranks

_BITS = 40
_BLOCK = 1 << 21  # tests x targets at a time


def shared_target_scores(
    signature: mx.array,
    direction: mx.array,
    cell: mx.array,
    pair: mx.array,
    regulator: mx.array,
    shared_indptr: mx.array,
    shared: mx.array,
    quantiles: Double,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
) -> Double:
    """See the reference; by blocks of tests."""
    tests, ends = len(cell), np.array(indptr)
    if tests == 0 or len(targets) == 0 or len(shared) == 0:
        return fx.nan_double((tests,))
    sizes = np.diff(ends)
    weights = fx.normalised(likelihood, ends), dd.to_numpy(mode)
    wide = int(sizes.max())
    step = max(1, min(fx.MOST_ROWS, _BLOCK // wide))
    given = np.array(cell), np.array(pair), np.array(direction), np.array(targets)
    pairs = np.array(regulator), np.array(shared_indptr), np.array(shared)
    parts = []
    for start in range(0, tests, step):
        rows = slice(start, start + step)
        block = tuple(array[rows] for array in given[:3])
        parts.append(_block(signature, block, pairs, given[3], weights, ends, wide, quantiles))
        mx.eval(parts[-1])
    return Double(mx.concatenate([p.hi for p in parts]), mx.concatenate([p.lo for p in parts]))


def _block(signature, tests, pairs, targets, weights, ends, wide, quantiles):  # type: ignore[no-untyped-def]
    cell, pair, direction = tests
    regulator, shared_ends, shared = pairs
    own = regulator[pair]
    group, row = np.unique(cell.astype(np.int64) * len(ends) + own, return_inverse=True)
    group_cell, group_own = group // len(ends), group % len(ends)
    ranks = _own_ranks(signature, group_cell, group_own, targets, ends, wide)
    n = mx.sum((ranks > 0).astype(mx.int32), axis=1, keepdims=True)
    deviation = mx.where(ranks > 0, mx.abs(ranks - (n + 1)), 0)
    magnitude = 2 * deviation + (n + 1) - mx.max(deviation, axis=1, keepdims=True)

    # The shared targets of each test, padded.
    count = np.diff(shared_ends)[pair]
    place = np.arange(max(1, int(count.max())))
    valid = place[None] < count[:, None]
    index = np.minimum(shared_ends[:-1][pair][:, None] + place, len(shared) - 1)
    at = np.where(valid, shared[index], 0)
    edge = np.minimum(ends[:-1][own][:, None] + at, ends[-1] - 1)
    weight, mode = weights[0][edge], weights[1][edge]
    flat = mx.array(row[:, None] * wide + at)

    def of(values: mx.array) -> mx.array:
        return values.reshape(-1)[flat]

    here = mx.array(valid) & (of(ranks) > 0)
    table = mx.broadcast_to(n * (n + 2), ranks.shape)
    signed = fx.pick(quantiles, mx.where(here, of(table) + of(ranks), 0))
    unsigned = fx.pick(quantiles, mx.where(here, of(table) + of(magnitude), 0))

    def total(constant: np.ndarray, scores: Double | None) -> mx.array:
        factor = dd.from_numpy(constant)
        terms = factor if scores is None else dd.multiply(factor, scores)
        return mx.sum(mx.where(here, fx.to_fixed(terms, _BITS), 0), axis=1)

    directed = total(weight * mode * direction[:, None], signed)
    tail = total(weight * (1 - np.abs(mode)), unsigned)
    sums = total(weight, None)
    squares = fx.sqrt(fx.from_fixed(total(weight**2, None), _BITS))
    fixed = mx.array(np.rint(weight * 2.0**_BITS).astype(np.int64))
    largest = fx.from_fixed(mx.max(mx.where(here, fixed, 0), axis=1), _BITS)
    divisor = fx.where(sums > 0, fx.from_fixed(sums, _BITS), fx.nan_double(sums.shape))
    size = fx.from_fixed(mx.abs(directed) + mx.maximum(tail, 0), _BITS)
    nothing = mx.maximum(divisor.hi, 0.5)  # 2^-40, as in aREA
    sign = mx.where(directed.astype(mx.float32) < -nothing, -1.0, 1.0)
    nes = dd.multiply(fx.quotient(size, divisor), fx.quotient(squares, largest))
    return Double(nes.hi * sign, nes.lo * sign)


def _own_ranks(signature, cell, own, targets, ends, wide):  # type: ignore[no-untyped-def]
    """Ranks of each regulator's targets among themselves [groups targets]; padding is 0."""
    place = np.arange(wide)
    inside = place[None] < np.diff(ends)[own][:, None]
    gene = targets[np.minimum(ends[:-1][own][:, None] + place, ends[-1] - 1)]
    flat = mx.array(cell[:, None] * signature.shape[1] + gene)
    top = mx.array(np.array(np.iinfo(np.int64).max))
    return average_ranks(mx.where(mx.array(inside), signature.reshape(-1)[flat], top))
