"""Counter-based random numbers: the same 64 bits for (key, index) on every engine."""

from __future__ import annotations

import mlx.core as mx
import numpy as np


def _constant(value: int) -> mx.array:
    """A uint64 via NumPy: MLX raises an error for Python integers of 2^31 or more."""
    return mx.array(np.array(value, dtype=np.uint64))


def hash64(keys: mx.array, index: mx.array) -> mx.array:
    """``mix(keys + (index + 1) * 0x9E3779B97F4A7C15)`` modulo 2^64, SplitMix64's finaliser.

    keys: uint64; index: integers; broadcast against each other. See the reference.
    """
    step = index.astype(mx.uint64) + _constant(1)
    z = keys.astype(mx.uint64) + step * _constant(0x9E3779B97F4A7C15)
    z = (z ^ (z >> _constant(30))) * _constant(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _constant(27))) * _constant(0x94D049BB133111EB)
    return z ^ (z >> _constant(31))
