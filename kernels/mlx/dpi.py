"""Data processing inequality: a max-min matrix product over the regulators."""

from __future__ import annotations

import mlx.core as mx

from . import _gpu
from ._max_min import max_min

_BLOCK = 1 << 22  # triangles at a time
_FRACTION_BITS = 30


def dpi(edges: mx.array, between: mx.array, network: mx.array, kept_fraction: int) -> mx.array:
    """See the reference."""
    rows, genes = edges.shape
    if rows == 0 or genes == 0:
        return mx.zeros((rows, genes), dtype=mx.bool_)
    if network.shape[0] == 0:
        return edges > 0
    if _gpu.custom_kernels() is True:
        indirect = _gpu.max_min(between, network)
    else:
        indirect = max_min(between, network)
    kept = (edges > 0) & ~(edges < _discount(indirect, kept_fraction))
    mx.eval(kept)
    return kept


def _discount(mi: mx.array, kept_fraction: int) -> mx.array:
    """``ceil(mi * kept_fraction / 2^30)``, exact although the product may pass 2^63."""
    fraction = mx.array(kept_fraction, dtype=mx.int64)
    bits = mx.array(_FRACTION_BITS, dtype=mx.int64)
    last = mx.array((1 << _FRACTION_BITS) - 1, dtype=mx.int64)
    return (mi >> bits) * fraction + (((mi & last) * fraction + last) >> bits)


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
