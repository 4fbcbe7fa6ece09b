"""Compute the similarity of samples by their most extreme genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from pysces._parameters import Range, checked
from pysces.errors import InputError
from pysces.viper._cells import frame
from pysces.viper._statistics import check_top, scaled, shares_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@checked(weighting=Range(0, open_high=True))
def signature_similarity(
    first: Any,
    second: Any = None,
    *,
    n_top: int | None = None,
    weighting: float = 2.0,
    tails: Literal["two-sided", "one-sided"] = "two-sided",
    standardise: bool = True,
    scale: bool = False,
) -> pd.DataFrame:
    """Compute the similarity of samples by their most extreme genes.

    Parameters
    ----------
    first, second
        Expression, samples x genes: DataFrames with the same genes. If ``second`` is not given, the
        samples of ``first`` are compared with each other.
    n_top
        Number of genes to use in each sample; by default all of them, or a tenth for
        ``weighting=0``.
    weighting
        Exponent w: a gene has the weight ``sign(z) |z|^w``, with the normal score z of its rank;
        for 0, the weight is the sign.
    tails
        Use half of the genes from each end, or the largest ``|z|`` without their signs.
    standardise
        Convert each gene to z-scores over the samples first.
    scale
        Divide by the mean self-similarity of both samples.

    Returns
    -------
    Samples x samples (of both tables).

    Raises
    ------
    InputError
        If the tables have different genes, names are not unique, or values are not numbers.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838. The measure is defined by the accompanying R
    package.

    Examples
    --------
    >>> table = pd.DataFrame([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]], columns=["A", "B"])
    >>> signature_similarity(table).shape
    (3, 3)
    """
    check_top(n_top, 1)
    tables = [frame(table) for table in ((first,) if second is None else (first, second))]
    if second is not None and not tables[0].columns.equals(tables[1].columns):
        raise InputError("Both tables must have the same genes in the same order. Reindex one.")
    scores = [_gene_scores(t.to_numpy(), weighting, standardise) for t in tables]
    with np.errstate(over="ignore", invalid="ignore"):
        profiles = [_profiles(z, n_top, weighting, tails) for z in scores]
        roots = [np.sqrt(np.abs(profile).sum(axis=1)) for profile in profiles]
        shares = [shares_of(profile) for profile in profiles]
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
        found = scaled(found, own[0], own[-1])
    return pd.DataFrame(found, index=tables[0].index, columns=tables[-1].index)


def _gene_scores(
    values: NDArray[np.float64], weighting: float, standardise: bool
) -> NDArray[np.float64]:
    if standardise:
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
