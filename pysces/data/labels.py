"""Groups of samples, as a column of ``adata.obs`` tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pysces.checks import check_column
from pysces.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


def labels_of(adata: AnnData, column: str | None, argument: str) -> pd.Categorical:
    """A column of ``obs`` as categories of text that occur; one nameless category for None."""
    if not hasattr(adata, "obs"):
        raise InputError(f"Expected an AnnData, got {type(adata).__name__}.")
    if column is not None:
        check_column(adata, column, argument)
    values: Any = [""] * adata.n_obs if column is None else adata.obs[column]
    labels = pd.Categorical(values).remove_unused_categories()
    texts = [str(label) for label in labels.categories]
    if len(set(texts)) < len(texts):
        raise InputError(f"Labels of .obs[{column!r}] are the same as text. Rename them.")
    return labels.rename_categories(dict(zip(labels.categories, texts, strict=True)))
