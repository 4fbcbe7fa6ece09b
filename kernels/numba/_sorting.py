"""Sort one row of float64 values in time nearly proportional to its length.

A value is converted to a *key*, an integer in the order of the values. The sort operates on *words*
of 64 bits: the low bits are the position of a value in its row, the others the upper bits of its
key. So words are compared without access to the keys, and equal keys are in the order of their
positions. There are three steps:

1. `sort_places` creates and sorts the words. Up to 200 are sorted by merging runs of eight, which a
   branchless network sorts. More are sorted by two passes of a radix sort over the 16 to 24 bits in
   which the keys of the row differ; the remaining words that are out of order are inserted if they
   are few, else all words are merged.
2. Words whose keys differ only in the low bits, which do not fit into a word, are sorted by these
   (`_settle`).
3. Callers iterate over the groups of equal keys (ties): `tie_end` returns the end of a group.

If ties must be in random order, the words of a tie are sorted again by hashes (ranks.py). `scratch`
allocates the working space, which is reused for many rows.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit

ZERO = np.uint64(1 << 63)  # the key of 0.0; also the bits of -0.0, the sign alone
MISSING = np.uint64(0xFFFFFFFFFFFFFFFF)  # the key of NaN
_INFINITY = np.uint64(0x7FF0000000000000)
_ONE = np.uint64(1)
_RUN = 8  # words sorted by a network before merging
_MERGED = 200  # words up to which merging beats the radix sort
_LONGEST_DIGIT = 12  # bits of a pass of the radix sort
_MOVES = 8  # average moves per word: with more, insertion is slower than merging


@jit
def scratch(n):
    """Working space for rows of up to n values: keys, words, a second array of words, counts, mask.

    The mask covers the low bits of a word, which hold the positions 0 ... n - 1.
    """
    mask = np.uint64(1)
    while mask + _ONE < np.uint64(n):
        mask = mask + mask + _ONE
    return (
        np.empty(n, np.uint64),
        np.empty(n, np.uint64),
        np.empty(n, np.uint64),
        np.empty(2 << _LONGEST_DIGIT if n > _MERGED else 0, np.int32),
        mask,
    )


@jit
def order_key(bits):
    """An integer in the order of the float64 with these bits; `MISSING`, the largest, for NaN.

    0.0 and -0.0 have the key `ZERO`. Branchless, since signs are hard to predict.
    """
    bits = np.uint64(0) if bits == ZERO else bits
    key = bits ^ (np.uint64(np.int64(bits) >> np.int64(63)) | ZERO)
    return MISSING if (bits & ~ZERO) > _INFINITY else key


@jit
def sort_row(values, space):
    """Sort the positions of a row by value, then position; returns the number that are not NaN.

    Afterwards ``words[i] & mask`` is the position of the i-th smallest value, with the words and
    the mask of the working space. `tie_end` finds the ends of ties.
    """
    keys, words = space[0], space[1]
    bits = values.view(np.uint64)
    smallest, largest = MISSING, np.uint64(0)
    n = 0
    for i in range(len(values)):
        key = order_key(bits[i])
        keys[i] = key
        words[n] = np.uint64(i)  # a missing value is overwritten by the next
        smallest = min(smallest, key)
        largest = max(largest, np.uint64(0) if key == MISSING else key)
        n += key != MISSING
    sort_places(space, n, smallest, largest)
    return n


@jit
def tie_end(space, start, n):
    """End of the group of equal keys that begins at `start` of n sorted words."""
    keys, words, _, _, mask = space
    stop = start + 1
    if stop < n and (words[stop] ^ words[start]) <= mask:
        key = keys[np.int64(words[start] & mask)]
        while stop < n and keys[np.int64(words[stop] & mask)] == key:
            stop += 1
    return stop


@jit
def sort_places(space, n, smallest, largest):
    """Sort the first n words, which are ascending positions, by the keys of their positions.

    smallest, largest: bounds of the keys; tight bounds are faster.
    """
    keys, words, buffer, counts, mask = space
    for i in range(n):
        place = words[i]
        words[i] = (keys[np.int64(place)] & ~mask) | place
    if n <= _MERGED:
        _merge_sort(words, buffer, n)
    else:
        _radix_sort(words, buffer, counts, n, smallest & ~mask, largest | mask)
    agree = False
    for i in range(1, n):
        agree |= (words[i] ^ words[i - 1]) <= mask
    if agree:
        _settle(keys, words, buffer, n, mask)


@jit
def _settle(keys, words, buffer, n, mask):
    """Sort words with equal upper key bits by the lower bits, which do not fit into a word."""
    begin = 0
    while begin < n:
        first = keys[np.int64(words[begin] & mask)]
        differ = False
        end = begin + 1
        while end < n and (words[end] ^ words[begin]) <= mask:
            differ |= keys[np.int64(words[end] & mask)] != first
            end += 1
        if differ:
            upper = words[begin] & ~mask
            for i in range(begin, end):
                place = words[i] & mask
                words[i] = (keys[np.int64(place)] & mask) * (mask + _ONE) + place
            _merge_sort(words[begin:end], buffer, end - begin)
            for i in range(begin, end):
                words[i] = upper | (words[i] & mask)
        begin = end


@jit
def _radix_sort(words, buffer, counts, n, smallest, largest):
    """Sort words by the upper bits of their range in two passes, then all bits by insertion."""
    digit = np.uint64(8)
    while np.int64(digit) < _LONGEST_DIGIT and (np.int64(1) << np.int64(digit)) < 2 * n:
        digit += _ONE
    buckets = np.int64(1) << np.int64(digit)
    shift = np.uint64(0)
    while (largest - smallest) >> shift >= _ONE << (digit + digit):
        shift += _ONE
    upper, last = shift + digit, np.uint64(buckets - 1)
    low_counts, high_counts = counts[:buckets], counts[buckets : 2 * buckets]
    counts[: 2 * buckets] = 0
    for i in range(n):
        low_counts[np.int64(((words[i] - smallest) >> shift) & last)] += 1
        high_counts[np.int64((words[i] - smallest) >> upper)] += 1
    _starts(low_counts)
    _starts(high_counts)
    for i in range(n):
        bucket = np.int64(((words[i] - smallest) >> shift) & last)
        buffer[low_counts[bucket]] = words[i]
        low_counts[bucket] += 1
    for i in range(n):
        bucket = np.int64((buffer[i] - smallest) >> upper)
        words[high_counts[bucket]] = buffer[i]
        high_counts[bucket] += 1
    moves = 0
    for i in range(1, n):
        word = words[i]
        j = i
        while j > 0 and words[j - 1] > word:
            words[j] = words[j - 1]
            j -= 1
        words[j] = word
        moves += i - j
        if moves > _MOVES * n:
            _merge_sort(words, buffer, n)
            return


@jit
def _starts(counts):
    """Convert the counts of digits to the positions of their first words."""
    total = 0
    for bucket in range(len(counts)):
        count = counts[bucket]
        counts[bucket] = total
        total += count


@jit
def _insert(words, begin, end):
    """Sort a few words by insertion."""
    for i in range(begin + 1, end):
        word = words[i]
        j = i
        while j > begin and words[j - 1] > word:
            words[j] = words[j - 1]
            j -= 1
        words[j] = word


@jit
def _merge_sort(words, buffer, n):
    """Merge runs of eight, of sixteen, ... from one array into the other and back."""
    whole = n // _RUN * _RUN
    for begin in range(0, whole, _RUN):
        _sort_eight(words, begin)
    _insert(words, whole, n)
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
    """Merge two neighbouring runs of one width from both ends, in two independent chains."""
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
    """Number of passes that merge runs until one is left."""
    passes = 0
    width = _RUN
    while width < n:
        width *= 2
        passes += 1
    return passes


@jit
def _merge(source, target, begin, middle, end):
    """Merge source[begin:middle] and source[middle:end], branchless."""
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
def rank_row(values, space, ranks):
    """Twice the average rank of each value of a row (0 for NaN); returns the number not NaN.

    Zeros are one tie and are not sorted, so sparse rows are fast.
    """
    keys, words, _, _, mask = space
    bits = values.view(np.uint64)
    smallest, largest = MISSING, np.uint64(0)
    n = negative = zeros = 0
    for i in range(len(values)):
        key = order_key(bits[i])
        keys[i] = key
        if key == ZERO:
            zeros += 1
        elif key != MISSING:
            words[n] = np.uint64(i)
            smallest = min(smallest, key)
            largest = max(largest, key)
            negative += key < ZERO
            n += 1
    if n < len(values):
        shared = 2 * negative + zeros + 1
        for i in range(len(values)):
            ranks[i] = shared if keys[i] == ZERO else 0
    sort_places(space, n, smallest, largest)
    begin = 0
    while begin < n:
        end = tie_end(space, begin, n)
        shared = begin + end + 1 + (2 * zeros if begin >= negative else 0)
        for i in range(begin, end):
            ranks[np.int64(words[i] & mask)] = shared
        begin = end
    return n + zeros
