"""Sorting and ranking one row, in time proportional to its length.

Most rows are told apart by the upper half of their 64-bit keys, so three passes of a radix sort
over 11 bits each do nearly all the work; runs that agree there are sorted by the lower half.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit

_SIGN = np.uint64(0x8000000000000000)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_DIGIT = np.uint64(0x7FF)
_SHORT = 24  # a run that insertion sorts faster than a radix pass


@jit
def scratch(n):
    """Working space for rows of n values: keys, two packed arrays, counts."""
    return (
        np.empty(n, np.uint64),
        np.empty(n, np.uint64),
        np.empty(n, np.uint64),
        np.empty(2048 * 3, np.int64),
    )


@jit
def _radix(packed, other, counts, start, stop):
    """Stable sort of packed[start:stop] by its upper 32 bits; the result is in `packed`."""
    counts[:] = 0
    for i in range(start, stop):
        word = packed[i] >> _HALF
        counts[np.int64(word & _DIGIT)] += 1
        counts[2048 + np.int64((word >> np.uint64(11)) & _DIGIT)] += 1
        counts[4096 + np.int64(word >> np.uint64(22))] += 1
    swapped = False
    for digit in range(3):
        shift = np.uint64(32 + 11 * digit)
        base = 2048 * digit
        source = other if swapped else packed
        target = packed if swapped else other
        first = np.int64((source[start] >> shift) & _DIGIT)
        if counts[base + first] == stop - start:
            continue  # all alike in this digit
        total = start
        for bucket in range(base, base + 2048):
            count = counts[bucket]
            counts[bucket] = total
            total += count
        for i in range(start, stop):
            bucket = base + np.int64((source[i] >> shift) & _DIGIT)
            target[counts[bucket]] = source[i]
            counts[bucket] += 1
        swapped = not swapped
    if swapped:
        packed[start:stop] = other[start:stop]


@jit
def sort_row(values, space):
    """Sort the places of a row by value, equal values by place; returns how many aren't NaN.

    ``space[1][:n] & 0xFFFFFFFF`` are the places in order, ``space[0][place]`` their keys.
    """
    keys, packed, other, counts = space
    bits = values.view(np.uint64)
    n = 0
    for i in range(len(values)):
        if values[i] == values[i]:
            word = bits[i]
            key = ~word if word & _SIGN else word | _SIGN
            keys[i] = key
            packed[n] = (key & ~_LOW) | np.uint64(i)
            n += 1
    if n == 0:
        return n
    if n <= _SHORT:
        _insertion(packed, keys, 0, n)
        return n
    _radix(packed, other, counts, 0, n)
    start = 0
    while start < n:
        upper = packed[start] >> _HALF
        stop = start + 1
        while stop < n and packed[stop] >> _HALF == upper:
            stop += 1
        if stop - start > _SHORT:
            _sort_run(packed, other, counts, keys, start, stop)
        elif stop - start > 1:
            _insertion(packed, keys, start, stop)
        start = stop
    return n


@jit
def _insertion(packed, keys, start, stop):
    """Stable insertion sort of a short run by the full keys."""
    for i in range(start + 1, stop):
        entry = packed[i]
        key = keys[np.int64(entry & _LOW)]
        j = i - 1
        while j >= start and keys[np.int64(packed[j] & _LOW)] > key:
            packed[j + 1] = packed[j]
            j -= 1
        packed[j + 1] = entry


@jit
def _sort_run(packed, other, counts, keys, start, stop):
    """Sort a long run of equal upper halves by the lower halves."""
    first = keys[np.int64(packed[start] & _LOW)]
    alike = True
    for i in range(start, stop):
        place = packed[i] & _LOW
        key = keys[np.int64(place)]
        alike = alike and key == first
        packed[i] = (key << _HALF) | place
    if not alike:
        _radix(packed, other, counts, start, stop)
    for i in range(start, stop):
        packed[i] = (first & ~_LOW) | (packed[i] & _LOW)


@jit
def rank_row(values, space, ranks):
    """Twice the average rank of each value (0 for NaN); returns how many aren't NaN."""
    n = sort_row(values, space)
    keys, packed = space[0], space[1]
    if n < len(values):
        ranks[:] = 0
    start = 0
    while start < n:
        key = keys[np.int64(packed[start] & _LOW)]
        stop = start + 1
        while stop < n and keys[np.int64(packed[stop] & _LOW)] == key:
            stop += 1
        for i in range(start, stop):
            ranks[np.int64(packed[i] & _LOW)] = start + 1 + stop
        start = stop
    return n


@jit
def descend_row(values, space, place, first, last):
    """Places of a row's values by decreasing value; returns how many aren't NaN.

    `place[i]` is where column i goes (ties by column; missing ones last, by column), `first` and
    `last` the ends of the tie that a place belongs to.
    """
    n = sort_row(values, space)
    keys, packed = space[0], space[1]
    start = 0
    while start < n:
        key = keys[np.int64(packed[start] & _LOW)]
        stop = start + 1
        while stop < n and keys[np.int64(packed[stop] & _LOW)] == key:
            stop += 1
        for i in range(start, stop):
            where = n - stop + i - start
            place[np.int64(packed[i] & _LOW)] = where
            first[where] = n - stop
            last[where] = n - start - 1
        start = stop
    where = n
    for i in range(len(values)):
        if values[i] != values[i]:
            place[i] = where
            first[where] = n
            last[where] = len(values) - 1
            where += 1
    return n
