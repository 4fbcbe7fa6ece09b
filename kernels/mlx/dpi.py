"""Data processing inequality as a max-min matrix product over the regulators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from .._constants import DISCOUNT_BITS
from . import _arrays, _gpu

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1 << 22  # triangles at a time
_DENSE = 1 << 20  # edges times genes of a dense block


def dpi(edges: mx.array, between: mx.array, network: mx.array, kept_fraction: int) -> mx.array:
    """See the reference."""
    rows, genes = edges.shape
    if rows == 0 or genes == 0:
        return mx.zeros((rows, genes), dtype=mx.bool_)
    if network.shape[0] == 0:
        return edges > 0
    if _gpu.usable("dpi"):
        indirect = _gpu.max_min(between, network)
    else:
        indirect = _arrays.max_min(between, network)
    kept = (edges > 0) & ~(edges < _discount(indirect, kept_fraction))
    mx.eval(kept)
    return kept


def _discount(mi: mx.array, kept_fraction: int) -> mx.array:
    """``ceil(mi * kept_fraction / 2^30)``, exact although the product may exceed 2^63."""
    fraction = mx.array(kept_fraction, dtype=mx.int64)
    bits = mx.array(DISCOUNT_BITS, dtype=mx.int64)
    last = mx.array((1 << DISCOUNT_BITS) - 1, dtype=mx.int64)
    return (mi >> bits) * fraction + (((mi & last) * fraction + last) >> bits)


def prune_edges(
    row: mx.array,
    gene: mx.array,
    mi: mx.array,
    partner: mx.array,
    asked: mx.array,
    n_regulators: int,
    kept_fraction: int,
) -> NDArray[np.bool_]:
    """See the reference. Lists are sorted on the host; a GPU processes all edges in parallel."""
    i, g, value = np.array(row), np.array(gene), np.array(mi)
    of_gene, wanted = np.array(partner), np.array(asked)
    if len(wanted) == 0:
        return np.zeros(0, dtype=np.bool_)
    if _gpu.usable("prune_edges"):
        lists = _gpu.edge_lists(i, g, value, of_gene, wanted, n_regulators)
        return _gpu.prune(lists, kept_fraction)
    kept = np.zeros(len(i), dtype=np.bool_)
    order = np.argsort(g, kind="stable")
    step = max(1, _DENSE // max(1, len(i)))
    between = np.zeros((int(i.max()) + 1, n_regulators), dtype=np.int64)
    legs = of_gene[g] >= 0
    between[i[legs], of_gene[g[legs]]] = value[legs]
    for start in range(0, len(of_gene), step):
        first, last = np.searchsorted(g[order], [start, start + step])
        some = order[first:last]
        if len(some) == 0:
            continue
        network = np.zeros((n_regulators, step), dtype=np.int64)
        real = some[i[some] < n_regulators]
        network[i[real], g[real] - start] = value[real]
        rows, place = np.unique(i[some], return_inverse=True)
        indirect = _arrays.max_min(mx.array(between[rows]), mx.array(network))
        bound = np.array(_discount(indirect, kept_fraction))[place, g[some] - start]
        kept[some] = ~(value[some] < bound)
    return kept[wanted]


def weakest_pairs(between: mx.array, network: mx.array) -> mx.array:
    """See the reference."""
    regulators, genes = network.shape
    if regulators == 0 or genes == 0:
        return mx.zeros((regulators, regulators), dtype=mx.bool_)
    marked = []
    for i in range(regulators):
        row = mx.zeros((regulators,), dtype=mx.bool_)
        step = max(1, _BLOCK // regulators)
        for begin in range(0, genes, step):
            b = network[i : i + 1, begin : begin + step]
            c = network[:, begin : begin + step]
            a = between[i][:, None]
            decides = (b > 0) & (c > 0) & ((mx.minimum(b, c) >= a) | (b == c))
            row = row | (mx.any(decides, axis=1) & (between[i] > 0))
        mx.eval(row)
        marked.append(row)
    return mx.stack(marked)
