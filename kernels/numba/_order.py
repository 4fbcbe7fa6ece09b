"""Sorting and ranking one row, in time nearly proportional to its length.

A value's 64 bits are turned into a whole number of the same order. The 24 bits that tell the row's
values apart best, those below its range, are sorted by two passes of a radix sort over 12 bits
each; what little is left out of order lies in runs of equal digits, sorted by the whole numbers.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit

_SIGN = np.uint64(0x8000000000000000)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_DIGIT = np.uint64(0xFFF)
_BUCKETS = 4096
_SHORT = 32  # a run that insertion sorts fastest


@jit
def scratch(n):
    """Working space for rows of n values: keys, two packed arrays, counts."""
    return (
        np.empty(n, np.uint64),
        np.empty(n, np.uint64),
        np.empty(n, np.uint64),
        np.empty(_BUCKETS * 2, np.int32),
    )


@jit
def sort_row(values, space):
    """Sort the places of a row by value, equal values by place; returns how many aren't NaN.

    ``space[1][:n] & 0xFFFFFFFF`` are the places in order, ``space[0][place]`` their keys.
    """
    keys, packed, other, counts = space
    bits = values.view(np.uint64)
    n = 0
    smallest, largest = ~np.uint64(0), np.uint64(0)
    for i in range(len(values)):
        if values[i] == values[i]:
            word = bits[i]
            key = ~word if word & _SIGN else word | _SIGN
            keys[i] = key
            smallest = min(smallest, key)
            largest = max(largest, key)
            other[n] = np.uint64(i)
            n += 1
    if n == 0:
        return n
    shift = np.uint64(0)
    span = largest - smallest
    while span >> shift >= np.uint64(1 << 24):
        shift += np.uint64(1)
    counts[:] = 0
    for i in range(n):
        digits = (keys[np.int64(other[i])] - smallest) >> shift
        other[i] |= digits << _HALF
        counts[np.int64(digits & _DIGIT)] += 1
        counts[_BUCKETS + np.int64(digits >> np.uint64(12))] += 1
    _places(counts, 0)
    _places(counts, _BUCKETS)
    for i in range(n):
        bucket = np.int64((other[i] >> _HALF) & _DIGIT)
        packed[counts[bucket]] = other[i]
        counts[bucket] += 1
    for i in range(n):
        bucket = _BUCKETS + np.int64(packed[i] >> np.uint64(44))
        other[counts[bucket]] = packed[i]
        counts[bucket] += 1
    _copy_sorted(other, packed, keys, n, shift > 0)
    return n


@jit
def _places(counts, base):
    """Turn counts of a digit into where its first value goes."""
    total = 0
    for bucket in range(base, base + _BUCKETS):
        count = counts[bucket]
        counts[bucket] = total
        total += count


@jit
def _copy_sorted(source, packed, keys, n, partial):
    """Copy, and sort each run of equal digits by the keys (which digits stand for if not partial).

    Insertion as values come: nothing moves where the digits already differ.
    """
    start = 0
    for i in range(n):
        entry = source[i]
        packed[i] = entry
        if i > 0 and source[i - 1] >> _HALF != entry >> _HALF:
            start = i
        if partial and i - start == _SHORT:
            stop = i + 1
            while stop < n and source[stop] >> _HALF == entry >> _HALF:
                stop += 1
            _sort_run(source, keys, start, stop)
            packed[start : i + 1] = source[start : i + 1]
        elif partial and 0 < i - start < _SHORT:
            key = keys[np.int64(entry & _LOW)]
            j = i - 1
            while j >= start and keys[np.int64(packed[j] & _LOW)] > key:
                packed[j + 1] = packed[j]
                j -= 1
            packed[j + 1] = entry


@jit
def _sort_run(source, keys, start, stop):
    """Sort a long run of equal digits by the keys, equal keys by place."""
    run = np.empty(stop - start, np.uint64)
    alike = True
    for i in range(len(run)):
        run[i] = keys[np.int64(source[start + i] & _LOW)]
        alike = alike and run[i] == run[0]
    if alike:
        return
    # Within a run the entries differ in their places alone, which stand in order.
    entries = source[start:stop].copy()
    order = np.argsort(run, kind="mergesort")
    for i in range(len(run)):
        source[start + i] = entries[order[i]]


@jit
def _tie_end(packed, keys, start, n):
    """End of the group of equal values that begins at a place of the sorted row."""
    stop = start + 1
    if stop < n and packed[stop] >> _HALF == packed[start] >> _HALF:
        key = keys[np.int64(packed[start] & _LOW)]
        while stop < n and keys[np.int64(packed[stop] & _LOW)] == key:
            stop += 1
    return stop


@jit
def rank_row(values, space, ranks):
    """Twice the average rank of each value (0 for NaN); returns how many aren't NaN."""
    n = sort_row(values, space)
    keys, packed = space[0], space[1]
    if n < len(values):
        ranks[:] = 0
    start = 0
    while start < n:
        stop = _tie_end(packed, keys, start, n)
        for i in range(start, stop):
            ranks[np.int64(packed[i] & _LOW)] = start + 1 + stop
        start = stop
    return n


@jit
def score_row(values, space, peak, offset, quantiles, scores):
    """Two-tail and one-tail normal score of each value, side by side (0 for NaN).

    In the order of the ranks, so that the table is read from end to end. Returns how many values
    aren't NaN.
    """
    n = sort_row(values, space)
    keys, packed = space[0], space[1]
    if n < len(values):
        scores[:] = 0.0
    if n == 0:
        return n
    middle = n + 1
    largest = peak
    if peak < 0:
        # The ranks farthest from the middle are those of the first and of the last tie.
        last = keys[np.int64(packed[n - 1] & _LOW)]
        start = n - 1
        while start > 0 and keys[np.int64(packed[start - 1] & _LOW)] == last:
            start -= 1
        largest = max(start + 1 + n - middle, middle - 1 - _tie_end(packed, keys, 0, n))
    start = 0
    while start < n:
        stop = _tie_end(packed, keys, start, n)
        rank = start + 1 + stop
        signed = quantiles[offset + rank]
        unsigned = quantiles[offset + 2 * abs(rank - middle) + middle - largest]
        for i in range(start, stop):
            gene = np.int64(packed[i] & _LOW)
            scores[gene, 0] = signed
            scores[gene, 1] = unsigned
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
        stop = _tie_end(packed, keys, start, n)
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
