"""Groups of cells, named by a column of ``adata.obs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pysces.checks import check_column
from pysces.errors import InputError
from pysces.messages import listed, nearest

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray


def group_labels(adata: AnnData, groupby: Any) -> pd.Series:
    """Names of the groups of cells as text; a missing label stays missing."""
    check_column(adata, groupby)
    labels = adata.obs[groupby]
    known = pd.unique(labels.dropna())
    texts = pd.Index([str(label) for label in known])
    if not texts.is_unique:
        raise InputError(
            f"Labels of .obs[{groupby!r}] are the same as text: "
            f"{listed(texts[texts.duplicated()].unique())}. Rename them, or convert the column "
            "with `.astype(str)` to make them one group."
        )
    return labels.astype(object).where(labels.notna(), None).map(str, na_action="ignore")


def group_names(adata: AnnData, groupby: Any) -> list[str]:
    """Names of the groups that have cells: in the order of the categories, else sorted."""
    labels = group_labels(adata, groupby)
    column = adata.obs[groupby]
    values = column.cat.categories if hasattr(column, "cat") else column.dropna().unique()
    names = [str(value) for value in values]
    if not hasattr(column, "cat"):
        numeric = pd.api.types.is_numeric_dtype(column.dtype)
        names = [str(value) for value in sorted(values)] if numeric else sorted(names)
    there = set(labels.dropna())
    return [name for name in names if name in there]


def group_mask(adata: AnnData, groupby: Any, group: Any) -> NDArray[np.bool_]:
    """Cells of a group of a column of ``adata.obs``."""
    labels = group_labels(adata, groupby)
    known = labels.dropna().unique()
    if str(group) not in set(known):
        raise InputError(
            f"{group!r} isn't in .obs[{groupby!r}]{nearest(group, known)}. Groups: {listed(known)}."
        )
    return (labels == str(group)).to_numpy(dtype=bool)
