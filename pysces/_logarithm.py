"""Natural logarithm that is bit-identical on every processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LN2 = 0.6931471805599453


def log(x: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Natural logarithm of numbers of at least 1, and 0 for 0, as in c ln c of an empty cell.

    Uses sums and products only, which IEEE 754 rounds identically everywhere: the logarithms of
    mathematical libraries differ in the last bit between processors, and tables must not. With x =
    m 2^e and s = (m - 1) / (m + 1), ln x = e ln 2 + 2 (s + s^3 / 3 + s^5 / 5 + ...).

    >>> bool(abs(log(np.array([1000.0])) - np.log(1000.0)).max() < 1e-14)
    True
    """
    mantissa, exponent = np.frexp(np.maximum(x, 1).astype(np.float64))
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = exponent - small
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    series = np.zeros_like(s)
    for odd in range(27, 0, -2):  # |s| < 0.172, so the next term is below 1e-21
        series = series * square + 1.0 / odd
    return exponent * LN2 + 2.0 * s * series
