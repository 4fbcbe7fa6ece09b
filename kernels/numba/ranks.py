"""Ranks of the values of each row: one thread per block of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import prange

from ._jit import jit, parallel
from ._random import hash64
from ._sorting import MISSING, order_key, rank_row, scratch, sort_places, tie_end

if TYPE_CHECKING:
    from numpy.typing import NDArray


@parallel
def ordinal_ranks(
    values: NDArray[np.float64], keys: NDArray[np.uint64], descending: bool
) -> NDArray[np.int32]:
    """See the reference. Only equal values are hashed and sorted again by their hashes."""
    genes, samples = values.shape
    ranks = np.empty((genes, samples), dtype=np.int32)
    together = _rows_together(samples)
    for block in prange((genes + together - 1) // together):
        space = scratch(samples)
        for gene in range(block * together, min(block * together + together, genes)):
            _ordinal_row(values[gene], space, keys[gene], descending, ranks[gene])
    return ranks


@parallel
def average_ranks(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """See the reference."""
    rows, columns = values.shape
    ranks = np.empty((rows, columns), dtype=np.int32)
    together = _rows_together(columns)
    for block in prange((rows + together - 1) // together):
        space = scratch(columns)
        for row in range(block * together, min(block * together + together, rows)):
            rank_row(values[row], space, ranks[row])
    return ranks


@jit
def _rows_together(columns):
    """Number of rows of one task, which share the working space."""
    return max(1, min(64, 16384 // max(columns, 1)))


@jit
def _ordinal_row(values, space, hash_key, descending, ranks):
    """Ordinal ranks of a row: by value, then by hash of the position, then by position."""
    keys, words, buffer, counts, mask = space
    n = len(values)
    bits = values.view(np.uint64)
    smallest, largest = MISSING, np.uint64(0)
    for i in range(n):
        key = order_key(bits[i])
        key = ~key if descending and key != MISSING else key  # missing values stay last
        keys[i] = key
        words[i] = np.uint64(i)
        smallest = min(smallest, key)
        largest = max(largest, key)
    sort_places(space, n, smallest, largest)
    begin = 0
    while begin < n:
        end = tie_end(space, begin, n)
        if end - begin > 1:
            for i in range(begin, end):
                place = words[i] & mask
                words[i] = place
                keys[np.int64(place)] = hash64(hash_key, np.int64(place))
            tie = (keys, words[begin:end], buffer, counts, mask)
            sort_places(tie, end - begin, np.uint64(0), MISSING)
        for i in range(begin, end):
            ranks[np.int64(words[i] & mask)] = i + 1
        begin = end
