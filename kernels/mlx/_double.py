"""Two-float arithmetic: nearly twice the digits of float32, on hardware without float64.

A number is the unevaluated sum of two float32, value = hi + lo with abs(lo) <= ulp(hi) / 2, about
48 bits. Errors are relative to the exact result, u = 2^-24 (Dekker 1971; Joldes, Muller and
Popescu 2017, Tight and rigorous error bounds for basic building blocks of double-word arithmetic).
They hold if nothing overflows (abs < 2^115 in products) or is subnormal: parts
below 1.2e-38 may be flushed to zero. Never compile these with `mx.compile`: a compiler that fuses
a product and a sum breaks them.
"""

from __future__ import annotations

from typing import NamedTuple

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

_SPLITTER = 4097.0  # 2^12 + 1: halves the 24 bits of a float32


class Double(NamedTuple):
    """Value hi + lo, two float32 arrays of one shape."""

    hi: mx.array
    lo: mx.array


def from_numpy(values: NDArray[np.float64]) -> Double:
    """The nearest Double of each float64 (relative error 2^-48). Infinities keep lo = 0.

    >>> to_numpy(from_numpy(np.array([0.1])))[0] - 0.1 < 1e-15
    True
    """
    high = np.asarray(values, dtype=np.float64).astype(np.float32)
    with np.errstate(invalid="ignore"):
        low = np.where(np.isfinite(high), values - high.astype(np.float64), 0.0)
    return Double(mx.array(high), mx.array(low.astype(np.float32)))


def to_numpy(value: Double) -> NDArray[np.float64]:
    """The value as float64, exact."""
    return np.array(value.hi).astype(np.float64) + np.array(value.lo).astype(np.float64)


def from_float(values: mx.array) -> Double:
    """A float32 array as a Double, exact."""
    values = values.astype(mx.float32)
    return Double(values, mx.zeros_like(values))


def from_int(values: mx.array) -> Double:
    """Integers below 2^46 as a Double, exact."""
    high = values.astype(mx.float32)
    low = (values.astype(mx.int64) - high.astype(mx.int64)).astype(mx.float32)
    return Double(high, low)


def two_sum(a: mx.array, b: mx.array) -> Double:
    """Exact sum of two float32 (Knuth)."""
    s = a + b
    b_seen = s - a
    return Double(s, (a - (s - b_seen)) + (b - b_seen))


def two_product(a: mx.array, b: mx.array) -> Double:
    """Exact product of two float32 (Dekker), in operations that need no fused multiply-add."""
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    p = a * b
    error = ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low
    return Double(p, error)


def add(a: Double, b: Double) -> Double:
    """A + b; relative error below 3 u^2 + 13 u^3."""
    s = two_sum(a.hi, b.hi)
    t = two_sum(a.lo, b.lo)
    v = _fast_two_sum(s.hi, s.lo + t.hi)
    return _fast_two_sum(v.hi, t.lo + v.lo)


def negative(a: Double) -> Double:
    """-a, exact."""
    return Double(-a.hi, -a.lo)


def subtract(a: Double, b: Double) -> Double:
    """A - b; relative error as in `add`."""
    return add(a, negative(b))


def multiply(a: Double, b: Double) -> Double:
    """A * b; relative error below 8 u^2."""
    p = two_product(a.hi, b.hi)
    return _fast_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi))


def divide(a: Double, b: Double) -> Double:
    """A / b; relative error below 16 u^2. b must not be 0."""
    first = a.hi / b.hi
    rest = subtract(a, multiply(b, from_float(first)))
    second = rest.hi / b.hi
    rest = subtract(rest, multiply(b, from_float(second)))
    third = rest.hi / b.hi
    q = _fast_two_sum(first, second)
    return add(q, from_float(third))


def sum(a: Double, axis: int) -> Double:
    """Sum along one axis, in a tree: error below 3 u^2 ceil(log2(length)) times the sum of abs."""
    hi, lo = mx.moveaxis(a.hi, axis, 0), mx.moveaxis(a.lo, axis, 0)
    if hi.shape[0] == 0:
        return Double(mx.zeros(hi.shape[1:]), mx.zeros(hi.shape[1:]))
    while (length := hi.shape[0]) > 1:
        half = length // 2
        pairs = add(Double(hi[:half], lo[:half]), Double(hi[half : 2 * half], lo[half : 2 * half]))
        if length % 2:
            pairs = Double(mx.concatenate([pairs.hi, hi[-1:]]), mx.concatenate([pairs.lo, lo[-1:]]))
        hi, lo = pairs
    return Double(hi[0], lo[0])


def _halves(a: mx.array) -> tuple[mx.array, mx.array]:
    """The upper and lower 12 bits of float32 significands (Veltkamp)."""
    c = a * _SPLITTER
    high = c - (c - a)
    return high, a - high


def _fast_two_sum(a: mx.array, b: mx.array) -> Double:
    """Exact sum of two float32, the first not smaller (Dekker)."""
    s = a + b
    return Double(s, b - (s - a))
