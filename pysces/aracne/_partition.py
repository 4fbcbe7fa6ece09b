"""Tables of the estimators of mutual information, in the form that the kernels use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from pysces._checks import check_integer
from pysces._logarithm import LN2, log
from pysces.dispatch.operations.aracne import FRACTION_BITS
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

AdaptiveName = Literal["adaptive", "adaptive-dyadic"]
ADAPTIVE: tuple[AdaptiveName, ...] = get_args(AdaptiveName)


@dataclass(frozen=True, eq=False)
class Partition:
    """Tables of an adaptive estimator for n samples: cuts of marginal cells, and logarithms.

    Nodes of a marginal form a binary heap: node 1 holds all ranks, and a rank goes to child
    2 node + 1 if it is above ``split[node]``, else to 2 node.

    Attributes
    ----------
    name, n
        The estimator and the number of samples.
    split
        2^D thresholds, int32, for D levels of splits; entry 0 is unused.
    log_width
        ln of the width of each of 2^(D + 1) nodes, int64 with `fraction_bits` fractional bits.
    n_log_n
        c ln c for c = 0..n, in the same fixed point.
    min_count
        A joint cell with fewer points is not split.
    fraction_bits
        Fractional bits of the fixed point: 40, or fewer if n ln n would come near 2^63.
    """

    name: str
    n: int
    split: NDArray[np.int32]
    log_width: NDArray[np.int64]
    n_log_n: NDArray[np.int64]
    min_count: int
    fraction_bits: int

    @property
    def descending(self) -> bool:
        """Whether rank 1 is the largest value (at odd n the direction matters)."""
        return self.name == "adaptive"

    @property
    def tables(self) -> dict[str, NDArray[np.int32] | NDArray[np.int64] | int]:
        """The arguments of the kernel `adaptive_mi` that describe the estimator."""
        return {
            "split": self.split,
            "log_width": self.log_width,
            "n_log_n": self.n_log_n,
            "min_count": self.min_count,
        }


@lru_cache(maxsize=32)
def partition(estimator: str, n: int) -> Partition:
    """Tables of an adaptive estimator for n samples.

    ``"adaptive"``: a cell (a, b] of ranks is cut at floor((a + b) / 2) (Lachmann et al. 2016).
    ``"adaptive-dyadic"``: the unit interval of rank / (n + 1) is halved recursively.

    A level of cuts is kept only if a cell below it can hold `min_count` ranks: with fewer ranks in
    each quarter chi-square does not reach 7.815, so deeper levels are never used.

    >>> partition("adaptive", 200).split.shape
    (64,)
    """
    if estimator not in ADAPTIVE:
        raise InputError(
            f"The 'estimator' parameter must be one of {list(ADAPTIVE)} for a partition. "
            f"Got {estimator!r} instead."
        )
    if n < 0:
        raise InputError(f"The number of samples must not be negative. Got {n} instead.")
    bits = fraction_bits(n)
    if estimator == "adaptive":
        min_count = 3
        split, width = _median_splits(n, min_count)
        log_width = _fixed(log(width), bits)
    else:
        min_count = 4
        split, log_width = _dyadic_splits(n, min_count, bits)
    counts = np.arange(n + 1, dtype=np.float64)
    n_log_n = _fixed(counts * log(counts), bits)
    if estimator == "adaptive-dyadic" and n < min_count:
        n_log_n[:] = 0  # the root is not cut: the mutual information is exactly 0
        log_width[:] = 0
    for table in (split, log_width, n_log_n):
        table.flags.writeable = False  # shared by all callers
    return Partition(estimator, n, split, log_width, n_log_n, min_count, bits)


def fraction_bits(n: int) -> int:
    """Fractional bits of mutual information in fixed point for n samples.

    The largest number, at most 40, for which n ln n is below 2^62.

    >>> fraction_bits(1_000), fraction_bits(1_000_000)
    (40, 38)
    """
    largest = n * math.log(n) if n > 1 else 0.0
    bits = FRACTION_BITS
    while largest * 2.0**bits >= 2.0**62:
        bits -= 1
    return bits


def c_log_c(n: int) -> NDArray[np.int64]:
    """The table c ln c for c = 0..n, with `fraction_bits(n)` fractional bits."""
    counts = np.arange(n + 1, dtype=np.float64)
    return _fixed(counts * log(counts), fraction_bits(n))


def to_nats(mi: NDArray[np.int64], n: int, fraction_bits: int) -> NDArray[np.float64]:
    """Mutual information in nats from n times it in fixed point; 0 for n = 0."""
    if n == 0:
        return np.zeros(mi.shape, dtype=np.float64)
    return mi / (n * 2.0**fraction_bits)


def bins(ranks: NDArray[np.int32], n_bins: int, ties: str = "random") -> NDArray[np.uint8]:
    """Equal-frequency bin, 0..n_bins - 1, of each rank.

    The bin is ``floor((2 r - 1) n_bins / (2 n))`` for average rank r, so the sizes of bins
    differ by at most one.

    Parameters
    ----------
    ranks
        genes x samples. With ``ties="random"`` ordinal ranks 1..n (ties already broken);
        with ``ties="together"`` twice the average ranks: equal values then share a bin.
    n_bins
        2..255.
    ties
        How ties were ranked, as above.
    """
    check_integer("n_bins", n_bins, 2, 255)
    if ties not in ("random", "together"):
        raise InputError(
            f"The 'ties' parameter must be 'random' or 'together'. Got {ties!r} instead."
        )
    doubled = ranks.astype(np.int64) * (2 if ties == "random" else 1)
    return ((doubled - 1) * n_bins // max(2 * ranks.shape[-1], 1)).astype(np.uint8)


def _median_splits(n: int, min_count: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Thresholds and widths where (a, b] is cut at floor((a + b) / 2)."""
    low, high = np.array([0], dtype=np.int64), np.array([n], dtype=np.int64)
    thresholds = [np.zeros(1, dtype=np.int64)]
    widths = [np.zeros(1, dtype=np.int64), high - low]
    while True:
        middle = (low + high) // 2
        ends = np.stack([low, middle, high], axis=1)
        low, high = ends[:, :2].ravel(), ends[:, 1:].ravel()
        first = len(thresholds) == 1
        if not (first and n > 0) and (high - low).max() < min_count:
            break
        thresholds.append(middle)
        widths.append(high - low)
    return np.concatenate(thresholds).astype(np.int32), np.concatenate(widths)


def _dyadic_splits(
    n: int, min_count: int, bits: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Thresholds where cell m of depth j is cut at (2m+1)(n+1) / 2^(j+1), and log-widths."""
    log_n = float(log(np.array([n]))[0])
    thresholds = [np.zeros(1, dtype=np.int64)]
    log_widths = [np.zeros(1), np.array([log_n])]
    edges = np.array([0, n], dtype=np.int64)  # ranks edges[m] + 1 .. edges[m + 1] are in cell m
    depth = 0
    while True:
        cell = np.arange(2**depth, dtype=np.int64)
        # The highest rank of the lower half: rank 2^(j + 1) < (2 m + 1) (n + 1).
        middle = ((2 * cell + 1) * (n + 1) - 1) >> (depth + 1)
        inner = np.stack([edges[:-1], middle], axis=1).ravel()
        edges = np.append(inner, n)
        if np.diff(edges).max() < min_count and not (depth == 0 and n >= min_count):
            break
        thresholds.append(middle)
        depth += 1
        log_widths.append(np.full(2**depth, log_n - depth * LN2))
    split = np.concatenate(thresholds).astype(np.int32)
    return split, _fixed(np.concatenate(log_widths), bits)


def _fixed(x: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
    """Nearest integer multiple of 2^-bits."""
    return np.rint(x * 2.0**bits).astype(np.int64)
