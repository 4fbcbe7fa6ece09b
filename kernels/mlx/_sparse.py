"""Dense form of sparse cells, made on the device."""

from __future__ import annotations

import mlx.core as mx
import numpy as np


def dense(
    zero: mx.array, start: mx.array, stop: mx.array, gene: mx.array, value: mx.array, rows: slice
) -> mx.array:
    """Values of some of the cells [cells genes], those of `zero` where a cell stores none."""
    first = np.array(start)[rows]
    sizes = np.array(stop)[rows] - first
    cell = np.repeat(np.arange(len(sizes)), sizes)
    entry = mx.array(np.arange(len(cell)) + (first - np.cumsum(sizes) + sizes)[cell])
    genes = len(zero)
    column = mx.take(gene, entry)
    column = mx.where(column < 0, genes, column)  # a column that is dropped
    result = mx.concatenate([zero, mx.zeros((1,), dtype=zero.dtype)])
    result = mx.repeat(result[None], len(sizes), axis=0)
    result[mx.array(cell), column] = mx.take(value, entry)
    return result[:, :genes]
