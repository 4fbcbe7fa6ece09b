"""Powers of two as units of genes whose values lie near the ends of what a number can hold.

Squares of values beyond 1e154 overflow, those below 1e-154 vanish, and an engine with 32-bit
numbers has a 1e38 for a 1e308. Scaling by a power of two is exact, so that a score in other units
is the same score. Genes of ordinary size are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORDINARY = 32  # exponents up to this, either way, need no unit
SMALLEST_EXPONENT = -1021  # of a unit: below it numbers have fewer digits


def unit_exponents(largest: NDArray[np.float64]) -> NDArray[np.int32]:
    """Exponent e of the unit 2^e for each largest magnitude; 0 where it is ordinary (or no number).

    >>> unit_exponents(np.array([5.0, 2.0**-600, 0.0, np.nan]))
    array([   0, -599,    0,    0], dtype=int32)
    """
    usable = np.isfinite(largest) & (largest > 0)
    exponent = np.frexp(np.where(usable, largest, 1.0))[1]
    return only_extreme(np.maximum(exponent, SMALLEST_EXPONENT))


def only_extreme(exponent: NDArray[np.integer]) -> NDArray[np.int32]:
    """The exponents that aren't ordinary; 0 instead of the others."""
    return np.where(np.abs(exponent) > _ORDINARY, exponent, 0).astype(np.int32)


def largest_magnitude(*values: NDArray[np.float64], axis: int = 0) -> NDArray[np.float64]:
    """Largest finite magnitude along an axis, of all arrays together; 0 where there is none."""
    found = [np.where(np.isfinite(part), np.abs(part), 0.0) for part in values]
    return np.maximum.reduce([part.max(axis=axis, initial=0.0) for part in found])


def in_units(
    values: NDArray[np.float64], exponent: NDArray[np.int32] | None
) -> NDArray[np.float64]:
    """``values / 2^exponent``: the same array where no unit is needed."""
    if exponent is None or not exponent.any():
        return values
    with np.errstate(over="ignore"):  # far beyond the values that gave the unit
        return np.ldexp(values, -exponent)


def from_units(
    values: NDArray[np.float64], exponent: NDArray[np.int32] | None
) -> NDArray[np.float64]:
    """``values 2^exponent``: undoes :func:`in_units`."""
    return in_units(values, None if exponent is None else -exponent)
