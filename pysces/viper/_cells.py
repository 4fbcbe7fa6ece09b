"""Cells x genes as VIPER reads them: genes in the order of their names, by blocks of cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from pysces._checks import check_unique_genes
from pysces._messages import listed
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._expression import Expression


class Cells(Protocol):
    """Float64 values of cells x genes, read by blocks."""

    @property
    def n_cells(self) -> int:
        """Number of cells."""

    @property
    def n_genes(self) -> int:
        """Number of genes."""

    def block(self, cells: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        """Values of some cells [cells genes]."""

    def columns(self, genes: slice) -> NDArray[np.float64]:
        """Values of some genes over all cells [cells genes]."""


@dataclass(frozen=True)
class Table:
    """Some genes and cells of an array in memory (all for None); copied block by block."""

    values: NDArray[np.float64]
    chosen: NDArray[np.intp] | None = None
    rows: NDArray[np.intp] | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.values) if self.rows is None else len(self.rows)

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return self.values.shape[1] if self.chosen is None else len(self.chosen)

    def block(self, cells: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        """Values of some cells [cells genes]."""
        part = self.values[cells if self.rows is None else self.rows[cells]]
        return part if self.chosen is None else np.take(part, self.chosen, axis=1)

    def columns(self, genes: slice) -> NDArray[np.float64]:
        """Values of some genes over all cells [cells genes]."""
        part = self.values[:, genes if self.chosen is None else self.chosen[genes]]
        return part if self.rows is None else part[self.rows]


@dataclass(frozen=True)
class Read:
    """Cells of an expression matrix: sparse, on disk, of Dask, or dense in memory."""

    expression: Expression
    rows: NDArray[np.intp] | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.expression.n_samples if self.rows is None else len(self.rows)

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return self.expression.n_genes

    def block(self, cells: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        """Values of some cells [cells genes]."""
        chosen = cells if self.rows is None else self.rows[cells]
        return self.expression.sample_block(chosen)

    def columns(self, genes: slice) -> NDArray[np.float64]:
        """Values of some genes over all cells [cells genes]."""
        values = self.expression.gene_block(genes).T
        return values if self.rows is None else values[self.rows]


def some_cells(cells: Table | Read, rows: NDArray[np.intp] | None) -> Table | Read:
    """Some of the cells (all for None)."""
    if rows is None:
        return cells
    before = np.arange(cells.n_cells) if cells.rows is None else cells.rows
    return replace(cells, rows=before[rows])


def finite(table: pd.DataFrame) -> pd.DataFrame:
    """The table, unless a value is infinite (InputError); missing ones may be there."""
    infinite = np.isinf(table.to_numpy()).any(axis=0)
    if infinite.any():
        raise InputError(
            f"The table has infinite values in {np.count_nonzero(infinite)} of {len(infinite)} "
            f"columns: {listed(table.columns[infinite])}. Remove or replace them first."
        )
    return table


def by_name(names: pd.Index) -> NDArray[np.intp]:
    """Positions of cells in the order of their names: what is drawn by them is drawn by name."""
    return np.argsort(names.to_numpy().astype(str), kind="stable")


def in_memory(values: Any) -> NDArray[Any]:
    """A dense array from one of Dask, sparse or on disk."""
    for read in ("compute", "to_memory", "toarray"):  # chunks of Dask and files may be sparse
        if hasattr(values, read):
            values = getattr(values, read)()
    return np.asarray(values)


def frame(data: Any, genes: Any = None, cells: Any = None) -> pd.DataFrame:
    """A table cells x genes of float64 from a DataFrame, an AnnData, an array or a sparse matrix.

    Raises
    ------
    InputError
        If names are missing or repeat, or values aren't numbers.
    """
    if hasattr(data, "obs_names") and hasattr(data, "to_df"):
        data = pd.DataFrame(in_memory(data.X), index=data.obs_names, columns=data.var_names)
    if not isinstance(data, pd.DataFrame):
        if genes is None:
            raise InputError(
                f"A matrix of type {type(data).__name__} doesn't name its genes. "
                "Pass a DataFrame whose columns are genes."
            )
        data = pd.DataFrame(in_memory(data), index=cells, columns=np.asarray(genes))
    if any(np.dtype(kind).kind == "c" for kind in data.dtypes if isinstance(kind, np.dtype)):
        raise InputError("The table holds complex numbers. Take their size or real part first.")
    try:
        values = np.ascontiguousarray(data.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise InputError(f"The table holds values that aren't numbers ({error}).") from error
    names = pd.Index(data.columns).astype(str)
    check_unique_genes(names)
    return pd.DataFrame(values, index=data.index, columns=names)
