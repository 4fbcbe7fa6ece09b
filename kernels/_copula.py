"""Mutual information of pairs from their exact sums, shared by all engines.

Engines differ in how they compute sums and select pairs. The mutual information is computed here
from the sums, in float64 operations that round identically everywhere, so results are bit-identical
by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pysces._logarithm import log

from ._constants import FRACTION_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

SQUARE_UNIT = 127  # a squared score is round(score^2 / 127)
_LARGEST_SHARE = 1.0 - 2.0**-40  # R^2 of identical genes: 13.86 nats


class Moments(NamedTuple):
    """Moments of a gene: spreads n sum(h^2) - (sum h)^2, and sums of scores, int64.

    first_sum, first_spread: for h1. second_sum, second_spread: for h2 (None for degree 1).
    """

    first_sum: NDArray[np.int64]
    first_spread: NDArray[np.int64]
    second_sum: NDArray[np.int64] | None
    second_spread: NDArray[np.int64] | None

    def at(self, places: NDArray[np.integer] | slice) -> Moments:
        """The moments of some genes."""
        return Moments(*(None if part is None else part[places] for part in self))


def moments(scores: NDArray[np.int8], weights: NDArray[np.uint8], degree: int) -> Moments:
    """Compute moments over the chosen samples.

    scores: genes x terms x samples. weights: multiplicity of each sample.
    """
    chosen = np.flatnonzero(weights)
    times = weights[chosen].astype(np.int64)
    n = int(times.sum())
    found: list[NDArray[np.int64] | None] = []
    for term in range(degree):
        values = scores[:, term, chosen]
        # float32 sums over blocks of a thousand samples would be exact too, but int64 is simpler.
        total = np.zeros(len(scores), dtype=np.int64)
        square = np.zeros(len(scores), dtype=np.int64)
        for start in range(0, len(scores), 1024):
            block = values[start : start + 1024].astype(np.float64)
            weighted = block * times
            total[start : start + 1024] = weighted.sum(axis=1)
            square[start : start + 1024] = np.einsum("ij,ij->i", weighted, block)
        found += [total, n * square - total * total]
    found += [None, None] * (2 - degree)
    return Moments(*found)


def share_of(mutual_information: int) -> float:
    """The share of variance R^2 that corresponds to a mutual information (fixed point)."""
    return float(-np.expm1(-2.0 * mutual_information / 2.0**FRACTION_BITS))


def screen_terms(
    of: Moments, usable: NDArray[np.bool_], n: int, degree: int
) -> NDArray[np.float32]:
    """Mean and sqrt(n / spread) of each score (0 without spread), 2 degree x genes."""
    terms = np.zeros((2 * degree, len(usable)), dtype=np.float64)
    for term in range(degree):
        total, spread = of[2 * term], of[2 * term + 1]
        assert total is not None
        assert spread is not None
        terms[2 * term] = total / max(n, 1)
        good = usable & (spread > 0)
        terms[2 * term + 1, good] = np.sqrt(n / spread[good].astype(np.float64))
    return terms.astype(np.float32)


def information(
    products: Sequence[NDArray[np.int64]],
    x: Moments,
    y: Moments,
    n: int,
    squares: Sequence[NDArray[np.int64]] = (),
) -> NDArray[np.int64]:
    """Mutual information of pairs in nats, fixed point with 40 fractional bits.

    With a, b, c the correlations of (h1, h1), (h2, h1) and (h1, h2) over n samples,

        R^2 = max(a^2 + b^2, a^2 + c^2),   MI = -1/2 ln(1 - R^2)

    products: sums over samples of h1x h1y; for degree 2 also of h2x h1y and of h1x h2y.
    squares: the same sums of the squared scores, or none. With them R^2 is the smaller of the
        plain one and the studentised one, in which each squared covariance is divided by the mean
        of the products of squares instead of the product of the mean squares.
    """
    pairs = [(x.first_sum, y.first_sum)]
    spreads = [(x.first_spread, y.first_spread)]
    if len(products) == 3:
        pairs += [(x.second_sum, y.first_sum), (x.first_sum, y.second_sum)]
        spreads += [(x.second_spread, y.first_spread), (x.first_spread, y.second_spread)]
    covariances = [
        (n * p - sx * sy).astype(np.float64) for p, (sx, sy) in zip(products, pairs, strict=True)
    ]
    plain = [
        _ratio(c * c, vx.astype(np.float64) * vy.astype(np.float64), 0.0)
        for c, (vx, vy) in zip(covariances, spreads, strict=True)
    ]
    share = _better_way(plain)
    if len(squares):
        unit = float(n) ** 3 * SQUARE_UNIT**2
        studentised = [
            _ratio(c * c, unit * v.astype(np.float64), np.inf)
            for c, v in zip(covariances, squares, strict=True)
        ]
        share = np.minimum(share, _better_way(studentised))
    share = np.minimum(share, _LARGEST_SHARE)
    nats = 0.5 * log(1.0 / (1.0 - share))
    return np.rint(nats * 2.0**FRACTION_BITS).astype(np.int64)


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], of_nothing: float
) -> NDArray[np.float64]:
    """Numerator / denominator; 0 if the numerator is 0, else `of_nothing` for division by 0."""
    safe = np.where(denominator > 0, denominator, 1.0)
    found = np.where(denominator > 0, numerator / safe, of_nothing)
    return np.where(numerator > 0, found, 0.0)


def _better_way(terms: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """R^2 of one gene on a parabola of the other's score, in the better direction."""
    if len(terms) == 1:
        return terms[0]
    return terms[0] + np.maximum(terms[1], terms[2])
