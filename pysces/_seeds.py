"""Random numbers that depend on their purpose, not on the order in which they are drawn.

Every stream is keyed by a seed and by names (of a gene, of a resample, ...), so results do not
depend on the order of computation, on threads, blocks or workers, or on the order of genes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def key(seed: int, *parts: object) -> int:
    """A 64-bit key of a seed and of names that state its purpose.

    Examples
    --------
    >>> key(0, "ties", 3) == key(0, "ties", 3)
    True
    >>> key(0, "ties", 3) == key(1, "ties", 3)
    False
    """
    text = "\x1f".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def keys(seed: int, names: Iterable[object], *parts: object) -> NDArray[np.uint64]:
    """One key for each name, as uint64 [names]."""
    return np.array([key(seed, *parts, name) for name in names], dtype=np.uint64)


def combine(named: NDArray[np.uint64], part: int) -> NDArray[np.uint64]:
    """Combine keys with one more part (such as a resample) without hashing text.

    The finaliser of SplitMix64 (Steele, Lea, Flood 2014) on the sum of both.
    """
    with np.errstate(over="ignore"):
        z = named + np.uint64(part)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def generator(seed: int, *parts: object) -> np.random.Generator:
    """A separate Philox stream (Salmon et al. 2011) for this seed and these names."""
    return np.random.Generator(np.random.Philox(key=key(seed, *parts)))
