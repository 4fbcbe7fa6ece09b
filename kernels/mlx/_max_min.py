"""The max-min matrix product of the data processing inequality, in array operations."""

from __future__ import annotations

import mlx.core as mx

_BLOCK = 1 << 22  # triangles at a time


def max_min(between: mx.array, network: mx.array) -> mx.array:
    """``max_j min(between[i, j], network[j, g])``, rows x genes, at least 0."""
    rows, regulators = between.shape
    genes = network.shape[1]
    step = max(1, _BLOCK // max(rows, 1))
    done = []
    for begin in range(0, genes, step):
        block = network[:, begin : begin + step]
        together = max(1, _BLOCK // (rows * block.shape[1]))
        strongest = mx.zeros((rows, block.shape[1]), dtype=mx.int64)
        for j in range(0, regulators, together):
            legs = mx.minimum(between[:, j : j + together, None], block[None, j : j + together])
            strongest = mx.maximum(strongest, mx.max(legs, axis=1))
            mx.eval(strongest)
        done.append(strongest)
    return mx.concatenate(done, axis=1)
