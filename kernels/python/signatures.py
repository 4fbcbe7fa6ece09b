"""Gene signatures, how far a cell is from the others: the reference, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Counts = NDArray[np.int64]

FRACTION_BITS = 44  # of a gene's largest magnitude; 2^18 squares of halves still fit in 63 bits
HALF_BITS = 22
SMALLEST_EXPONENT = -1021  # of a number with all its digits
NO_SPREAD = 2.0**-26  # of a gene's sum of squares: below it the other cells are all alike


def gene_exponents(values: Float) -> NDArray[np.int32]:
    """Smallest e with |x| < 2^e for every value of the gene (at least -1021); 0 without values."""
    magnitude = np.where(np.isnan(values), 0.0, np.abs(values)).max(axis=0, initial=0.0)
    exponent = np.frexp(magnitude)[1]
    return np.where(magnitude > 0, np.maximum(exponent, SMALLEST_EXPONENT), 0).astype(np.int32)


def gene_sums(
    values: Float, exponent: NDArray[np.int32]
) -> tuple[Counts, Counts, Counts, Counts, Counts]:
    """Whole-number sums of each gene: order-free, so that cells may come in any order and block."""
    missing = np.isnan(values)
    scaled = np.trunc(np.ldexp(np.where(missing, 0.0, values), FRACTION_BITS - exponent))
    whole = scaled.astype(np.int64)
    high, low = whole >> HALF_BITS, whole & ((1 << HALF_BITS) - 1)
    return (
        np.sum(~missing, axis=0, dtype=np.int64),
        whole.sum(axis=0),
        (high * high).sum(axis=0),
        (high * low).sum(axis=0),
        (low * low).sum(axis=0),
    )


def gene_medians(values: Float) -> tuple[Float, Float]:
    """Median and median absolute deviation of each gene, missing values left out."""
    centre = _median(values)
    return centre, _median(np.abs(values - centre))


def standardise(values: Float, centre: Float, scale: Float, bits: int) -> Float:
    """(value - centre) / scale, rounded to `bits` significant bits (53: not rounded)."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return _round_bits((values - centre) / scale, bits)


def leave_one_out_t(values: Float, count: Float, mean: Float, spread: Float, bits: int) -> Float:
    """One-sample t of each value's differences from the gene's other values."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        deviation = values - mean
        others = count - 1
        difference = deviation * (count / others)
        squares = spread - deviation * deviation * (count / others)
        squares = np.where(squares <= spread * NO_SPREAD, 0.0, squares)
        return _round_bits(difference / np.sqrt(squares / (others - 1) / others), bits)


def _median(values: Float) -> Float:
    """Median of each column without its NaNs (NaN where nothing is left)."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = np.sum(~np.isnan(values), axis=0)
    if len(values) == 0:
        return np.full(values.shape[1], np.nan)
    upper = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
    lower = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    return np.where(count > 0, (lower + upper) / 2, np.nan)


def _round_bits(values: Float, bits: int) -> Float:
    """Keep `bits` significant bits, so that values equal but for rounding noise become ties."""
    if bits >= 53:
        return values
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)
