"""Propagation along the edges of a graph on MLX.

Values are pairs of float32 (48 bits), one component per row. For a product each component becomes
integers of 44 bits, relative to its largest value, and the weights become sums of three integers of
17 bits. So every term of a node's sum is exact to 2^-61 in int64, and the sums do not depend on
their order.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from . import _double as dd
from . import _fixed as fx
from ._double import Double

_BLOCK = 1 << 23  # components x edges at a time
_VALUE_BITS = 44
_PART_BITS = (
    17  # bits of each of the three parts of a weight; with those of the value, a term fits int64
)


def propagate(
    indptr: mx.array, indices: mx.array, weights: Double, values: Double, recurrence: Double
) -> Double:
    """See the reference; by blocks of components, sums in fixed point."""
    nodes, components = values.hi.shape
    steps = dd.to_numpy(recurrence)
    if nodes * components == 0 or len(steps) == 0:
        return values
    # Transposed on the host: a GPU would launch one row per node, which may be too many.
    high, low = (np.ascontiguousarray(np.array(part).T) for part in values)
    graph = _Graph(indptr, indices, weights)
    length = max(1, min(fx.MOST_ROWS, _BLOCK // max(1, nodes, graph.edges)))
    for start in range(0, components, length):
        rows = slice(start, start + length)
        result = _recur(graph, Double(mx.array(high[rows]), mx.array(low[rows])), steps)
        high[rows], low[rows] = (np.array(part) for part in result)
    return Double(*(mx.array(np.ascontiguousarray(part.T)) for part in (high, low)))


class _Graph:
    """A sparse matrix in fixed point, scaled so that no node's sum exceeds its largest neighbour.

    A partial sum may overflow int64, but complete sums do not, so their differences are correct.
    """

    def __init__(self, indptr: mx.array, indices: mx.array, weights: Double) -> None:
        self.indptr, self.indices, self.edges = indptr, indices, indices.shape[0]
        ends, rest = np.array(indptr), dd.to_numpy(weights)
        sizes = np.bincount(fx.owners(ends), weights=np.abs(rest), minlength=len(ends) - 1)
        self.exponent = int(np.frexp(max(sizes.max(initial=0.0), 1e-30))[1])
        rest = np.ldexp(rest, -self.exponent)
        self.parts = []
        for _ in range(3):
            rest = rest * 2.0**_PART_BITS
            part = np.rint(rest)
            rest = rest - part
            self.parts.append(mx.array(part.astype(np.int64)[None]))

    def product(self, values: Double) -> Double:
        """The matrix times each row [components nodes]."""
        if self.edges == 0:
            return fx.zero_double(values.hi.shape)
        exponent = fx.row_exponents(values.hi)
        small = fx.power_of_two(-exponent)
        whole = fx.to_fixed(Double(values.hi * small, values.lo * small), _VALUE_BITS)
        neighbour = mx.take(whole, self.indices, axis=1)
        first, second, third = (neighbour * part for part in self.parts)
        terms = first + (second >> _PART_BITS) + (third >> 2 * _PART_BITS)
        sums = fx.segment_sums(terms, self.indptr)
        total = fx.scaled(fx.from_fixed(sums, _VALUE_BITS + _PART_BITS), self.exponent)
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
    """Sum of arrays times numbers; None without arrays."""
    total = None
    for factor, array in terms:
        part = array if factor == 1 else dd.multiply(_number(factor), array)
        total = part if total is None else dd.add(total, part)
    return total


def _number(value: float) -> Double:
    return dd.from_numpy(np.array([[value]]))
