"""Ranks of the values of each row: one thread per block of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._jit import jit, on_threads, read_only
from ._random import hash64
from ._sorting import MISSING, order_key, rank_row, scratch, sort_places, tie_end

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ordinal_ranks(
    values: NDArray[np.float64], keys: NDArray[np.uint64], descending: bool
) -> NDArray[np.int32]:
    """See the reference. Only equal values are hashed, and sorted again by their hashes."""
    ranks = np.empty(values.shape, dtype=np.int32)
    values, keys = read_only(values), read_only(keys)

    def rank(begin: int, end: int) -> None:
        _ordinal_rows(values, keys, descending, begin, end, ranks)

    on_threads(rank, len(values), _rows_of_part(values))
    return ranks


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """See the reference."""
    ranks = np.empty(values.shape, dtype=np.int32)
    values = read_only(values)

    def rank(begin: int, end: int) -> None:
        _average_rows(values, begin, end, ranks)

    on_threads(rank, len(values), _rows_of_part(values))
    return ranks


def _rows_of_part(values: NDArray[np.float64]) -> int:
    """Rows that are ranked in a tenth of a millisecond or so; they share the working space."""
    return max(1, 8192 // max(values.shape[1], 1))


@jit
def _ordinal_rows(values, keys, descending, begin, end, ranks):
    space = scratch(values.shape[1])
    for gene in range(begin, end):
        _ordinal_row(values[gene], space, keys[gene], descending, ranks[gene])


@jit
def _average_rows(values, begin, end, ranks):
    space = scratch(values.shape[1])
    for row in range(begin, end):
        rank_row(values[row], space, ranks[row])


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
