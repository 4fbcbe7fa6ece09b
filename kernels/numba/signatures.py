"""Gene signatures, compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ._jit import jit, parallel

_FRACTION_BITS = 44
_HALF_BITS = 22
_HALF_MASK = (1 << 22) - 1
_SMALLEST_EXPONENT = -1021
_NO_SPREAD = 2.0**-26
_LARGEST_SHIFT = 1000
_TILE = 64  # genes or cells of one task


def gene_exponents(values):
    """Smallest e with |x| < 2^e for every value of the gene (at least -1021); 0 without values."""
    return _gene_exponents(values)


def gene_sums(values, exponent):
    """Whole-number sums of each gene."""
    shift = _FRACTION_BITS - exponent
    first = np.minimum(shift, _LARGEST_SHIFT)  # two powers of two: one might overflow
    sums = _gene_sums(values, np.ldexp(1.0, first), np.ldexp(1.0, shift - first))
    return sums[0], sums[1], sums[2], sums[3], sums[4]


def gene_medians(values):
    """Median and median absolute deviation of each gene, missing values left out."""
    return _gene_medians(values)


def standardise(values, centre, scale, bits):
    """(value - centre) / scale, rounded to `bits` significant bits."""
    return _standardise(values, centre, scale, bits)


def leave_one_out_t(values, count, mean, spread, bits):
    """One-sample t of each value's differences from the gene's other values."""
    return _leave_one_out_t(values, count, mean, spread, bits)


@parallel
def _gene_exponents(values):
    cells, genes = values.shape
    result = np.zeros(genes, np.int32)
    for tile in prange((genes + _TILE - 1) // _TILE):
        start, stop = tile * _TILE, min(genes, (tile + 1) * _TILE)
        largest = np.zeros(_TILE)
        for cell in range(cells):
            for gene in range(start, stop):
                size = abs(values[cell, gene])
                if size > largest[gene - start]:
                    largest[gene - start] = size
        for gene in range(start, stop):
            if largest[gene - start] > 0:
                exponent = math.frexp(largest[gene - start])[1]
                result[gene] = max(exponent, _SMALLEST_EXPONENT)
    return result


@parallel
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
                    high, low = whole >> _HALF_BITS, whole & _HALF_MASK
                    result[0, gene] += 1
                    result[1, gene] += whole
                    result[2, gene] += high * high
                    result[3, gene] += high * low
                    result[4, gene] += low * low
    return result


@parallel
def _gene_medians(values):
    cells, genes = values.shape
    centre = np.empty(genes)
    spread = np.empty(genes)
    for gene in prange(genes):
        column = np.empty(cells)
        n = 0
        for cell in range(cells):
            if values[cell, gene] == values[cell, gene]:
                column[n] = values[cell, gene]
                n += 1
        kept = column[:n]
        if n == 0:
            centre[gene] = np.nan
            spread[gene] = np.nan
        else:
            centre[gene] = _middle(np.sort(kept))
            spread[gene] = _middle(np.sort(np.abs(kept - centre[gene])))
    return centre, spread


@jit
def _middle(ordered):
    """Median of sorted values."""
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


@jit
def _round_bits(value, bits):
    """Keep `bits` significant bits."""
    if bits >= 53 or not np.isfinite(value):
        return value
    mantissa, exponent = math.frexp(value)
    return math.ldexp(np.rint(math.ldexp(mantissa, bits)), exponent - bits)


@parallel
def _standardise(values, centre, scale, bits):
    result = np.empty(values.shape)
    for cell in prange(values.shape[0]):
        for gene in range(values.shape[1]):
            value = (values[cell, gene] - centre[gene]) / scale[gene]
            result[cell, gene] = _round_bits(value, bits)
    return result


@parallel
def _leave_one_out_t(values, count, mean, spread, bits):
    result = np.empty(values.shape)
    for cell in prange(values.shape[0]):
        for gene in range(values.shape[1]):
            others = count[gene] - 1
            deviation = values[cell, gene] - mean[gene]
            difference = deviation * (count[gene] / others)
            squares = spread[gene] - deviation * deviation * (count[gene] / others)
            if squares <= spread[gene] * _NO_SPREAD:
                squares = 0.0
            value = difference / np.sqrt(squares / (others - 1) / others)
            result[cell, gene] = _round_bits(value, bits)
    return result
