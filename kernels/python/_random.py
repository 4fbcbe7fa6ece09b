"""Counter-based random numbers: the same 64 bits for (key, index) on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WEYL = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)


def hash64(keys: NDArray[np.uint64], index: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Hash of each (key, index): ``mix(key + (index + 1) * 0x9E3779B97F4A7C15)`` modulo 2^64.

    `mix` is the finaliser of SplitMix64 (Steele, Lea, Flood 2014, Fast splittable pseudorandom
    number generators). The arguments are broadcast against each other.

    >>> int(hash64(np.uint64(0), np.int64(0)))
    16294208416658607535
    """
    keys = np.asarray(keys, dtype=np.uint64)
    step = np.asarray(index).astype(np.uint64)
    with np.errstate(over="ignore"):  # wrap-around is intended
        z = keys + (step + np.uint64(1)) * _WEYL
        z = (z ^ (z >> np.uint64(30))) * _MULTIPLIER_1
        z = (z ^ (z >> np.uint64(27))) * _MULTIPLIER_2
    return z ^ (z >> np.uint64(31))
