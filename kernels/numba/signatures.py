"""Gene signatures, compiled."""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import prange

from .._constants import HALF_BITS, LARGEST_COUNT, NO_SPREAD, SMALL, SUM_BITS
from .._largest import largest_of
from ._jit import jit, on_threads, parallel_from, read_only

_HALF_MASK = (1 << HALF_BITS) - 1
_LARGEST_SHIFT = 1000
_TILE = 64  # genes or cells of one task
_SUMMED = 64  # fewest cells of a task of sparse sums, whose sums are added at its end
_COUNTED = 256  # the same of counts, of which a task has more sums
_LINE = 8  # values of a cache line
_PART = 1 << 15  # values of a task
_ROUNDS = 60  # partitions of a selection; about 1.4 log2(n) on average
# Bits of float64 as integers: mask of the magnitude, smallest normal number, 2^1023, infinity
_SIZE, _NORMAL, _HUGE, _INFINITE = 2**63 - 1, 1 << 52, 2046 << 52, 2047 << 52


def gene_sums(values, exponent):
    """Integer sums of each gene."""
    shift = SUM_BITS - exponent
    first = np.minimum(shift, _LARGEST_SHIFT)  # two powers of two: one might overflow
    sums = _gene_sums(values, np.ldexp(1.0, first), np.ldexp(1.0, shift - first))
    return sums[0], sums[1], sums[2], sums[3], sums[4]


@parallel_from(1 << 19)
def _gene_sums(values, scale, more):
    cells, genes = values.shape
    result = np.zeros((5, genes), np.int64)
    for tile in prange((genes + _TILE - 1) // _TILE):
        start, stop = tile * _TILE, min(genes, (tile + 1) * _TILE)
        for cell in range(cells):
            for gene in range(start, stop):
                x = values[cell, gene]
                if x == x:
                    whole = np.int64(x * scale[gene] * more[gene])
                    high, low = whole >> HALF_BITS, whole & _HALF_MASK
                    result[0, gene] += 1
                    result[1, gene] += whole
                    result[2, gene] += high * high
                    result[3, gene] += high * low
                    result[4, gene] += low * low
    return result


def sparse_gene_sums(start, stop, gene, value, exponent):
    """Integer sums of each gene of sparse cells; a task has its own sums."""
    shift = SUM_BITS - exponent
    first = np.minimum(shift, _LARGEST_SHIFT)
    scale = read_only(np.stack([np.ldexp(1.0, first), np.ldexp(1.0, shift - first)], axis=1))
    rows = tuple(map(read_only, (start, stop, gene, value)))
    parts = [np.zeros((len(exponent), 5), np.int64)]

    def work(begin: int, end: int) -> None:
        sums = np.zeros_like(parts[0])
        _sparse_gene_sums(rows, scale, begin, end, sums)
        parts.append(sums)

    on_threads(work, len(start), _SUMMED)
    missing, *sums = sum(parts).T
    return len(start) - missing, *sums


@jit
def _sparse_gene_sums(rows, scale, begin, end, sums):
    start, stop, gene, value = rows
    for cell in range(begin, end):
        for i in range(start[cell], stop[cell]):
            own, x = gene[i], value[i]
            if own < 0:
                continue
            if x != x:
                sums[own, 0] += 1
                continue
            whole = np.int64(x * scale[own, 0] * scale[own, 1])
            high, low = whole >> HALF_BITS, whole & _HALF_MASK
            sums[own, 1] += whole
            sums[own, 2] += high * high
            sums[own, 3] += high * low
            sums[own, 4] += low * low


def sparse_gene_range(start, stop, gene, value, n_genes):
    """Largest -x and x of each gene; a task has its own."""
    rows = tuple(map(read_only, (start, stop, gene, value)))
    parts = [(np.full((n_genes, 2), -np.inf), np.zeros(n_genes, np.int64))]

    def work(begin: int, end: int) -> None:
        largest, stored = np.full((n_genes, 2), -np.inf), np.zeros(n_genes, np.int64)
        _sparse_gene_range(rows, begin, end, largest, stored)
        parts.append((largest, stored))

    on_threads(work, len(start), _SUMMED)
    largest, stored = (list(some) for some in zip(*parts, strict=True))
    found = np.maximum.reduce(largest)
    zero = sum(stored) < len(start)
    found[zero] = np.maximum(found[zero], 0.0)
    return found[:, 0] + 0.0, found[:, 1] + 0.0  # not -0.0


@jit
def _sparse_gene_range(rows, begin, end, largest, stored):
    start, stop, gene, value = rows
    for cell in range(begin, end):
        for i in range(start[cell], stop[cell]):
            own, x = gene[i], value[i]
            if own < 0:
                continue
            stored[own] += 1
            if -x > largest[own, 0]:
                largest[own, 0] = -x
            if x > largest[own, 1]:
                largest[own, 1] = x


def largest_counts(start, stop, gene, count, depth, n_genes, number):
    """Largest counts per depth of each gene, ascending; a task has its own."""
    rows = tuple(map(read_only, (start, stop, gene, count)))
    known = read_only(np.where(depth > 0, depth, 1.0))
    parts = [np.zeros((n_genes, number))]

    def work(begin: int, end: int) -> None:
        largest = np.zeros((n_genes, number))
        _largest_counts(rows, known, begin, end, largest)
        parts.append(largest)

    on_threads(work, len(start), _COUNTED)
    return functools.reduce(largest_of, parts)


@jit
def _largest_counts(rows, depth, begin, end, largest):
    start, stop, gene, count = rows
    number = largest.shape[1]
    for cell in range(begin, end):
        for i in range(start[cell], stop[cell]):
            own = gene[i]
            if own < 0:
                continue
            ratio = count[i] / depth[cell]
            if ratio <= largest[own, 0]:
                continue
            at = 0
            while at + 1 < number and largest[own, at + 1] < ratio:
                largest[own, at] = largest[own, at + 1]
                at += 1
            largest[own, at] = ratio


def count_sums(start, stop, gene, count, depth, bin, n_bins, bound):
    """Sums by bin and numbers of small counts; a task has its own."""
    rows = tuple(map(read_only, (start, stop, gene, count)))
    cells = tuple(map(read_only, (depth, bin)))
    bounds = read_only(bound)
    parts = [_no_counts(len(bound), n_bins)]

    def work(begin: int, end: int) -> None:
        sums = _no_counts(len(bound), n_bins)
        _count_sums(rows, cells, bounds, begin, end, *sums)
        parts.append(sums)

    on_threads(work, len(start), _COUNTED)
    return tuple(map(sum, zip(*parts, strict=True)))


def _no_counts(genes, n_bins):
    shapes = (n_bins, genes), (SMALL, genes), (2,)
    return tuple(np.zeros(shape, np.int64) for shape in shapes)


@jit
def _count_sums(rows, cells, bound, begin, end, total, small, wrong):
    start, stop, gene, count = rows
    depth, bins = cells
    for cell in range(begin, end):
        sums, empty = total[bins[cell]], depth[cell] <= 0
        for i in range(start[cell], stop[cell]):
            of, y = gene[i], count[i]
            if of < 0:
                continue
            wrong[1] += empty and y != 0
            if not (0 <= y <= LARGEST_COUNT) or y != math.floor(y):
                wrong[0] += 1
                continue
            most = bound[of] * depth[cell]
            if y > most:
                y = max(np.floor(most), 1.0)
            whole = np.int64(y)
            sums[of] += whole
            if whole < SMALL:
                small[whole, of] += 1


@parallel_from(1 << 16)
def gene_medians(values):
    """Median and median absolute deviation of each gene, missing values left out."""
    cells, genes = values.shape
    centre = np.empty(genes)
    spread = np.empty(genes)
    for tile in prange((genes + _LINE - 1) // _LINE):
        start, stop = tile * _LINE, min(genes, (tile + 1) * _LINE)
        columns = np.empty((_LINE, cells))
        count = np.zeros(_LINE, np.int64)
        for cell in range(cells):
            for gene in range(start, stop):
                x = values[cell, gene]
                columns[gene - start, count[gene - start]] = x
                count[gene - start] += x == x  # a missing value is overwritten by the next
        for gene in range(start, stop):
            kept = columns[gene - start, : count[gene - start]]
            middle = _median(kept)
            n = 0
            for x in kept:
                kept[n] = abs(x - middle)
                n += kept[n] == kept[n]
            centre[gene], spread[gene] = middle, _median(kept[:n])
    return centre, spread


@jit
def _median(values):
    """Median of some values, which are reordered; NaN without values."""
    n = len(values)
    if n == 0:
        return np.nan
    upper = _select(values, n // 2)
    lower = upper
    if n % 2 == 0:
        lower = values[0]
        for i in range(1, n // 2):
            lower = max(lower, values[i])
    return (lower + upper) / 2


@jit
def _select(values, k):
    """The k-th smallest value; partitions the values in place, smaller ones first."""
    low, high = 0, len(values)
    for _ in range(_ROUNDS):
        if high - low < 2:
            return values[k]
        first, middle, last = values[low], values[(low + high) // 2], values[high - 1]
        pivot = max(min(first, middle), min(max(first, middle), last))
        # Branchless: mispredicted comparisons cost more than swaps.
        split = low
        for i in range(low, high):
            x = values[i]
            values[i] = values[split]
            values[split] = x
            split += x < pivot
        if k < split:
            high = split
            continue
        low = split
        for i in range(split, high):
            x = values[i]
            values[i] = values[low]
            values[low] = x
            low += x <= pivot
        if k < low:
            return pivot
    values[low:high].sort()  # the pivots were repeatedly bad: sort instead
    return values[k]


@jit
def _round_bits(value, bits):
    """Keep `bits` significant bits."""
    if bits >= 53 or not np.isfinite(value):
        return value
    mantissa, exponent = math.frexp(value)
    return math.ldexp(np.rint(math.ldexp(mantissa, bits)), exponent - bits)


@parallel_from(1 << 19)
def standardise(values, centre, scale, bits):
    """(value - centre) / scale, rounded to `bits` significant bits."""
    cells, genes = values.shape
    result = np.empty(values.shape)
    parts = (genes + _PART - 1) // _PART
    for task in prange(cells * parts):
        cell, begin = task // parts, task % parts * _PART
        row = result[cell, begin : begin + _PART]
        for i in range(len(row)):
            gene = begin + i
            row[i] = (values[cell, gene] - centre[gene]) / scale[gene]
        _round_row(row, bits)
    return result


def sparse_standardise(gene, value, centre, scale, bits):
    """Standardised values of given genes, by parts."""
    result = np.empty(len(value))
    given = tuple(map(read_only, (gene, value, np.stack([centre, scale], axis=1))))

    def work(begin: int, end: int) -> None:
        _sparse_standardise(given, bits, begin, end, result)

    on_threads(work, len(value), _PART)
    return result


@jit
def _sparse_standardise(given, bits, begin, end, result):
    gene, value, scales = given
    for i in range(begin, end):
        own = gene[i]
        result[i] = (value[i] - scales[own, 0]) / scales[own, 1] if own >= 0 else 0.0
    _round_row(result[begin:end], bits)


@jit
def _round_row(row, bits):
    """Keep `bits` significant bits of each value."""
    if bits >= 53:
        return
    one, dropped = np.int64(1), np.int64(53 - bits)
    half, mask = (one << (dropped - 1)) - 1, -(one << dropped)
    leading = np.int64(bits == 1)  # the leading digit is implicit: it is always 1
    words = row.view(np.int64)
    odd = False
    for i in range(len(words)):
        word = words[i]
        size = word & _SIZE
        usual = (size >= _NORMAL) & (size < _HUGE)
        # Round half to even, as rint does with the scaled mantissa.
        rounded = (word + half + ((word >> dropped) & one | leading)) & mask
        words[i] = rounded if usual else word
        odd |= (not usual) & (size > 0) & (size < _INFINITE)
    if odd:
        for i in range(len(row)):
            size = words[i] & _SIZE
            if size < _NORMAL or size >= _HUGE:
                row[i] = _round_bits(row[i], bits)


@parallel_from(1 << 19)
def leave_one_out_t(values, count, mean, spread, bits):
    """One-sample t of each value's differences from the gene's other values."""
    result = np.empty(values.shape)
    for cell in prange(values.shape[0]):
        for gene in range(values.shape[1]):
            others = count[gene] - 1
            deviation = values[cell, gene] - mean[gene]
            difference = deviation * (count[gene] / others)
            squares = spread[gene] - deviation * deviation * (count[gene] / others)
            if squares <= spread[gene] * NO_SPREAD:
                squares = 0.0
            result[cell, gene] = difference / np.sqrt(squares / (others - 1) / others)
        _round_row(result[cell], bits)
    return result
