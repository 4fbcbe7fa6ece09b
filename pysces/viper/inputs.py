"""What users pass to runs of VIPER: cells, and those to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pysces.data.expression import Expression
from pysces.data.labels import group_mask, labels_of
from pysces.errors import InputError
from pysces.messages import listed, nearest
from pysces.viper.blocks import finite, frame
from pysces.viper.signatures import reference_rows

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray


def source_of(adata: AnnData, layer: str | None) -> Expression | pd.DataFrame:
    """Expression by blocks; a single cell as a table."""
    if getattr(adata, "n_obs", 2) >= 2:
        return Expression.from_anndata(adata, layer=layer, allow_missing=True)
    if layer is not None and layer not in adata.layers:
        raise InputError(
            f"Did not find .layers[{layer!r}]{nearest(layer, adata.layers)}. "
            f"Layers there: {listed(adata.layers)}."
        )
    if layer is None and adata.X is None:
        raise InputError("adata.X is empty (None). Pass layer= with the name of a layer to read.")
    values = adata.X if layer is None else adata.layers[layer]
    return finite(frame(values, adata.var_names, adata.obs_names))


def reference_of(
    adata: AnnData, reference: ArrayLike | str | None, groupby: str | None
) -> NDArray[np.intp] | None:
    """Positions of the cells to compare with; None for all."""
    if not isinstance(reference, str):
        return reference_rows(reference, adata.obs_names)
    if groupby is None:
        raise InputError(
            f"reference={reference!r} must be a group of groupby=, a column of adata.obs: "
            f"{listed(adata.obs.columns)}. Pass groupby= too, or a mask of cells as reference."
        )
    return reference_rows(
        group_mask(labels_of(adata, groupby), groupby, reference), adata.obs_names
    )
