"""Compute the similarity of samples by their activities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from pysces._checks import check_number
from pysces._parameters import checked
from pysces.errors import InputError
from pysces.viper._cells import frame
from pysces.viper._statistics import check_top, normal_table, scaled, shares_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


Tails = Literal["two-sided", "greater", "less"]


@checked()
def viper_similarity(
    activity: Any,
    *,
    n_top: int | None = None,
    weighting: float | tuple[float, float] = (4.0, 2.0),
    tails: Tails = "two-sided",
    scale: bool = False,
) -> pd.DataFrame:
    """Compute the similarity of samples: enrichment of regulators of one sample in the other.

    Parameters
    ----------
    activity
        NES, samples x regulators: a DataFrame, or an AnnData from :func:`pysces.activity`.
        If no value is negative, values are converted to normal scores of their ranks first.
    n_top
        Use the signs of this number of most extreme regulators of each sample, half of them from
        each end; with ``tails="greater"`` or ``"less"`` at most this number, since only regulators
        of that sign are used. By default all regulators are used, weighted by ``weighting``.
    weighting
        Two numbers (b, a): a regulator has the weight ``sign(z) / (1 + exp(-k (|z| - b)))``, with k
        such that the weight is 0.1 at a. One number w: ``sign(z) (|z| / max |z|)^w``.
    tails
        Use both ends, or only active (``"greater"``) or only inactive (``"less"``) regulators.
    scale
        Divide by the mean self-similarity of both samples; 1 - result is then a distance.

    Returns
    -------
    Samples x samples, symmetric.

    Raises
    ------
    InputError
        If names are not unique, values are not numbers, or ``tails`` is invalid.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838. The measure is defined by the accompanying R
    package.

    Examples
    --------
    >>> nes = pd.DataFrame([[3.0, -1.0, 0.5], [2.5, -2.0, 0.1]], index=["a", "b"])
    >>> viper_similarity(nes, scale=True).round(3).loc["a", "a"]
    np.float64(1.0)
    """
    table = frame(activity)
    check_top(n_top, 2 if tails == "two-sided" else 1)
    z = table.to_numpy().copy()
    known = z[~np.isnan(z)]
    if known.size and known.min() >= 0:
        z = _normal(z)
    z = np.nan_to_num(z, nan=0.0)
    weights = _weights(z, n_top, weighting, tails)
    share = shares_of(weights)
    norm = np.sqrt((weights**2).sum(axis=1))
    found = norm[:, None] * (share @ _normal(z).T)
    found = _symmetric(found)
    if scale:
        own = np.diag(found)
        found = scaled(found, own, own)
    return pd.DataFrame(found, index=table.index, columns=table.index)


def _normal(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal scores of the ranks of each row; missing values stay missing."""
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
    # R divides by the largest value if only active regulators are used, else by the largest |z|.
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
    """Signs of the most extreme regulators of each row, 0 for the others; ties by position.

    If a row has fewer regulators of one sign than the tail of that sign takes, the rest of the tail
    keeps the other sign, or is 0 if only one sign is used.
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
    """Combine both directions, each weighted by its square."""
    other = found.T
    # Divide by the larger one first, so that squares of small similarities do not underflow.
    unit = np.maximum(np.abs(found), np.abs(other))
    a, b = (np.divide(x, unit, out=np.zeros(x.shape), where=unit > 0) for x in (found, other))
    squares = a**2 + b**2
    joined = unit * np.divide(a**3 + b**3, squares, out=np.zeros(a.shape), where=squares > 0)
    np.fill_diagonal(joined, np.diag(found))
    return joined
