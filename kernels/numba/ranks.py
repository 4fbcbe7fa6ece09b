"""Ranks: each row is sorted as packed words, a key above and a position below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import prange

from ._jit import jit, parallel
from ._random import hash64
from ._sorting import position_bits, sort_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGN = np.uint64(1 << 63)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def ordinal_ranks(
    values: NDArray[np.float64], keys: NDArray[np.uint64], descending: bool
) -> NDArray[np.int32]:
    """See the reference. Only equal values are hashed, and sorted again by their hashes."""
    ordered = np.ascontiguousarray(values).view(np.uint64)
    return _ordinal(ordered, keys, bool(descending))


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """See the reference. Zeros are one tie and are not sorted, so sparse rows are cheap."""
    return _average(np.ascontiguousarray(values).view(np.uint64))


@parallel
def _ordinal(values, keys, descending):
    genes, samples = values.shape
    ranks = np.empty((genes, samples), dtype=np.int32)
    rows = max(1, min(64, 16384 // max(samples, 1)))  # several rows share the scratch memory
    for block in prange((genes + rows - 1) // rows):
        key = np.empty(samples, dtype=np.uint64)
        words = np.empty(samples, dtype=np.uint64)
        buffer = np.empty(samples, dtype=np.uint64)
        for gene in range(block * rows, min(block * rows + rows, genes)):
            for s in range(samples):
                key[s] = _order_key(values[gene, s], descending)
            _rank_by_key(key, words, buffer, keys[gene], ranks[gene])
    return ranks


@jit
def _order_key(bits, descending):
    """A uint64 in the order of the float64 with these bits; missing values are last either way."""
    if (bits & ~_SIGN) > np.uint64(0x7FF0000000000000):
        return _ALL
    if bits == _SIGN:
        bits = np.uint64(0)  # -0.0 equals 0.0
    key = ~bits if bits & _SIGN else bits | _SIGN
    return ~key if descending else key


@jit
def _rank_by_key(key, words, buffer, hash_key, ranks):
    """Ordinal ranks of a row: by key, then by hash of the position, then by position."""
    n = key.shape[0]
    bits = position_bits(n)
    low = np.uint64(bits)
    where = (np.uint64(1) << low) - np.uint64(1)
    for s in range(n):
        words[s] = (key[s] & ~where) | np.uint64(s)
    sort_words(words, buffer, n, bits)
    begin = 0
    while begin < n:
        end = _end_of_run(words, begin, n, where)
        if end - begin == 1:
            ranks[words[begin] & where] = end
        else:
            _sort_run(words[begin:end], key, buffer, low, where)
            _rank_run(words, begin, end, key, buffer, hash_key, low, where, ranks)
        begin = end


@jit
def _end_of_run(words, begin, n, where):
    """End of the words from `begin` on whose keys agree in the bits that found room."""
    end = begin + 1
    while end < n and (words[end] ^ words[begin]) <= where:
        end += 1
    return end


@jit
def _sort_run(run, key, buffer, low, where):
    """Sort words that agree in the upper bits of their keys by the bits that found no room."""
    differ = False
    for word in run:
        differ |= key[word & where] != key[run[0] & where]
    if differ:
        top = run[0] & ~where
        for i in range(run.shape[0]):
            s = run[i] & where
            run[i] = ((key[s] & where) << (np.uint64(64) - low)) | s
        sort_words(run, buffer, run.shape[0], 0)
        for i in range(run.shape[0]):
            run[i] = top | (run[i] & where)


@jit
def _rank_run(words, begin, end, key, buffer, hash_key, low, where, ranks):
    """Ranks of a sorted run of words; equal keys are ordered by hash, then position."""
    while begin < end:
        value = key[words[begin] & where]
        stop = begin + 1
        while stop < end and key[words[stop] & where] == value:
            stop += 1
        if stop - begin > 1:
            _order_tie(words[begin:stop], key, buffer, hash_key, low, where)
        for i in range(begin, stop):
            ranks[words[i] & where] = i + 1
        begin = stop


@jit
def _order_tie(tie, key, buffer, hash_key, low, where):
    """Order the positions of equal values by hash, then position. Overwrites their keys."""
    n = tie.shape[0]
    for i in range(n):
        s = tie[i] & where
        key[s] = hash64(hash_key, np.int64(s))
        tie[i] = (key[s] & ~where) | s
    sort_words(tie, buffer, n, np.int64(low))
    begin = 0
    while begin < n:
        end = _end_of_run(tie, begin, n, where)
        if end - begin > 1:
            _sort_run(tie[begin:end], key, buffer, low, where)
        begin = end


@parallel
def _average(values):
    rows, columns = values.shape
    ranks = np.zeros((rows, columns), dtype=np.int32)
    together = max(1, min(64, 16384 // max(columns, 1)))
    for block in prange((rows + together - 1) // together):
        key = np.empty(columns, dtype=np.uint64)
        position = np.empty(columns, dtype=np.int64)
        words = np.empty(columns, dtype=np.uint64)
        buffer = np.empty(columns, dtype=np.uint64)
        for row in range(block * together, min(block * together + together, rows)):
            _average_row(values[row], key, position, words, buffer, ranks[row])
    return ranks


@jit
def _average_row(values, key, position, words, buffer, ranks):
    """Twice the average ranks of one row; `ranks` holds zeros before."""
    zero = _order_key(np.uint64(0), False)
    n = negative = zeros = 0
    for s in range(values.shape[0]):
        k = _order_key(values[s], False)
        if k == zero:
            zeros += 1
        elif k != _ALL:
            key[n] = k
            position[n] = s
            n += 1
            negative += 1 if k < zero else 0
    if zeros > 0:
        shared = np.int32(2 * negative + zeros + 1)
        for s in range(values.shape[0]):
            if values[s] & ~_SIGN == 0:
                ranks[s] = shared
    bits = position_bits(n)
    low = np.uint64(bits)
    where = (np.uint64(1) << low) - np.uint64(1)
    for i in range(n):
        words[i] = (key[i] & ~where) | np.uint64(i)
    sort_words(words, buffer, n, bits)
    begin = 0
    while begin < n:
        end = _end_of_run(words, begin, n, where)
        before = 2 * begin + (2 * zeros if begin >= negative else 0)
        if end - begin == 1:
            ranks[position[words[begin] & where]] = np.int32(before + 2)
        else:
            _sort_run(words[begin:end], key, buffer, low, where)
            _share_ranks(words[begin:end], key, position, before, where, ranks)
        begin = end


@jit
def _share_ranks(run, key, position, before, where, ranks):
    """Twice the average ranks of a sorted run of words; `before` is twice the number below it."""
    begin = 0
    while begin < run.shape[0]:
        value = key[run[begin] & where]
        end = begin + 1
        while end < run.shape[0] and key[run[end] & where] == value:
            end += 1
        shared = np.int32(before + begin + end + 1)
        for i in range(begin, end):
            ranks[position[run[i] & where]] = shared
        begin = end
