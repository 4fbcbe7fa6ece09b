"""Gene signatures on MLX.

Sums over cells use integers from the bits of the float64 values (their order-preserving keys), so
they are exact. Quotients are computed on pairs of float32 (48 bits).
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from .._constants import HALF_BITS, NO_SPREAD, SUM_BITS
from . import _double as dd
from . import _fixed as fx
from ._double import Double

_DOUBLE_BITS = 48


def _constant(value: int) -> mx.array:
    return mx.array(np.array(value, dtype=np.int64))


def _bits(values: mx.array) -> tuple[mx.array, mx.array, mx.array]:
    """Masks of missing and of negative values, and bits of magnitudes, from order keys."""
    missing = values == _constant(np.iinfo(np.int64).max)
    negative = values < 0
    flipped = mx.bitwise_xor(values, _constant(0x7FFFFFFFFFFFFFFF))
    magnitude = mx.bitwise_and(mx.where(negative, flipped, values), _constant(0x7FFFFFFFFFFFFFFF))
    return missing, negative, mx.where(missing, _constant(0), magnitude)


def gene_sums(
    values: mx.array, exponent: mx.array
) -> tuple[mx.array, mx.array, mx.array, mx.array, mx.array]:
    """See the reference; significands are shifted to a common scale and summed in int64."""
    if values.size == 0:
        zero = mx.zeros((values.shape[1],), dtype=mx.int64)
        return zero, zero, zero, zero, zero
    missing, negative, magnitude = _bits(values)
    field = magnitude >> 52
    significand = mx.bitwise_and(magnitude, _constant((1 << 52) - 1))
    significand = significand + mx.where(field > 0, _constant(1 << 52), _constant(0))
    shift = exponent[None].astype(mx.int64) - SUM_BITS + 1075 - mx.maximum(field, 1)
    size = significand >> mx.clip(shift, 0, 63)
    whole = mx.where(negative, -size, size)
    high = whole >> HALF_BITS
    low = mx.bitwise_and(whole, _constant((1 << HALF_BITS) - 1))
    count = mx.sum((missing == False).astype(mx.int64), axis=0)  # noqa: E712 - an array
    return (
        count,
        mx.sum(whole, axis=0),
        mx.sum(high * high, axis=0),
        mx.sum(high * low, axis=0),
        mx.sum(low * low, axis=0),
    )


def gene_medians(values: Double) -> tuple[Double, Double]:
    """See the reference; pairs are sorted as single integers, by blocks of genes."""
    cells, genes = values.hi.shape
    if cells == 0 or genes == 0:
        return fx.nan_double((genes,)), fx.nan_double((genes,))
    parts = []
    for start in range(0, genes, fx.MOST_ROWS):
        part = slice(start, start + fx.MOST_ROWS)
        own = Double(values.hi[:, part], values.lo[:, part])
        centre = _median(own)
        shifted = dd.subtract(own, Double(centre.hi[None], centre.lo[None]))
        sign = mx.where(shifted.hi < 0, -1.0, 1.0)
        parts.append((centre, _median(Double(shifted.hi * sign, shifted.lo * sign))))
        mx.eval(parts[-1])
    found = [
        Double(mx.concatenate([p[i].hi for p in parts]), mx.concatenate([p[i].lo for p in parts]))
        for i in range(2)
    ]
    return found[0], found[1]


def _median(values: Double) -> Double:
    missing = mx.isnan(values.hi)
    count = mx.sum((missing == False).astype(mx.int32), axis=0)  # noqa: E712 - an array
    order = mx.argsort(_sort_keys(values, missing), axis=0)
    last = values.hi.shape[0] - 1

    def at(place: mx.array) -> Double:
        row = mx.take_along_axis(order, mx.clip(place, 0, last)[None], axis=0)
        return Double(
            mx.take_along_axis(values.hi, row, axis=0)[0],
            mx.take_along_axis(values.lo, row, axis=0)[0],
        )

    middle = dd.add(at((count - 1) // 2), at(count // 2))
    return fx.where(count > 0, fx.scaled(middle, -1), fx.nan_double(count.shape))


def _sort_keys(values: Double, missing: mx.array) -> mx.array:
    """Integers in the order of the pairs; missing values last."""
    high, low = (_ordered_bits(part + 0.0) for part in values)
    key = (high << 32) + (low + (1 << 31))
    return mx.where(missing, _constant(np.iinfo(np.int64).max), key)


def _ordered_bits(values: mx.array) -> mx.array:
    bits = values.view(mx.int32)
    return mx.where(bits < 0, mx.bitwise_xor(bits, 0x7FFFFFFF), bits).astype(mx.int64)


def standardise(values: Double, centre: Double, scale: Double, bits: int) -> Double:
    """See the reference, on pairs of float32."""
    if values.hi.size == 0:
        return values
    shifted = dd.subtract(values, Double(centre.hi[None], centre.lo[None]))
    return _round_bits(fx.quotient(shifted, _rows(scale, values.hi.shape)), bits)


def leave_one_out_t(
    values: Double, count: Double, mean: Double, spread: Double, bits: int
) -> Double:
    """See the reference, on pairs of float32; factors of the counts are computed on the host."""
    shape = values.hi.shape
    if values.hi.size == 0:
        return values
    n = dd.to_numpy(count)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = dd.from_numpy(n / (n - 1))
        divisor = dd.from_numpy((n - 2) * (n - 1))
    deviation = dd.subtract(values, _rows(mean, shape))
    difference = dd.multiply(deviation, _rows(ratio, shape))
    total = _rows(spread, shape)
    squares = dd.subtract(total, dd.multiply(deviation, difference))
    nothing = squares.hi <= total.hi * NO_SPREAD
    squares = fx.where(nothing, fx.zero_double(shape), squares)
    error = fx.sqrt(fx.quotient(squares, _rows(divisor, shape)))
    return _round_bits(fx.quotient(difference, error), bits)


def _rows(value: Double, shape: tuple[int, ...]) -> Double:
    return Double(mx.broadcast_to(value.hi[None], shape), mx.broadcast_to(value.lo[None], shape))


def _round_bits(values: Double, bits: int) -> Double:
    """Keep `bits` significant bits (all, if the pair has no more)."""
    if bits >= _DOUBLE_BITS:
        return values
    finite = mx.isfinite(values.hi)
    exponent = fx.exponents(values.hi)
    unit, inverse = fx.power_of_two(exponent - bits), fx.power_of_two(bits - exponent)
    low = mx.round(values.lo * inverse) * unit
    if bits <= 24:
        high = mx.round((values.hi + values.lo) * inverse) * unit
        return Double(mx.where(finite, high, values.hi), mx.zeros(high.shape))
    return Double(values.hi, mx.where(finite, low, 0.0))
