"""Similarity of samples by the ends of their activities or signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from pysces.errors import InputError
from pysces.viper.blocks import frame
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
        Use the sign of this many most extreme regulators of each sample; by default all count,
        by ``weighting``.
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
    table = frame(activity)
    z = table.to_numpy().copy()
    if np.nanmin(z, initial=np.inf) >= 0:
        z = _normal(z)
    z = np.nan_to_num(z, nan=0.0)
    weights = _weights(z, n_top, weighting, tails)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = weights / np.abs(weights).sum(axis=1, keepdims=True)
    norm = np.sqrt((weights**2).sum(axis=1))
    found = norm[:, None] * (share @ _normal(z).T)
    found = _symmetric(found)
    if scale:
        own = np.diag(found)
        found = found / ((own[:, None] + own[None]) / 2)
    return pd.DataFrame(found, index=table.index, columns=table.index)


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
        middle, low = weighting
        slope = np.log(1 / 9) / (low - middle)
        return np.sign(z) / (1 + np.exp(-slope * (np.abs(z) - middle)))
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.abs(z) / largest
    return np.sign(z) * np.nan_to_num(size) ** weighting


def _top(z: NDArray[np.float64], n_top: int, tails: Tails) -> NDArray[np.float64]:
    """The signs of the most extreme regulators of each row; ties go by their place."""
    order = np.argsort(z, axis=1, kind="stable")
    weights = np.zeros(z.shape)
    half = round(n_top / 2) if tails == "two-sided" else n_top
    if tails != "greater":
        np.put_along_axis(weights, order[:, :half], -1.0, axis=1)
    if tails != "less":
        np.put_along_axis(weights, order[:, z.shape[1] - half :], 1.0, axis=1)
    return weights


def _symmetric(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both directions joined, each weighing by its square."""
    other = found.T
    with np.errstate(invalid="ignore", divide="ignore"):
        joined = (found**3 + other**3) / (found**2 + other**2)
    joined = np.where((found == 0) & (other == 0), 0.0, joined)
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
    tables = [frame(first)] + ([] if second is None else [frame(second)])
    if second is not None and not tables[0].columns.equals(tables[1].columns):
        raise InputError("Both tables need the same genes in the same order.")
    scores = [_gene_scores(t.to_numpy(), weighting, standardise) for t in tables]
    profiles = [_profiles(z, n_top, weighting, tails) for z in scores]
    totals = [np.abs(profile).sum(axis=1) for profile in profiles]
    forward = scores[0] @ (profiles[-1] / totals[-1][:, None]).T * np.sqrt(totals[0])[:, None]
    backward = scores[-1] @ (profiles[0] / totals[0][:, None]).T * np.sqrt(totals[-1])[:, None]
    found = (forward + backward.T) / 2
    if scale:
        own = [
            (z * profile).sum(axis=1) / total * np.sqrt(total)
            for z, profile, total in zip(scores, profiles, totals, strict=True)
        ]
        found = found / ((own[0][:, None] + own[-1][None]) / 2)
    return pd.DataFrame(found, index=tables[0].index, columns=tables[-1].index)


def _gene_scores(
    values: NDArray[np.float64], weighting: float, standardise: bool
) -> NDArray[np.float64]:
    if standardise:
        values = in_units(values, unit_exponents(largest_magnitude(values)))
        with np.errstate(invalid="ignore", divide="ignore"):
            values = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
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
