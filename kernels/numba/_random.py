"""Counter-based random numbers: the same 64 bits for (key, index) on every engine."""

from __future__ import annotations

import numpy as np

from ._jit import jit

_WEYL = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)


@jit
def hash64(keys, index):
    """``mix(keys + (index + 1) * 0x9E3779B97F4A7C15)`` modulo 2^64, SplitMix64's finaliser.

    keys: uint64, scalar or array. index: an int64 scalar.
    """
    z = keys + (np.uint64(index) + np.uint64(1)) * _WEYL
    z = (z ^ (z >> np.uint64(30))) * _MULTIPLIER_1
    z = (z ^ (z >> np.uint64(27))) * _MULTIPLIER_2
    return z ^ (z >> np.uint64(31))
