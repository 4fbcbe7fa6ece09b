"""Spearman correlation of chosen pairs of genes, in integers."""

from __future__ import annotations

import mlx.core as mx

_BLOCK = 1 << 23  # products at a time


def rank_products(ranks: mx.array, first: mx.array, second: mx.array) -> mx.array:
    """See the reference."""
    pairs, samples = first.shape[0], ranks.shape[1]
    if pairs == 0 or samples == 0:
        return mx.zeros((pairs,), dtype=mx.int64)
    step = max(1, _BLOCK // samples)
    done = []
    for begin in range(0, pairs, step):
        block = slice(begin, begin + step)
        x = ranks[first[block]].astype(mx.int64) - (samples + 1)
        y = ranks[second[block]].astype(mx.int64) - (samples + 1)
        done.append(mx.sum(x * y, axis=1))
        mx.eval(done[-1])
    return mx.concatenate(done)
