"""Scores of small counts as polynomials of the logarithms of mean and size, in integers.

The score of a count depends on its mean and on the size of its gene alone, so one table serves all
genes, batches and data sets. Each piece is a product of cubics with integer coefficients; its value
is the same on every engine, whatever floating-point numbers it has.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, gammainc

from pysces.data._margins import LARGEST_SIZE, SMALLEST_SIZE, mean_scores
from pysces.viper._signatures import LIMIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST = 64
"""Counts up to this one are in the table."""

PLACE_BITS = 20
"""Fractional bits of a place, whose whole part is the number of a piece."""

VALUE_BITS = 22
"""Fractional bits of the coefficients."""

_WIDTH = 0.5  # of a piece, in both logarithms
_LOWEST = -18.0  # logarithm of the smallest mean
_PIECES = 62
_SIZES = 25  # pieces of the size; the last is Poisson
_EXTREME = 24.0  # scores are clipped to this one before the fit, far beyond what is used
BEND_STEP = _WIDTH / 2**5
"""Step of log(depth) between whole multiples of 2^15 places."""

_NODES = np.cos(np.pi * (2 * np.arange(4) + 1) / 8) / 2  # of Chebyshev, for a piece of width 1
_FIT = np.linalg.inv(np.vander(_NODES, increasing=True))  # values at nodes -> coefficients


def mean_places(mean: Floats) -> NDArray[np.int64]:
    """Places of means, or of shares: :func:`depth_places` are to be added; lowest for 0."""
    above = np.log(np.maximum(mean, 1e-300)) - _LOWEST
    return np.rint(above * (2.0**PLACE_BITS / _WIDTH)).astype(np.int64)


def depth_places(depth: Floats) -> NDArray[np.int64]:
    """What a depth adds to the place of the share of a gene."""
    return np.rint(np.log(depth) * (2.0**PLACE_BITS / _WIDTH)).astype(np.int64)


def size_places(size: Floats) -> NDArray[np.int64]:
    """Places of sizes; the last piece is Poisson."""
    limited = np.clip(size, SMALLEST_SIZE, LARGEST_SIZE)
    place = np.rint(np.log(limited / SMALLEST_SIZE) * (2.0**PLACE_BITS / _WIDTH))
    return np.where(np.isinf(size), (_SIZES - 1) << PLACE_BITS, place).astype(np.int64)


_lock = threading.Lock()
_known: list[NDArray[np.int32]] = []


def score_table(largest: int) -> NDArray[np.int32]:
    """Coefficients of the scores of counts 0 ... K, int32 [sizes pieces counts 16].

    K is at least ``min(largest, MOST)``. With t and u the distances of both places from the middle
    of their piece, as a fraction of it, the score is ``sum_ij c[4 i + j] t^i u^j 2^-VALUE_BITS``.
    Where c[15] is odd, it is the excess over the score of the count 0 instead: where neither is
    near the limit. For scores between -6 and 6 it is within 3e-5 of the exact one (root
    mean square: 4e-6).
    """
    wanted = min(largest, MOST)
    with _lock:
        if not _known or _known[0].shape[2] <= wanted:
            _known[:] = [_made(MOST if wanted > 8 else 8)]
        return _known[0]


def _made(largest: int) -> NDArray[np.int32]:
    log_mean = _LOWEST + _WIDTH * (np.arange(_PIECES)[:, None] + 0.5 + _NODES)
    log_size = np.log(SMALLEST_SIZE) + _WIDTH * (np.arange(_SIZES - 1)[:, None] + 0.5 + _NODES)
    size = np.exp(np.append(log_size.ravel(), np.inf))
    mean = np.repeat(np.exp(log_mean.ravel())[None], len(size), axis=0)
    scores = _scores(mean.ravel(), np.repeat(size, mean.shape[1]), largest)
    scores = scores.reshape(largest + 1, len(size), _PIECES, 4)
    by_mean = np.einsum("ia,ysxa->ysxi", _FIT, scores)
    sizes = by_mean[:, :-1].reshape(largest + 1, _SIZES - 1, 4, _PIECES, 4)
    table = np.zeros((_SIZES, _PIECES, largest + 1, 4, 4))
    table[:-1] = np.einsum("jb,ysbxi->sxyij", _FIT, sizes)
    table[-1, :, :, :, 0] = by_mean[:, -1].transpose(1, 0, 2)
    flat = np.rint(table.reshape(_SIZES, _PIECES, largest + 1, 16) * 2.0**VALUE_BITS)
    largest_term = 0.5 ** np.add.outer(np.arange(4), np.arange(4)).ravel()
    inside = np.abs(flat) @ largest_term < (LIMIT - 0.5) * 2.0**VALUE_BITS
    plain = inside & inside[:, :, :1] & (np.arange(largest + 1) > 0)
    flat = np.where(plain[..., None], flat - flat[:, :, :1], flat).astype(np.int32)
    flat[..., 15] = flat[..., 15] & ~1 | plain
    return flat


def _scores(mean: Floats, size: Floats, largest: int) -> Floats:
    """Scores of the counts 0 ... largest, float64 [counts means]; sums of terms from both ends."""
    part = mean / size  # 0 for Poisson
    terms = np.empty((largest + 1, len(mean)))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms[0] = np.exp(np.where(part > 0, -size * np.log1p(part), -mean))
    for k in range(largest):
        terms[k + 1] = terms[k] * ((mean + k * part) / ((k + 1) * (1 + part)))
    lower = np.minimum(np.cumsum(terms, axis=0), 1.0)
    with np.errstate(invalid="ignore"):
        beyond = np.where(
            part > 0,
            betainc(largest + 1, size, mean / (size + mean)),
            gammainc(largest + 1, mean),
        )
    upper = np.empty_like(terms)
    upper[-1] = beyond
    for k in range(largest, 0, -1):
        upper[k - 1] = upper[k] + terms[k]
    upper = np.minimum(upper, 1.0)
    below = np.zeros(len(mean)), np.ones(len(mean))
    for k in range(largest + 1):
        upto = lower[k], upper[k]
        terms[k] = mean_scores(below, upto)[0]
        below = upto
    return np.clip(terms, -_EXTREME, _EXTREME)
