"""NaRnEA on MLX.

Ranks and signs are integers and the weights of the edges are fixed point, computed on the host, so
all sums over targets are exact int64. Moments of the ranks of a cell are also integers; the few
constants derived from them are computed in float64 on the host. Quotients are pairs of float32 (48
bits).
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from . import _double as dd
from . import _fixed as fx
from ._double import Double
from .ranks import average_ranks

_SQUARE_BITS = 40
_BLOCK = 1 << 22  # cells x edges at a time


def narnea(
    magnitude: mx.array,
    sign: mx.array,
    indptr: mx.array,
    targets: mx.array,
    mode: Double,
    likelihood: Double,
    by_likelihood: mx.array,
) -> tuple[Double, Double, Double, Double, Double, Double]:
    """See the reference; by blocks of cells."""
    cells, regulons = len(magnitude), len(indptr) - 1
    if cells == 0 or regulons == 0 or len(targets) == 0:
        return tuple(fx.nan_double((cells, regulons)) for _ in range(6))  # type: ignore[return-value]
    edges = _Edges(indptr, targets, mode, likelihood, by_likelihood, magnitude.shape[1])
    step = max(1, min(fx.MOST_ROWS, _BLOCK // len(targets)))
    parts = []
    for start in range(0, cells, step):
        rows = slice(start, start + step)
        parts.append(_block(average_ranks(magnitude[rows]).astype(mx.int64), sign[rows], edges))
        mx.eval(parts[-1])
    joined = [
        Double(mx.concatenate([p[i].hi for p in parts]), mx.concatenate([p[i].lo for p in parts]))
        for i in range(6)
    ]
    return joined[0], joined[1], joined[2], joined[3], joined[4], joined[5]


class _Edges:
    """Weights of the edges in fixed point, with as many bits as the sums allow."""

    def __init__(
        self,
        indptr: mx.array,
        targets: mx.array,
        mode: Double,
        likelihood: Double,
        by_likelihood: mx.array,
        genes: int,
    ) -> None:
        ends = np.array(indptr)
        weight = fx.normalised(likelihood, ends)
        modes = dd.to_numpy(mode)
        directed, undirected = weight * modes, weight * (1 - np.abs(modes))
        largest = int(np.diff(ends).max())
        self.bits = min(40, 61 - (2 * genes).bit_length() - largest.bit_length())
        self.indptr, self.targets = indptr, targets
        self.directed = _fixed(directed, self.bits)
        self.undirected = _fixed(undirected, self.bits)
        self.square_d = _fixed(directed**2, _SQUARE_BITS)
        self.square_u = _fixed(undirected**2, _SQUARE_BITS)
        self.product = _fixed(directed * undirected, _SQUARE_BITS)
        order = ends[:-1][fx.owners(ends)] + np.array(by_likelihood)
        self.order = mx.array(order)
        self.start = mx.array(ends[:-1][fx.owners(ends)])
        self.best_d = _fixed(np.abs(directed)[order], self.bits)
        self.best_u = _fixed(undirected[order], self.bits)


def _fixed(values: np.ndarray, bits: int) -> mx.array:
    return mx.array(np.rint(values * 2.0**bits).astype(np.int64))[None]


def _block(
    ranks: mx.array, sign: mx.array, edges: _Edges
) -> tuple[Double, Double, Double, Double, Double, Double]:
    present = ranks > 0
    signed = ranks * mx.where(present, sign, 0)
    n = np.array(mx.sum(present, axis=1)).astype(np.float64)[:, None]
    twice_first = np.array(mx.sum(signed, axis=1)).astype(np.float64)[:, None]
    four_second = np.array(mx.sum(ranks * signed, axis=1)).astype(np.float64)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = twice_first / 2 / n, four_second / 4 / n
    centre, square = (n + 1) / 2, (2 * n * n + 3 * n + 1) / 6

    here = mx.take(present, edges.targets, axis=1)
    whole = mx.array((n + 1).astype(np.int64))
    own = mx.take(signed, edges.targets, axis=1)
    off_centre = mx.take(mx.where(present, ranks - whole, 0), edges.targets, axis=1)

    def sums(terms: mx.array) -> mx.array:
        return fx.segment_sums(terms, edges.indptr)

    def kept(weights: mx.array) -> mx.array:
        return sums(mx.where(here, weights, 0))

    def constant(values: np.ndarray) -> Double:
        shape = (len(values), len(edges.indptr) - 1)
        return dd.from_numpy(np.broadcast_to(values, shape))

    half = edges.bits + 1  # ranks are doubled
    shift = dd.multiply(constant(first), fx.from_fixed(kept(edges.directed), edges.bits))
    spread_d = _root(kept(edges.square_d), constant(square - first**2))
    spread_u = _root(kept(edges.square_u), constant(square - centre**2))
    score_d = fx.from_fixed(sums(own * edges.directed), half)
    score_u = fx.from_fixed(sums(off_centre * edges.undirected), half)
    ordered = mx.take(here, edges.order, axis=1)
    best = _best_ranks(ordered, whole - 1, edges)
    best_d = fx.from_fixed(sums(best * edges.best_d), edges.bits)
    doubled = mx.where(ordered, 2 * best - whole, 0)
    best_u = fx.from_fixed(sums(doubled * edges.best_u), half)
    together = dd.multiply(
        fx.from_fixed(kept(edges.product), _SQUARE_BITS), constant(second - first * centre)
    )
    return (
        fx.quotient(dd.subtract(score_d, shift), spread_d),
        fx.quotient(score_u, spread_u),
        fx.quotient(fx.quotient(together, spread_d), spread_u),
        fx.quotient(dd.subtract(best_d, shift), spread_d),
        fx.quotient(dd.subtract(dd.negative(best_d), shift), spread_d),
        fx.quotient(best_u, spread_u),
    )


def _root(squares: mx.array, variance: Double) -> Double:
    return fx.sqrt(dd.multiply(fx.from_fixed(squares, _SQUARE_BITS), variance))


def _best_ranks(ordered: mx.array, largest: mx.array, edges: _Edges) -> mx.array:
    """n, n - 1, ... for the targets that have a value, in their order; 0 for the others."""
    count = mx.cumsum(ordered.astype(mx.int64), axis=1)
    edge = mx.zeros((count.shape[0], 1), dtype=mx.int64)
    before = mx.take(mx.concatenate([edge, count], axis=1), edges.start, axis=1)
    return mx.where(ordered, largest - (count - before - 1), 0)
