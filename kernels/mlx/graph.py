"""Propagation along the edges of a graph on MLX.

Values are pairs of float32 (48 bits), one component a row. Before each product a component is
scaled by a power of two to at most 1, and so are the weights; the terms of a node's edges are
rounded once, to fixed point, and summed in int64: exact, in any order.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from . import _double as dd
from . import _fixed as fx
from ._double import Double

_BLOCK = 1 << 23  # components x edges at a time
_BITS = 61  # of a sum of terms, with room for its sign


def propagate(
    indptr: mx.array, indices: mx.array, weights: Double, values: Double, recurrence: Double
) -> Double:
    """See the reference; by blocks of components, sums in fixed point."""
    nodes, components = values.hi.shape
    steps = dd.to_numpy(recurrence)
    if nodes * components == 0 or len(steps) == 0:
        return values
    # Turned on the host: a GPU would launch a row for each node, which may be too many.
    high, low = (np.ascontiguousarray(np.array(part).T) for part in values)
    graph = _Graph(indptr, indices, weights)
    length = max(1, min(fx.MOST_ROWS, _BLOCK // max(1, nodes, graph.edges)))
    for start in range(0, components, length):
        rows = slice(start, start + length)
        result = _recur(graph, Double(mx.array(high[rows]), mx.array(low[rows])), steps)
        high[rows], low[rows] = (np.array(part) for part in result)
    return Double(*(mx.array(np.ascontiguousarray(part.T)) for part in (high, low)))


class _Graph:
    """A sparse matrix whose weights are scaled to at most 1."""

    def __init__(self, indptr: mx.array, indices: mx.array, weights: Double) -> None:
        size = np.diff(np.array(indptr)).max(initial=0)
        self.indptr, self.indices, self.edges = indptr, indices, indices.shape[0]
        self.bits = _BITS - int(size).bit_length()
        self.exponent = 0
        if self.edges:
            largest = float(np.abs(np.array(weights.hi)).max())
            self.exponent = max(-120, int(np.frexp(largest)[1])) if largest > 0 else 0
        self.weights = fx.scaled(Double(weights.hi[None], weights.lo[None]), -self.exponent)

    def product(self, values: Double) -> Double:
        """The matrix times each row [components nodes]."""
        if self.edges == 0:
            return fx.zero_double(values.hi.shape)
        exponent = fx.row_exponents(values.hi)
        small = fx.power_of_two(-exponent)
        unit = Double(values.hi * small, values.lo * small)
        terms = dd.multiply(fx.columns(unit, self.indices), self.weights)
        sums = fx.segment_sums(fx.to_fixed(terms, self.bits), self.indptr)
        total = fx.scaled(fx.from_fixed(sums, self.bits), self.exponent)
        large = fx.power_of_two(exponent)
        return Double(total.hi * large, total.lo * large)


def _recur(graph: _Graph, values: Double, steps: np.ndarray) -> Double:
    before, now = fx.zero_double(values.hi.shape), values
    for product, same, previous in steps:
        terms = [(product, graph.product(now)), (same, now), (previous, before)]
        following = _combination([term for term in terms if term[0] != 0])
        before, now = now, following if following is not None else fx.zero_double(now.hi.shape)
        mx.eval(now)
    return now


def _combination(terms: list[tuple[float, Double]]) -> Double | None:
    """Sum of arrays times numbers; None of none."""
    total = None
    for factor, array in terms:
        part = array if factor == 1 else dd.multiply(_number(factor), array)
        total = part if total is None else dd.add(total, part)
    return total


def _number(value: float) -> Double:
    return dd.from_numpy(np.array([[value]]))
