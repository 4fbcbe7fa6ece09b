"""Read expression (cells x genes) for VIPER, in blocks of cells or of genes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces.data._expression import Expression
from pysces.dispatch.blocks import block_length, blocks
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST = 256


def cells_of(data: Any, *, allow_infinite: bool = False) -> tuple[Expression, pd.Index]:
    """Values of a DataFrame, or of ``X`` of an AnnData, and the names of the cells.

    Raises
    ------
    InputError
        If gene names are missing or not unique, or if the values cannot be used.
    """
    allowed: Any = {
        "allow_missing": True,
        "allow_infinite": allow_infinite,
        "least_samples": 0,
    }
    if hasattr(data, "obs_names") and hasattr(data, "layers"):
        return Expression.from_anndata(data, **allowed), data.obs_names
    if not isinstance(data, pd.DataFrame):
        raise InputError(
            f"A matrix of type {type(data).__name__} has no gene names. "
            "Pass a DataFrame whose columns are genes."
        )
    return Expression.from_matrix(data, **allowed), data.index


def frame(data: Any) -> pd.DataFrame:
    """Values of a DataFrame or an AnnData as a DataFrame of float64 in memory, cells x genes."""
    cells, names = cells_of(data)
    return pd.DataFrame(cells.sample_block(), index=names, columns=cells.genes)


def by_blocks(cells: Expression) -> Iterator[NDArray[np.float64]]:
    """Iterate over blocks of cells whose ranks fit in memory [cells genes]."""
    step = block_length(24.0 * cells.n_genes, cells.n_samples)
    return (cells.sample_block(part, copy=False) for part in blocks(cells.n_samples, step))


def stored_per_cell(cells: Expression) -> float | None:
    """Mean number of stored values of the first cells; None if they are not stored sparse."""
    rows = cells.sparse_block(slice(0, _FIRST))
    return None if rows is None else len(rows.genes) / max(1, len(rows.indptr) - 1)


def by_genes(cells: Expression) -> Iterator[NDArray[np.float64]]:
    """Iterate over blocks of genes, each with all cells [cells genes]."""
    step = block_length(40.0 * cells.n_samples, cells.n_genes)
    return (cells.gene_block(part).T for part in blocks(cells.n_genes, step))


def by_name(names: pd.Index) -> NDArray[np.intp]:
    """Positions of cells in the order of their names, so that draws do not depend on cell order."""
    return np.argsort(names.to_numpy().astype(str), kind="stable")
