"""Dense form of sparse cells, made on the device."""

from __future__ import annotations

import mlx.core as mx
import numpy as np


def dense(
    zero: mx.array, start: mx.array, stop: mx.array, gene: mx.array, value: mx.array, rows: slice
) -> mx.array:
    """Values of some of the cells [cells genes], those of `zero` where a cell stores none."""
    cell, entry = entries(start, stop, rows)
    column = mx.take(gene, entry)
    column = mx.where(column < 0, len(zero), column)
    return placed(zero, len(np.array(start)[rows]), cell, column, mx.take(value, entry))


def entries(start: mx.array, stop: mx.array, rows: slice) -> tuple[mx.array, mx.array]:
    """Cell, counted from the first of the rows, and position of each value that they store."""
    first = np.array(start)[rows]
    sizes = np.array(stop)[rows] - first
    cell = np.repeat(np.arange(len(sizes)), sizes)
    return mx.array(cell), mx.array(np.arange(len(cell)) + (first - np.cumsum(sizes) + sizes)[cell])


def placed(
    base: mx.array, cells: int, cell: mx.array, column: mx.array, value: mx.array
) -> mx.array:
    """Rows of int64 like `base` with other values at some places; those one column on are dropped.

    Placed in halves, as CUDA has no scatter of int64.
    """
    wide = mx.concatenate([base, mx.zeros((1,), dtype=mx.int64)])
    halves = mx.repeat(wide[None], cells, axis=0).view(mx.uint32).reshape(cells, len(wide), 2)
    halves[cell, column] = value.view(mx.uint32).reshape(-1, 2)
    return halves.reshape(cells, -1).view(mx.int64)[:, : len(base)]
