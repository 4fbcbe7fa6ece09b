"""Prepare activities of groups of cells for plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_column
from pysces._messages import listed
from pysces.errors import InputError
from pysces.pl._style import names_of
from pysces.viper.activity import activity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray


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
    check_column(scores, groupby)
    regulators = None if regulators is None else names_of(regulators)
    if absent := [name for name in regulators or () if name not in scores.var_names]:
        raise InputError(
            f"Did not find activities of {listed(absent)} in .obsm[{key!r}]. "
            f"Regulators: {listed(scores.var_names)}."
        )
    grouped = scores[scores.obs[groupby].notna().to_numpy()]
    return grouped[:, regulators].copy() if regulators is not None else grouped.copy()


def similarity_order(values: NDArray[np.float64]) -> tuple[list[int], dict[str, Any] | None]:
    """Order of rows by hierarchical clustering, and the tree; None for fewer than three rows."""
    from scipy.cluster import hierarchy

    if len(values) < 3:
        return list(range(len(values))), None
    linkage = hierarchy.linkage(values, "average", optimal_ordering=len(values) <= 500)
    tree: Any = hierarchy.dendrogram(linkage, no_plot=True)
    return tree["leaves"], tree
