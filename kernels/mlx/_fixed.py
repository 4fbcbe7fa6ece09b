"""Integer sums over the edges of regulons; square root and safe quotients of Doubles.

A sum of int64 fixed-point terms is exact, regardless of its order or the number of threads; a
Double term (48 bits) is rounded once, at conversion. Constants of the method are computed in
float64 on the host.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from . import _double as dd
from ._double import Double

MOST_ROWS = 1 << 15  # length of an array: CUDA launches at most 65,535 blocks along an axis


def nan_double(shape: tuple[int, ...]) -> Double:
    """Missing values."""
    return Double(mx.full(shape, float("nan")), mx.zeros(shape))


def zero_double(shape: tuple[int, ...]) -> Double:
    """Zeros."""
    return Double(mx.zeros(shape), mx.zeros(shape))


def pick(values: Double, index: mx.array) -> Double:
    """Entries of a table [entries] at an index of any shape."""
    return Double(values.hi[index], values.lo[index])


def columns(values: Double, index: mx.array) -> Double:
    """Some columns of a matrix."""
    return Double(mx.take(values.hi, index, axis=1), mx.take(values.lo, index, axis=1))


def where(condition: mx.array, a: Double, b: Double) -> Double:
    """The first value where the condition holds, else the second."""
    return Double(mx.where(condition, a.hi, b.hi), mx.where(condition, a.lo, b.lo))


def scaled(a: Double, exponent: int) -> Double:
    """Product with a power of two, exact."""
    return Double(a.hi * 2.0**exponent, a.lo * 2.0**exponent)


def to_fixed(a: Double, bits: int) -> mx.array:
    """The nearest integer to a * 2^bits, int64; abs(a) * 2^bits must stay below 2^62."""
    high = a.hi * 2.0**bits
    whole = mx.floor(high)
    return whole.astype(mx.int64) + mx.round((high - whole) + a.lo * 2.0**bits).astype(mx.int64)


def from_fixed(a: mx.array, bits: int) -> Double:
    """A fixed-point number divided by 2^bits, to 48 bits."""
    high = a.astype(mx.float32)
    low = (a - high.astype(mx.int64)).astype(mx.float32)
    return scaled(dd.two_sum(high, low), -bits)


def quotient(a: Double, b: Double) -> Double:
    """Quotient with the infinities and NaN of IEEE division by 0."""
    safe = (b.hi != 0) & mx.isfinite(a.hi) & mx.isfinite(b.hi)
    one = Double(mx.ones(b.hi.shape), mx.zeros(b.hi.shape))
    top = where(safe, a, zero_double(a.hi.shape)) if a.hi.shape == safe.shape else a
    good = dd.divide(top, where(b.hi != 0, b, one))
    return Double(mx.where(safe, good.hi, a.hi / b.hi), mx.where(safe, good.lo, 0.0))


def sqrt(a: Double) -> Double:
    """Square root: one Newton step from that of float32; 0 of 0, NaN of negative numbers."""
    root = mx.sqrt(a.hi)
    safe = mx.where(root > 0, root, 1.0)
    rest = dd.subtract(a, dd.two_product(root, root))
    better = dd.two_sum(root, rest.hi / (2 * safe))
    return Double(mx.where(root > 0, better.hi, root), mx.where(root > 0, better.lo, 0.0))


def segment_sums(terms: mx.array, indptr: mx.array) -> mx.array:
    """Sums of int64 terms [..., edges] over each regulon's edges [..., regulons]."""
    edge = mx.zeros((*terms.shape[:-1], 1), dtype=mx.int64)
    running = mx.concatenate([edge, mx.cumsum(terms, axis=-1)], axis=-1)
    return mx.take(running, indptr[1:], axis=-1) - mx.take(running, indptr[:-1], axis=-1)


def owners(indptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """Regulon of each edge."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def largest_of(values: NDArray[np.float64], indptr: NDArray[np.int64]) -> NDArray[np.float64]:
    """Largest value of each regulon's edges (0 without edges), on the host."""
    largest = np.zeros(len(indptr) - 1)
    np.maximum.at(largest, owners(indptr), values)
    return largest


def normalised(likelihood: Double, indptr: NDArray[np.int64]) -> NDArray[np.float64]:
    """Likelihoods divided by the largest of their regulon, on the host."""
    values = dd.to_numpy(likelihood)
    largest = largest_of(values, indptr)
    return values / np.where(largest > 0, largest, 1.0)[owners(indptr)]


def row_exponents(values: mx.array) -> mx.array:
    """Powers of two that scale each row [rows columns] to at most 1, int32 [rows 1]."""
    size = mx.max(mx.abs(values), axis=1, keepdims=True)
    return exponents(size)


def exponents(values: mx.array) -> mx.array:
    """The e with abs(value) < 2^e, from the bits of float32 (0 gives -126)."""
    field = (mx.abs(values).view(mx.int32) >> 23) & 255
    return mx.maximum(field - 126, -126)


def power_of_two(exponent: mx.array) -> mx.array:
    """2^exponent as float32, for -126 ... 127."""
    return ((mx.clip(exponent, -126, 127) + 127) << 23).astype(mx.int32).view(mx.float32)
