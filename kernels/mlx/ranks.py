"""Ranks of the values of each row, by stable sorts of integer keys."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from ._random import hash64

_BLOCK = 1 << 24  # values sorted at a time
_ROWS = 1 << 15  # rows sorted at a time: CUDA launches at most 65,535 blocks along an axis


def _missing() -> mx.array:
    """The key of a missing value: the largest int64."""
    return mx.array(np.array(np.iinfo(np.int64).max))


def ordinal_ranks(values: mx.array, keys: mx.array, descending: bool) -> mx.array:
    """See the reference. values are int64 keys in the order of the values, genes x samples."""
    return _by_rows(lambda rows: _ordinal(values[rows], keys[rows], descending), values)


def average_ranks(values: mx.array) -> mx.array:
    """See the reference. values are int64 keys in the order of the values, rows x columns."""
    return _by_rows(lambda rows: _average(values[rows]), values)


def _by_rows(rank, values):  # type: ignore[no-untyped-def]
    """Ranks by blocks of rows, so that temporaries stay small."""
    rows, columns = values.shape
    if rows == 0 or columns == 0:
        return mx.zeros(values.shape, dtype=mx.int32)
    step = max(1, min(_ROWS, _BLOCK // columns))
    done = []
    for begin in range(0, rows, step):
        done.append(rank(slice(begin, begin + step)))
        mx.eval(done[-1])
    return done[0] if len(done) == 1 else mx.concatenate(done)


def _ordinal(values: mx.array, keys: mx.array, descending: bool) -> mx.array:
    if descending:  # missing values stay last
        values = mx.where(values == _missing(), _missing(), mx.bitwise_invert(values))
    samples = values.shape[1]
    hashes = hash64(keys[:, None], mx.arange(samples)[None, :])
    by_hash = mx.argsort(hashes, axis=1)
    by_value = mx.argsort(mx.take_along_axis(values, by_hash, axis=1), axis=1)
    order = mx.take_along_axis(by_hash, by_value, axis=1)
    return _scatter(order, mx.broadcast_to(mx.arange(1, samples + 1), values.shape))


def _average(values: mx.array) -> mx.array:
    columns = values.shape[1]
    order = mx.argsort(values, axis=1)
    ordered = mx.take_along_axis(values, order, axis=1)
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = mx.ones((values.shape[0], 1), dtype=mx.bool_)
    position = mx.arange(columns)[None, :]
    first = mx.cummax(mx.where(mx.concatenate([edge, changes], axis=1), position, 0), axis=1)
    ends = mx.where(mx.concatenate([changes, edge], axis=1), position + 1, columns)
    end = mx.cummin(ends, axis=1, reverse=True)
    doubled = mx.where(ordered == _missing(), 0, first + end + 1)
    return _scatter(order, doubled)


def _scatter(order: mx.array, ranks: mx.array) -> mx.array:
    """Scatter the ranks of the sorted values to the positions of the values."""
    blank = mx.zeros(order.shape, dtype=mx.int32)
    return mx.put_along_axis(blank, order, ranks.astype(mx.int32), axis=1)
