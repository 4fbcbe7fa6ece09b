"""Rank rows of a sparse matrix: sort what is stored, and merge it with the presorted other values.

A gene has the same value, ``zero[gene]``, in every row that does not store one. `presorted` sorts
these values once; genes are then known by their *place* in that order (missing values last), so
that a row is merged by one sequential pass over places.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit
from ._sorting import MISSING, order_key, scratch, sort_places, sort_row, tie_end


@jit
def presorted(zero):
    """Place of each gene; keys and first places of the ties; places with a value come first.

    The first place after the last tie is the number of genes that have a value.
    """
    genes = len(zero)
    space = scratch(genes)
    keys, words, _, _, mask = space
    n = sort_row(zero, space)
    place = np.empty(genes, np.int32)
    tie_keys, first = np.empty(n, np.uint64), np.empty(n + 1, np.int32)
    ties = start = 0
    while start < n:
        stop = tie_end(space, start, n)
        gene = np.int64(words[start] & mask)
        tie_keys[ties], first[ties] = keys[gene], start
        for i in range(start, stop):
            place[np.int64(words[i] & mask)] = i
        ties += 1
        start = stop
    first[ties] = n
    missing = n
    for gene in range(genes):
        if zero[gene] != zero[gene]:
            place[gene] = missing
            missing += 1
    return place, tie_keys[:ties], first[: ties + 1]


@jit
def sparse_scratch(genes, most):
    """Working space for rows with up to `most` stored values, which `rank_sparse_row` reuses."""
    return (
        np.ones(genes, np.uint8),  # whether the value of a place is that of `zero`
        np.empty(most, np.int32),  # places of the stored values
        np.empty(most + 1, np.uint64),  # their keys in order
        np.empty(most, np.int32),  # and their ranks
        scratch(most),
    )


@jit
def rank_sparse_row(gene, value, order, space, ranks):
    """Twice the average rank of each place (0 for NaN), as `rank_row`.

    Returns the number that are not NaN, and whether the same places are NaN as in `zero`.

    gene, value: what the row stores; genes below 0 are skipped. order: from `presorted`.
    """
    place, tie_keys, first = order
    kept, places, ordered, own, sorting = space
    keys, words, _, _, mask = sorting
    bits = value.view(np.uint64)
    ties = len(tie_keys)
    present = np.int64(first[ties])
    smallest, largest = MISSING, np.uint64(0)
    stored = n = 0
    alike = True
    for i in range(len(gene)):
        if gene[i] < 0:
            continue
        key = order_key(bits[i])
        keys[stored], places[stored] = key, place[gene[i]]
        kept[places[stored]] = 0
        alike &= (key == MISSING) == (places[stored] >= present)
        stored += 1
        if key != MISSING:
            words[n] = np.uint64(stored - 1)
            smallest, largest = min(smallest, key), max(largest, key)
            n += 1
    sort_places(sorting, n, smallest, largest)
    for i in range(n):
        ordered[i] = keys[np.int64(words[i] & mask)]
    ordered[n] = MISSING
    below = j = 0  # kept and stored values below the present tie
    following = ordered[0]
    for tie in range(ties):
        key = tie_keys[tie]
        while following < key:
            j = _rank_equal(ordered, own, j, below)
            following = ordered[j]
        start, stop = first[tie], first[tie + 1]
        if stop - start == 1 and following != key:
            ranks[start] = 2 * (below + j) + 2
            below += kept[start]
            continue
        equal = 0
        for p in range(start, stop):
            equal += kept[p]
        end = j
        while end < n and ordered[end] == key:
            end += 1
        rank = 2 * (below + j) + equal + end - j + 1
        ranks[start:stop] = rank
        own[j:end] = rank
        below += equal
        j = end
        following = ordered[j]
    while j < n:
        j = _rank_equal(ordered, own, j, below)
    ranks[present:] = 0
    for i in range(stored):
        ranks[places[i]] = 0
        kept[places[i]] = 1
    for i in range(n):
        ranks[places[np.int64(words[i] & mask)]] = own[i]
    return below + n, alike


@jit
def _rank_equal(ordered, own, j, below):
    """Rank the stored values equal to the j-th, above `below` others; returns their end."""
    end = j + 1
    while ordered[end] == ordered[j]:
        end += 1
    for i in range(j, end):
        own[i] = 2 * below + j + end + 1
    return end
