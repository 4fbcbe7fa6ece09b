"""Similarity of samples by the ends of their activities or signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from pysces.checks import check_number, check_one_of, check_whole
from pysces.errors import InputError
from pysces.viper.blocks import finite, frame
from pysces.viper.quantiles import normal_table
from pysces.viper.units import in_units, largest_magnitude, unit_exponents

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tails = Literal["two-sided", "greater", "less"]


def viper_similarity(
    activity: Any,
    *,
    n_top: int | None = None,
    weighting: float | tuple[float, float] = (4.0, 2.0),
    tails: Tails = "two-sided",
    scale: bool = False,
) -> pd.DataFrame:
    """How alike samples are: enrichment of each one's most active regulators in the others.

    Parameters
    ----------
    activity
        NES, samples x regulators: a DataFrame, or an AnnData from :func:`pysces.activity`.
        If no value is negative, values are turned into normal scores of their ranks first.
    n_top
        Use the signs of this many most extreme regulators of each sample, half of them from
        either end; with ``tails="greater"`` or ``"less"`` at most this many, as only regulators
        of that sign count. By default all regulators count, by ``weighting``.
    weighting
        Two numbers (b, a): a regulator weighs ``sign(z) / (1 + exp(-k (|z| - b)))``, with k such
        that it weighs 0.1 at a. One number w: ``sign(z) (|z| / max |z|)^w``.
    tails
        Use both ends, or only active (``"greater"``) or only inactive (``"less"``) regulators.
    scale
        Divide by the mean of both samples' similarities to themselves; 1 - result is a distance.

    Returns
    -------
    Samples x samples, symmetric.

    Raises
    ------
    InputError
        If names repeat, values aren't numbers, or ``tails`` isn't known.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838: the measure is that of the R package that comes
    with it.

    Examples
    --------
    >>> nes = pd.DataFrame([[3.0, -1.0, 0.5], [2.5, -2.0, 0.1]], index=["a", "b"])
    >>> viper_similarity(nes, scale=True).round(3).loc["a", "a"]
    np.float64(1.0)
    """
    table = finite(frame(activity))
    _check_top(n_top, 2 if tails == "two-sided" else 1)
    z = table.to_numpy().copy()
    known = z[~np.isnan(z)]
    if known.size and known.min() >= 0:
        z = _normal(z)
    z = np.nan_to_num(z, nan=0.0)
    weights = _weights(z, n_top, weighting, tails)
    share = _shares(weights)
    norm = np.sqrt((weights**2).sum(axis=1))
    found = norm[:, None] * (share @ _normal(z).T)
    found = _symmetric(found)
    if scale:
        own = np.diag(found)
        found = _scaled(found, own, own)
    return pd.DataFrame(found, index=table.index, columns=table.index)


def _check_top(n_top: int | None, least: int) -> None:
    if n_top is not None:
        check_whole("n_top", n_top, least)


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights over the sum of their sizes; 0 for a sample that has none."""
    total = np.abs(weights).sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros(weights.shape), where=total > 0)


def _scaled(
    found: NDArray[np.float64], own: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Similarities over the mean of both samples' similarities to themselves; NaN where it is 0."""
    mean = (own[:, None] + other[None]) / 2
    return np.divide(found, mean, out=np.full(found.shape, np.nan), where=mean != 0)


def _normal(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal scores of the ranks of each row; missing stays missing."""
    doubled = np.nan_to_num(2 * stats.rankdata(z, axis=1, nan_policy="omit")).astype(np.int64)
    count = np.sum(~np.isnan(z), axis=1)
    scores = np.array(
        [normal_table(int(n))[row] for n, row in zip(count, doubled, strict=True)]
    ).reshape(z.shape)
    return np.where(np.isnan(z), np.nan, scores)


def _weights(
    z: NDArray[np.float64],
    n_top: int | None,
    weighting: float | tuple[float, float],
    tails: Tails,
) -> NDArray[np.float64]:
    if tails not in ("two-sided", "greater", "less"):
        raise InputError(f"tails must be 'two-sided', 'greater' or 'less'. Got {tails!r}.")
    if n_top is not None:
        return _top(z, n_top, tails)
    # R divides by the largest value where only active regulators count, else by the largest size.
    largest = (z if tails == "greater" else np.abs(z)).max(axis=1, keepdims=True, initial=0.0)
    if tails != "two-sided":
        z = np.where(z > 0 if tails == "greater" else z < 0, z, 0.0)
    if isinstance(weighting, tuple | list):
        middle, low = _two_numbers(weighting)
        slope = np.log(1 / 9) / (low - middle)
        return np.sign(z) * special.expit(slope * (np.abs(z) - middle))
    check_number("weighting", weighting, 0, np.inf, open_high=True)
    size = np.divide(np.abs(z), largest, out=np.zeros(z.shape), where=largest > 0)
    return np.sign(z) * size**weighting


def _two_numbers(weighting: tuple[float, float] | list[float]) -> tuple[float, float]:
    if len(weighting) != 2:
        raise InputError(f"weighting must be one number or two. Got {weighting!r}.")
    for number in weighting:
        check_number("weighting", number, -np.inf, np.inf, open_low=True, open_high=True)
    middle, low = weighting
    if middle == low:
        raise InputError(f"The two numbers of weighting must differ. Got {weighting!r}.")
    return middle, low


def _top(z: NDArray[np.float64], n_top: int, tails: Tails) -> NDArray[np.float64]:
    """Signs of the most extreme regulators of each row, 0 for the others; ties go by their place.

    The sign is the regulator's own: where a row has fewer regulators of one sign than its tail
    takes, the rest of the tail keeps the other sign, or counts for nothing where only one sign
    counts.
    """
    order = np.argsort(z, axis=1, kind="stable")
    chosen = np.zeros(z.shape, dtype=bool)
    n = z.shape[1]
    half = min(round(n_top / 2), n // 2) if tails == "two-sided" else min(n_top, n)
    if tails != "greater":
        np.put_along_axis(chosen, order[:, :half], True, axis=1)
    if tails != "less":
        np.put_along_axis(chosen, order[:, n - half :], True, axis=1)
    if tails != "two-sided":
        chosen &= z > 0 if tails == "greater" else z < 0
    return np.where(chosen, np.sign(z), 0.0)


def _symmetric(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both directions joined, each weighing by its square."""
    other = found.T
    # In units of the larger one, so that small similarities don't vanish as squares.
    unit = np.maximum(np.abs(found), np.abs(other))
    a, b = (np.divide(x, unit, out=np.zeros(x.shape), where=unit > 0) for x in (found, other))
    squares = a**2 + b**2
    joined = unit * np.divide(a**3 + b**3, squares, out=np.zeros(a.shape), where=squares > 0)
    np.fill_diagonal(joined, np.diag(found))
    return joined


def signature_distance(
    first: Any,
    second: Any = None,
    *,
    n_top: int | None = None,
    weighting: float = 2.0,
    tails: Literal["two-sided", "one-sided"] = "two-sided",
    standardise: bool = True,
    scale: bool = False,
) -> pd.DataFrame:
    """How alike samples are by their most extreme genes, as a similarity.

    Parameters
    ----------
    first, second
        Expression, samples x genes: DataFrames with the same genes. With one, its samples are
        compared with each other.
    n_top
        Genes that count in each sample; all of them, or a tenth for ``weighting=0``.
    weighting
        Genes weigh ``sign(z) |z|^w``; for 0 their signs, and z is the normal score of the rank.
    tails
        Take half of the genes from either end, or the largest ``|z|`` without their signs.
    standardise
        Turn each gene into z-scores over the samples first.
    scale
        Divide by the mean of both samples' similarities to themselves.

    Returns
    -------
    Samples x samples (of both tables).

    Raises
    ------
    InputError
        If the tables have different genes, names repeat, or values aren't numbers.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838: the measure is that of the R package that comes
    with it.

    Examples
    --------
    >>> table = pd.DataFrame([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]], columns=["A", "B"])
    >>> signature_distance(table).shape
    (3, 3)
    """
    check_number("weighting", weighting, 0, np.inf, open_high=True)
    check_one_of("tails", tails, ("two-sided", "one-sided"))
    _check_top(n_top, 1)
    tables = [finite(frame(table)) for table in (first, second) if table is not None]
    if second is not None and not tables[0].columns.equals(tables[1].columns):
        raise InputError("Both tables need the same genes in the same order.")
    scores = [_gene_scores(t.to_numpy(), weighting, standardise) for t in tables]
    with np.errstate(over="ignore", invalid="ignore"):
        profiles = [_profiles(z, n_top, weighting, tails) for z in scores]
        roots = [np.sqrt(np.abs(profile).sum(axis=1)) for profile in profiles]
        shares = [_shares(profile) for profile in profiles]
        forward = scores[0] @ shares[-1].T * roots[0][:, None]
        backward = scores[-1] @ shares[0].T * roots[-1][:, None]
        found = (forward + backward.T) / 2
    if not np.isfinite(found).all():
        raise InputError(
            "Values are too large for this weighting. Divide them by a constant, or use "
            "standardise=True."
        )
    if scale:
        own = [
            (z * share).sum(axis=1) * root
            for z, share, root in zip(scores, shares, roots, strict=True)
        ]
        found = _scaled(found, own[0], own[-1])
    return pd.DataFrame(found, index=tables[0].index, columns=tables[-1].index)


def _gene_scores(
    values: NDArray[np.float64], weighting: float, standardise: bool
) -> NDArray[np.float64]:
    if standardise:
        values = in_units(values, unit_exponents(largest_magnitude(values)))
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        deviation = np.where(known, values - mean, 0.0)
        sd = np.sqrt((deviation**2).sum(axis=0) / np.maximum(count - 1, 1))
        values = np.divide(deviation, sd, out=np.zeros(values.shape), where=sd > 0)
    values = np.nan_to_num(values, nan=0.0)
    if weighting == 0:
        ranks = stats.rankdata(values, axis=1)
        return np.asarray(special.ndtri(ranks / (values.shape[1] + 1)))
    return values


def _profiles(
    z: NDArray[np.float64], n_top: int | None, weighting: float, tails: str
) -> NDArray[np.float64]:
    """Weights of each sample's most extreme genes, 0 for the others."""
    genes = z.shape[1]
    count = n_top if n_top is not None else genes if weighting > 0 else genes // 10
    weights = np.sign(z) * np.abs(z) ** weighting
    kept = np.zeros(z.shape, dtype=bool)
    if tails == "two-sided":
        order = np.argsort(z, axis=1, kind="stable")
        half = count / 2
        low, high = int(np.floor(half)), int(np.ceil(half))
        np.put_along_axis(kept, order[:, :high], True, axis=1)
        np.put_along_axis(kept, order[:, genes - max(low, 1) :], True, axis=1)
    else:
        order = np.argsort(-np.abs(z), axis=1, kind="stable")
        np.put_along_axis(kept, order[:, :count], True, axis=1)
        weights = np.abs(weights)
    return np.where(kept, weights, 0.0)
