"""Activities by several networks joined into one (metaVIPER, Ding et al. 2018)."""

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

_EXTREMES = 50  # regulators at either end that tell how well a network fits a cell


def combine_networks(
    tables: Sequence[pd.DataFrame],
    *,
    weighting: float | tuple[float, float] | str = 1.0,
    assignment: ArrayLike | None = None,
) -> pd.DataFrame:
    """One activity of each regulator in each sample from those by several networks.

    Parameters
    ----------
    tables
        NES by each network, samples x regulators, with the same samples.
    weighting
        A number a: each score z weighs ``|z|^a``. Two numbers (b, a): it weighs
        ``1 / (1 + exp(-a (|z| - b)))``. ``"best"``: each sample takes the network with the
        largest difference between the means of its highest and lowest 50 scores.
    assignment
        Number of the network of each sample, instead of weights.

    Returns
    -------
    Samples x regulators of any network, in the order of their first network. A regulator missing
    from a network counts as 0 there; 0 where it is 0 everywhere.

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
    names = _all_regulators(tables)
    scores = np.array([t.reindex(columns=names).fillna(0.0).to_numpy() for t in tables])
    index = tables[0].index
    if isinstance(weighting, tuple | list):
        middle, slope = weighting
        joined = _weighted(scores, special.expit(slope * (np.abs(scores) - middle)))
    else:
        # Over the largest of the networks, so that no power overflows and one of them stays 1.
        sizes = np.abs(scores)
        largest = sizes.max(axis=0)
        usual = np.isfinite(largest) & (largest > 0)
        share = np.where(usual, sizes / np.where(usual, largest, 1.0), np.isinf(sizes))
        joined = _weighted(scores, share ** float(weighting))
    return pd.DataFrame(joined, index=index, columns=names)


def own_network(tables: Sequence[pd.DataFrame], assignment: ArrayLike) -> pd.DataFrame:
    """Each sample's row of the table of its network, regulators of all; NaN where it has none."""
    chosen = np.asarray(assignment)
    index, names = tables[0].index, _all_regulators(tables)
    _check_assignment(chosen, len(index), len(tables))
    values = np.array([t.reindex(columns=names).to_numpy() for t in tables])
    return pd.DataFrame(values[chosen, np.arange(len(index))], index=index, columns=names)


def _all_regulators(tables: Sequence[pd.DataFrame]) -> pd.Index:
    """Regulators of any network, in the order of their first."""
    return pd.Index(np.concatenate([t.columns.to_numpy(dtype=object) for t in tables])).unique()


def check_weighting(weighting: Any) -> None:
    """InputError unless it is a power (0 or more), two numbers or ``"best"``."""
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
    """The network under which each sample's scores spread most; the first on equality.

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
    """NES and PES by several networks joined: networks weigh by the votes of the regulators.

    In each sample every regulator that all networks score votes for the network with its largest
    ``|PES|``; w is a network's share of the votes. NES is ``sum w z / sqrt(sum w^2)`` and PES
    ``sum w p / sum w`` over the networks in which the regulator isn't 0.
    """
    names = _all_regulators(nes)
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
    with np.errstate(invalid="ignore"):  # infinite scores of no weight, or of both signs
        joined = np.where(weights > 0, scores * weights, 0.0).sum(axis=0)
    return np.divide(joined, total, out=np.zeros(total.shape), where=total > 0)


def _check_assignment(chosen: NDArray[Any], samples: int, networks: int) -> None:
    fine = chosen.shape == (samples,) and chosen.dtype.kind in "iu"
    if not fine or (samples and (chosen.min() < 0 or chosen.max() >= networks)):
        raise InputError(
            f"assignment must have one number of a network (0 ... {networks - 1}) per sample."
        )
