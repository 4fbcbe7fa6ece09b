"""Groups of samples by a column of ``adata.obs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_column
from pysces._messages import listed, nearest
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def labels_of(adata: AnnData, column: str | None, argument: str = "groupby") -> pd.Categorical:
    """A column of ``obs`` as text; a missing label stays missing.

    Its categories are the groups that occur: in the order of the categories of the column, else
    sorted (numbers numerically). Without a column there is one group with an empty name.
    """
    if not hasattr(adata, "obs"):
        raise InputError(f"Expected an AnnData, got {type(adata).__name__}.")
    if column is not None:
        check_column(adata, column, argument)
    values: Any = [""] * adata.n_obs if column is None else adata.obs[column]
    try:
        labels = pd.Categorical(values).remove_unused_categories()
    except TypeError as error:
        raise InputError(
            f".obs[{column!r}] of {argument} cannot give labels ({error}). Convert the column with "
            "`.astype(str)`."
        ) from error
    texts = pd.Index([str(label) for label in labels.categories])
    if not texts.is_unique:
        raise InputError(
            f"Labels of .obs[{column!r}] become equal when converted to text: "
            f"{listed(texts[texts.duplicated()].unique())}. Rename them, or convert the column "
            "with `.astype(str)` to make them one group."
        )
    return labels.rename_categories(dict(zip(labels.categories, texts, strict=True)))


def group_mask(labels: pd.Categorical, groupby: str, group: Any) -> NDArray[np.bool_]:
    """Samples of one group, by the labels of a column."""
    if str(group) not in labels.categories:
        known = labels.categories
        raise InputError(
            f"{group!r} is not in .obs[{groupby!r}]{nearest(group, known)}. "
            f"Groups: {listed(known)}."
        )
    return np.asarray(labels == str(group))
