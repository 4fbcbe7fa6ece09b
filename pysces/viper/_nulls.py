"""Null distributions of enrichment scores, null signatures, and bootstraps of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from pysces import _seeds
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.errors import InputError
from pysces.viper._enrichment import area_scores
from pysces.viper._regulons import Regulons
from pysces.viper._signatures import TIE_BITS
from pysces.viper._statistics import Moments, far_from_zero, z_of_t

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pysces.data._expression import Expression

MANY_NULLS = 500  # with fewer null samples only their variance is used, not their distribution
_KNOTS = 100
_KNOTS_OF_R = 14  # R's documented 100 is overwritten by a loop counter
_FIRST_DISTINCT = 5
_LAST_DISTINCT = 14

SignatureMethod = Literal["zscore", "ttest", "mean"]


# --- scores compared with null scores -------------------------------------------------------------


def approximate_cdf(
    null: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    symmetric: bool = True,
    compat: Literal["r"] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normal scores and two-sided p-values against an empirical null with smoothed tails.

    Parameters
    ----------
    null
        Null scores of one regulon, with at least 14 distinct magnitudes.
    scores
        Scores of that regulon.
    symmetric
        Compare magnitudes, assuming that the null is symmetric about 0.
    compat
        ``"r"``: use 14 knots instead of 100, and fit the tail at the positions that R's aecdf
        reads from the unsorted null, instead of at the largest null scores.

    Notes
    -----
    In the interior, the empirical distribution function is interpolated linearly between 100
    knots. Beyond the fifth largest null score, an exponential is fitted to the tail of the null.

    Raises
    ------
    InputError
        If the null has too few distinct values.
    """
    finite = null[np.isfinite(null)]
    fit = _symmetric if symmetric else _two_tails
    return fit(finite, np.asarray(scores, dtype=np.float64), compat)


def _symmetric(
    null: NDArray[np.float64], scores: NDArray[np.float64], compat: str | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    size = np.abs(null)
    first, last = _distinct_places(size)
    cut = float(np.quantile(size, 1 - first / len(size)))
    # R reads these positions from the unsorted null; the largest values are intended.
    tail = size if compat == "r" else np.sort(size)
    tail = tail[len(size) - last : len(size) - first + 1]
    knots = np.linspace(0, cut, _knots(compat))
    ordered = np.sort(size)
    body = 1 - np.interp(np.abs(scores), knots, _ecdf(ordered, knots))
    at_cut = 1 - _ecdf(ordered, np.array([cut]))[0]
    rate = _tail_rate(at_cut, 1 - _ecdf(ordered, tail), tail - cut)
    beyond = at_cut * np.exp(-rate * (np.abs(scores) - cut))
    p = np.where(np.abs(scores) <= cut, body, beyond)
    return -special.ndtri(p / 2) * np.sign(scores), p


def _two_tails(
    null: NDArray[np.float64], scores: NDArray[np.float64], compat: str | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n = len(null)
    ordered = np.sort(null)
    low_first, low_last = _distinct_places(-null)
    top_first, top_last = _distinct_places(null)
    low_cut = float(np.quantile(null, low_first / n))
    top_cut = float(np.quantile(null, 1 - top_first / n))
    source = null if compat == "r" else ordered
    low_tail = source[low_first - 1 : low_last]
    top_tail = source[n - top_last : n - top_first + 1]
    knots = np.linspace(low_cut, top_cut, _knots(compat))
    body = np.interp(scores, knots, _ecdf(ordered, knots))
    middle = float(np.median(null))
    p = np.where(scores < middle, body, 1 - body)
    at_top = 1 - _ecdf(ordered, np.array([top_cut]))[0]
    at_low = _ecdf(ordered, np.array([low_cut]))[0]
    top_rate = _tail_rate(at_top, 1 - _ecdf(ordered, top_tail), top_tail - top_cut)
    low_rate = _tail_rate(at_low, _ecdf(ordered, low_tail), low_cut - low_tail)
    p = np.where(scores > top_cut, at_top * np.exp(-top_rate * (scores - top_cut)), p)
    p = np.where(scores < low_cut, at_low * np.exp(-low_rate * (low_cut - scores)), p)
    return -special.ndtri(p) * np.sign(scores - middle), 2 * p


def _knots(compat: str | None) -> int:
    return _KNOTS_OF_R if compat == "r" else _KNOTS


def _ecdf(ordered: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Empirical distribution function: share of the values that are at most x."""
    return np.searchsorted(ordered, at, side="right") / len(ordered)


def _distinct_places(values: NDArray[np.float64]) -> tuple[int, int]:
    """Numbers of largest values that contain 5 and 14 distinct values."""
    ordered = np.sort(values)[::-1]
    different = np.cumsum(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    if len(ordered) == 0 or different[-1] < _LAST_DISTINCT:
        raise InputError(
            f"A null distribution needs at least {_LAST_DISTINCT} distinct scores. "
            "Use more permutations."
        )
    first = int(np.searchsorted(different, _FIRST_DISTINCT)) + 1
    return max(first, _FIRST_DISTINCT), int(np.searchsorted(different, _LAST_DISTINCT)) + 1


def _tail_rate(at_cut: float, shares: NDArray[np.float64], distance: NDArray[np.float64]) -> float:
    """Decay rate of the tail: slope, through the origin, of -log(share) over the distance."""
    with np.errstate(divide="ignore"):
        fall = np.log(at_cut) - np.log(shares)
    usable = np.isfinite(fall) & np.isfinite(distance)
    squares = float((distance[usable] ** 2).sum())
    if usable.sum() < 3 or squares == 0:
        raise InputError(
            "The tail of a null distribution has too few distinct scores. Use more permutations."
        )
    return float((fall[usable] * distance[usable]).sum()) / squares


def against_null(
    scores: NDArray[np.float64],
    null: NDArray[np.float64],
    *,
    always_empirical: bool = False,
    compat: Literal["r"] | None = None,
) -> NDArray[np.float64]:
    """NES of scores [samples regulons] against null scores [nulls regulons].

    With fewer than 500 null samples, the score is divided by the standard deviation of the null
    scores (NaN if it is 0). Otherwise :func:`approximate_cdf` is used for each regulon.
    """
    if len(null) < MANY_NULLS and not always_empirical:
        sd = np.std(null, axis=0, ddof=1)
        return scores / np.where(sd > 0, sd, np.nan)
    nes = np.empty(scores.shape)
    for regulon in range(scores.shape[1]):
        nes[:, regulon], _ = approximate_cdf(null[:, regulon], scores[:, regulon], compat=compat)
    return nes


# --- null signatures ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Resample:
    """One null sample: the reference cell used as the sample, and its bootstrapped reference."""

    sample: int
    reference: NDArray[np.intp]


def bootstrap_plan(n_reference: int, number: int, seed: int) -> list[Resample]:
    """Null samples: each reference cell in turn, with a bootstrap of the other cells."""
    if n_reference < 6:
        raise InputError(
            f"A null model needs at least 6 reference cells. Got {n_reference}. "
            "Choose a larger reference, or use n_permutations=0."
        )
    plan = []
    for index in range(number):
        sample = index % n_reference
        others = np.delete(np.arange(n_reference), sample)
        drawn = _seeds.generator(seed, "null", index).integers(0, n_reference - 1, n_reference - 1)
        plan.append(Resample(sample, others[drawn]))
    return plan


def null_signature(
    reference: NDArray[np.float64], resample: Resample, method: SignatureMethod
) -> NDArray[np.float64]:
    """Signature of one reference cell against a bootstrap of the other cells [genes]."""
    drawn = reference[resample.reference]
    return _against(reference[resample.sample], drawn, method)


def _against(
    sample: NDArray[np.float64], reference: NDArray[np.float64], method: SignatureMethod
) -> NDArray[np.float64]:
    count = len(reference)
    mean = reference.mean(axis=0)
    deviation = reference - mean
    spread = np.einsum("cg,cg->g", deviation, deviation)
    moments = Moments(np.full(len(mean), float(count)), mean, spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "mean":
            return sample - mean
        if method == "zscore":
            return (sample - mean) / moments.sd
        return z_of_t((sample - mean) / moments.standard_error, count - 1)


# --- bootstraps of the reference ------------------------------------------------------------------


def bootstrap_draws(n_cells: int, number: int, seed: int) -> NDArray[np.intp]:
    """Cells drawn with replacement [bootstraps cells]."""
    if n_cells < 2:
        raise InputError(f"Bootstraps need at least 2 cells. Got {n_cells}.")
    streams = (_seeds.generator(seed, "bootstrap", index) for index in range(number))
    return np.array([stream.integers(0, n_cells, n_cells) for stream in streams])


def bootstrapped_moments(
    cells: Expression, draws: NDArray[np.intp], offset: NDArray[np.float64] | float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean, minus an offset, and standard deviation of each gene [bootstraps genes]."""
    number, n = draws.shape
    step = block_length(16.0 * (cells.n_genes + number), cells.n_samples)
    centre = cells.sample_block(slice(0, 1))[0]
    total, squares = (np.zeros((number, cells.n_genes)) for _ in range(2))
    for part in blocks(cells.n_samples, step):
        held = np.array(
            [np.bincount(row, minlength=cells.n_samples)[part] for row in draws], dtype=np.float64
        )
        values = cells.sample_block(part, copy=False) - centre
        total += held @ values
        squares += held @ values**2
    variance = np.maximum(squares - total**2 / n, 0.0) / (n - 1)
    return (centre - offset) + total / n, np.sqrt(variance)


def bootstrapped_area(
    cells: Expression, regulons: Regulons, draws: NDArray[np.intp]
) -> Callable[[Expression, slice], dict[str, NDArray[np.float64]]]:
    """Mean and standard deviation of the NES of blocks of cells over bootstraps.

    Each cell is compared with each bootstrap of all cells by z-scores. Genes, targets and
    bootstrapped cells are matched by name.
    """
    offset = far_from_zero(cells)
    mean, sd = bootstrapped_moments(cells, draws, 0.0 if offset is None else offset)

    def score(block: Expression, _: slice) -> dict[str, NDArray[np.float64]]:
        values = block.sample_block(copy=False)
        values = values if offset is None else values - offset
        found = np.array(
            [
                area_scores(ops.standardise(values, *at, TIE_BITS), regulons)[1]
                for at in zip(mean, sd, strict=True)
            ]
        )
        sd_of_nes = (
            found.std(axis=0, ddof=1) if len(found) > 1 else np.full(found.shape[1:], np.nan)
        )
        return {"nes": found.mean(axis=0), "sd": sd_of_nes}

    return score
