"""Combine the activities of several networks into one (metaVIPER, Ding et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from pysces._messages import nearest
from pysces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_EXTREMES = 50  # regulators at each end that measure how well a network fits a cell


def combine_networks(
    tables: Sequence[pd.DataFrame],
    *,
    weighting: float | tuple[float, float] | str = 1.0,
    assignment: ArrayLike | None = None,
) -> pd.DataFrame:
    """Combine the activities of several networks into one score per regulator and sample.

    Parameters
    ----------
    tables
        NES of each network, samples x regulators, with the same samples.
    weighting
        A number a: each score z has the weight ``|z|^a``. Two numbers (b, a): the weight is
        ``1 / (1 + exp(-a (|z| - b)))``. ``"best"``: use, for each sample, the network with the
        largest difference between the means of its highest and lowest 50 scores.
    assignment
        Index of the network to use for each sample, instead of weights.

    Returns
    -------
    Samples x regulators (the union over the networks, in order of first occurrence). A regulator
    that is missing from a network has the score 0 there. The result is 0 where all scores are 0.

    Examples
    --------
    >>> one = pd.DataFrame({"MYC": [3.0]}); two = pd.DataFrame({"MYC": [1.0], "MAX": [2.0]})
    >>> combine_networks([one, two]).loc[0].round(6).tolist()
    [2.5, 2.0]
    """
    check_weighting(weighting)
    if not tables:
        raise InputError("There is no network. Give at least one.")
    if assignment is not None:
        return own_network(tables, assignment).fillna(0.0)
    if weighting == "best":
        return own_network(tables, best_network(tables)).fillna(0.0)
    names = all_regulators([t.columns for t in tables])
    scores = np.array([t.reindex(columns=names).fillna(0.0).to_numpy() for t in tables])
    index = tables[0].index
    if isinstance(weighting, tuple | list):
        middle, slope = weighting
        joined = _weighted(scores, special.expit(slope * (np.abs(scores) - middle)))
    else:
        # Divide by the largest score among the networks, so that no power overflows.
        sizes = np.abs(scores)
        largest = sizes.max(axis=0)
        usual = np.isfinite(largest) & (largest > 0)
        share = np.where(usual, sizes / np.where(usual, largest, 1.0), np.isinf(sizes))
        joined = _weighted(scores, share ** float(weighting))
    return pd.DataFrame(joined, index=index, columns=names)


def own_network(tables: Sequence[pd.DataFrame], assignment: ArrayLike) -> pd.DataFrame:
    """Scores of each sample by its own network; NaN for regulators that are not in that network."""
    chosen = np.asarray(assignment)
    index, names = tables[0].index, all_regulators([t.columns for t in tables])
    _check_assignment(chosen, len(index), len(tables))
    values = np.array([t.reindex(columns=names).to_numpy() for t in tables])
    return pd.DataFrame(values[chosen, np.arange(len(index))], index=index, columns=names)


def all_regulators(names: Sequence[pd.Index]) -> pd.Index:
    """Union of the regulators of all networks, in order of first occurrence."""
    return pd.Index(np.concatenate([one.to_numpy(dtype=object) for one in names])).unique()


def check_weighting(weighting: Any) -> None:
    """Raise an InputError unless the weighting is a number >= 0, two numbers or ``"best"``."""
    pair = isinstance(weighting, tuple | list) and len(weighting) == 2
    numbers = list(weighting) if pair else [weighting]
    fine = all(
        isinstance(number, int | float | np.number)
        and not isinstance(number, bool)
        and np.isfinite(number)
        and (pair or number >= 0)
        for number in numbers
    )
    if weighting != "best" and not fine:
        hint = nearest(weighting, ["best"]) if isinstance(weighting, str) else ""
        raise InputError(
            f"weighting must be a number of at least 0, two numbers (middle, slope) or 'best'. "
            f"Got {weighting!r}{hint}."
        )


def best_network(tables: Sequence[pd.DataFrame]) -> NDArray[np.intp]:
    """The network with the largest spread of each sample's scores; the first one if tied.

    Half the difference between the means of the 50 highest and of the 50 lowest scores (or of
    half the regulators, where there are fewer than 100).
    """
    spreads = []
    for table in tables:
        ordered = np.sort(table.fillna(0.0).to_numpy(), axis=1)
        count = max(1, min(_EXTREMES, ordered.shape[1] // 2))
        spreads.append(ordered[:, -count:].mean(axis=1) - ordered[:, :count].mean(axis=1))
    return np.argmax(np.array(spreads) / 2, axis=0)


def combine_narnea(
    nes: Sequence[pd.DataFrame], pes: Sequence[pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Combine NES and PES of several networks, weighted by votes of the regulators.

    In each sample, every regulator that all networks score votes for the network in which its
    ``|PES|`` is largest; the weight w of a network is its share of the votes. NES is
    ``sum w z / sqrt(sum w^2)`` and PES is ``sum w p / sum w``, over the networks in which the score
    of the regulator is not 0.
    """
    names = all_regulators([t.columns for t in nes])
    common = [n for n in names if all(n in t.columns for t in nes)]
    ballots = np.array([np.abs(t[common].to_numpy()) for t in pes])
    votes = np.argmax(ballots, axis=0)
    share = np.array([(votes == k).mean(axis=1) for k in range(len(nes))])[:, :, None]
    z, p = (
        np.array([t.reindex(columns=names).fillna(0.0).to_numpy() for t in tables])
        for tables in (nes, pes)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        joined = (share * z).sum(0) / np.sqrt(((share * (z != 0)) ** 2).sum(0))
        size = (share * p).sum(0) / (share * (p != 0)).sum(0)
    index = nes[0].index
    return (
        pd.DataFrame(np.nan_to_num(joined, nan=0.0), index=index, columns=names),
        pd.DataFrame(np.nan_to_num(size, nan=0.0), index=index, columns=names),
    )


def _weighted(scores: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):  # infinite scores with weight 0, or of both signs
        joined = np.where(weights > 0, scores * weights, 0.0).sum(axis=0)
    return np.divide(joined, total, out=np.zeros(total.shape), where=total > 0)


def _check_assignment(chosen: NDArray[Any], samples: int, networks: int) -> None:
    fine = chosen.shape == (samples,) and chosen.dtype.kind in "iu"
    if not fine or (samples and (chosen.min() < 0 or chosen.max() >= networks)):
        raise InputError(
            f"assignment must have one network index (0 ... {networks - 1}) per sample."
        )
