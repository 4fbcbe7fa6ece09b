"""Prepare activities of groups of cells for plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._keys import RankingResult, read
from pysces._messages import listed
from pysces.data._labels import labels_of
from pysces.errors import InputError
from pysces.pl._style import names_of
from pysces.viper.activity import activity
from pysces.viper.groups.ranking import ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from pysces._record import RunRecord


def group_means(
    adata: AnnData, key: str, groupby: str, regulators: str | Sequence[str] | None, number: int
) -> pd.DataFrame:
    """Mean activity, regulators x groups."""
    scores = scores_of(adata, key, groupby, regulators)
    groups = scores.obs[groupby].astype(str)
    means = scores.to_df().groupby(groups.to_numpy()).mean().T
    if regulators is None:
        spread = means.var(axis=1, ddof=0).sort_values(ascending=False, kind="stable")
        means = means.loc[spread.index[:number]]
    return means.dropna(axis=0)


def scores_of(
    adata: AnnData, key: str, groupby: str, regulators: str | Sequence[str] | None
) -> AnnData:
    """Activities of the given regulators in the cells that belong to a group."""
    scores = activity(adata, key)
    labels = labels_of(scores, groupby)
    regulators = None if regulators is None else names_of(regulators)
    if absent := [name for name in regulators or () if name not in scores.var_names]:
        raise InputError(
            f"Did not find activities of {listed(absent)} in .obsm[{key!r}]. "
            f"Regulators: {listed(scores.var_names)}."
        )
    grouped = scores[labels.codes >= 0]
    return grouped[:, regulators].copy() if regulators is not None else grouped.copy()


@dataclass(frozen=True)
class Ranked:
    """The first regulators of each group of a ranking.

    Attributes
    ----------
    scores
        Activities of these regulators in the cells that have a label.
    groupby, reference
        As in the run.
    regulators
        Regulators by group. A regulator that is among the first of several groups is in the one
        where it is increased most.
    groups
        All groups of the column, ranked ones first.
    """

    scores: AnnData
    groupby: str
    reference: str
    regulators: dict[str, list[str]]
    groups: list[str]

    @property
    def names(self) -> list[str]:
        """All regulators, in the order of their groups."""
        return [name for own in self.regulators.values() for name in own]


def first_ranked(
    adata: AnnData, key: str, groups: str | Sequence[str] | None, number: int
) -> Ranked:
    """Read a ranking and the activities that were ranked; decreased regulators are left out."""
    table, record = ranking_of(adata, key, groups)
    best = table[table["difference"] > 0].groupby("group", sort=False).head(number)
    if not len(best):
        raise InputError("No regulator of the ranking is increased in a group. Pass other groups.")
    best = best.sort_values("difference", ascending=False, kind="stable")
    best = best.drop_duplicates("regulator").sort_index()
    order = list(dict.fromkeys(table["group"].astype(str)))
    own = {group: best.loc[best["group"] == group, "regulator"].tolist() for group in order}
    groupby = str(record.options["groupby"])
    names = [name for members in own.values() for name in members]
    scores = scores_of(adata, str(record.options["key"]), groupby, names)
    present = labels_of(scores, groupby).categories
    if gone := [name for name in order if name not in present]:
        raise InputError(
            f"No cell is in these groups of the ranking any more: {listed(gone)}. Run "
            f"`pysces.rank_regulators(adata, {groupby!r})` again, or pass groups= without them."
        )
    rest = [name for name in present if name not in own]
    return Ranked(scores, groupby, str(record.options["reference"]), own, order + rest)


def ranking_of(
    adata: AnnData, key: str, groups: str | Sequence[str] | None
) -> tuple[pd.DataFrame, RunRecord]:
    """The table of a ranking, of these groups in this order, and how it was computed."""
    if groups is None:
        table = ranking(adata, key=key)
    else:
        parts = [ranking(adata, str(group), key) for group in dict.fromkeys(names_of(groups))]
        if not parts:
            raise InputError("No group to draw: groups= is empty.")
        table = pd.concat(parts, ignore_index=True)
    table = table.astype({"group": str, "regulator": str})
    return table, read(RankingResult, adata, key).record


def similarity_order(values: NDArray[np.float64]) -> tuple[list[int], dict[str, Any] | None]:
    """Order of rows by hierarchical clustering, and the tree; None for fewer than three rows."""
    from scipy.cluster import hierarchy

    if len(values) < 3:
        return list(range(len(values))), None
    linkage = hierarchy.linkage(values, "average", optimal_ordering=len(values) <= 500)
    tree: Any = hierarchy.dendrogram(linkage, no_plot=True)
    return tree["leaves"], tree
