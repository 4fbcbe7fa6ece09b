"""Sorting of packed keys: 64-bit words that carry a key above and a position below."""

from __future__ import annotations

import numpy as np

from ._jit import jit

_RUN = 8  # words sorted by a network before merging
_SMALL = 2048  # up to here merging beats the radix sort
_DIGIT = 11  # bits
_UPPER_DIGITS = 3  # tell nearly all values apart; what they leave is sorted run by run


@jit
def position_bits(n):
    """Bits that hold the positions 0..n - 1, at least one."""
    bits = 1
    while (np.int64(1) << bits) < n:
        bits += 1
    return bits


@jit
def sort_words(words, buffer, n, low_bits):
    """Sort the first n words, all different, in place; the low_bits lowest are in order already.

    buffer is as long as words.
    """
    if n <= _SMALL:
        _merge_sort(words, buffer, n)
        return
    first_bit = 64 - _UPPER_DIGITS * _DIGIT
    _radix_sort(words, buffer, n, first_bit)
    begin = 0
    while begin < n:
        top = words[begin] >> np.uint64(first_bit)
        end = begin + 1
        ordered = True
        while end < n and words[end] >> np.uint64(first_bit) == top:
            ordered &= words[end - 1] < words[end]
            end += 1
        if not ordered:
            if end - begin <= _SMALL:
                _merge_sort(words[begin:end], buffer, end - begin)
            else:
                _radix_sort(words[begin:end], buffer, end - begin, low_bits)
        begin = end


@jit
def _merge_sort(words, buffer, n):
    whole = n // _RUN * _RUN
    for begin in range(0, whole, _RUN):
        _sort_eight(words, begin)
    for i in range(whole + 1, n):
        word = words[i]
        j = i
        while j > whole and words[j - 1] > word:
            words[j] = words[j - 1]
            j -= 1
        words[j] = word
    width = _RUN
    source, target = words, buffer
    while width < n:
        for begin in range(0, n, 2 * width):
            if begin + 2 * width <= n:
                _merge_equal(source, target, begin, width)
            else:
                _merge(source, target, begin, min(begin + width, n), n)
        source, target = target, source
        width *= 2
    if (_passes(n) & 1) == 1:
        for i in range(n):
            words[i] = buffer[i]


@jit
def _sort_eight(words, at):
    """Batcher's network of 19 comparisons: no branches."""
    a, b, c, d = words[at], words[at + 1], words[at + 2], words[at + 3]
    e, f, g, h = words[at + 4], words[at + 5], words[at + 6], words[at + 7]
    a, b = min(a, b), max(a, b)
    c, d = min(c, d), max(c, d)
    e, f = min(e, f), max(e, f)
    g, h = min(g, h), max(g, h)
    a, c = min(a, c), max(a, c)
    b, d = min(b, d), max(b, d)
    e, g = min(e, g), max(e, g)
    f, h = min(f, h), max(f, h)
    b, c = min(b, c), max(b, c)
    f, g = min(f, g), max(f, g)
    a, e = min(a, e), max(a, e)
    b, f = min(b, f), max(b, f)
    c, g = min(c, g), max(c, g)
    d, h = min(d, h), max(d, h)
    c, e = min(c, e), max(c, e)
    d, f = min(d, f), max(d, f)
    b, c = min(b, c), max(b, c)
    d, e = min(d, e), max(d, e)
    f, g = min(f, g), max(f, g)
    words[at], words[at + 1], words[at + 2], words[at + 3] = a, b, c, d
    words[at + 4], words[at + 5], words[at + 6], words[at + 7] = e, f, g, h


@jit
def _merge_equal(source, target, begin, width):
    """Merge two neighbouring runs of one width from both ends: two chains of work, no bounds."""
    i, j = begin, begin + width
    i_back, j_back = begin + width - 1, begin + 2 * width - 1
    for k in range(width):
        left, right = source[i], source[j]
        take = np.int64(right < left)
        target[begin + k] = min(left, right)
        j += take
        i += 1 - take
        left, right = source[i_back], source[j_back]
        take = np.int64(right < left)
        target[begin + 2 * width - 1 - k] = max(left, right)
        i_back -= take
        j_back -= 1 - take


@jit
def _passes(n):
    passes = 0
    width = _RUN
    while width < n:
        width *= 2
        passes += 1
    return passes


@jit
def _merge(source, target, begin, middle, end):
    """Merge source[begin:middle] and source[middle:end] without a branch to mispredict."""
    i, j, k = begin, middle, begin
    while i < middle and j < end:
        left, right = source[i], source[j]
        take_right = np.int64(right < left)
        target[k] = min(left, right)
        j += take_right
        i += 1 - take_right
        k += 1
    while i < middle:
        target[k] = source[i]
        i += 1
        k += 1
    while j < end:
        target[k] = source[j]
        j += 1
        k += 1


@jit
def _radix_sort(words, buffer, n, low_bits):
    """Least significant digit first; all histograms in one pass; digits that never vary skipped."""
    digits = (64 - low_bits + _DIGIT - 1) // _DIGIT
    size = 1 << _DIGIT
    mask = np.uint64(size - 1)
    counts = np.zeros((digits, size), dtype=np.int64)
    for i in range(n):
        word = words[i] >> np.uint64(low_bits)
        for d in range(digits):
            counts[d, np.int64((word >> np.uint64(d * _DIGIT)) & mask)] += 1
    source, target = words, buffer
    swapped = False
    for d in range(digits):
        shift = np.uint64(low_bits + d * _DIGIT)
        if counts[d, np.int64((words[0] >> shift) & mask)] == n:
            continue
        place = 0
        for v in range(size):
            count = counts[d, v]
            counts[d, v] = place
            place += count
        for i in range(n):
            word = source[i]
            v = np.int64((word >> shift) & mask)
            target[counts[d, v]] = word
            counts[d, v] += 1
        source, target = target, source
        swapped = not swapped
    if swapped:
        for i in range(n):
            words[i] = buffer[i]
