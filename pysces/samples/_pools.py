"""Compute sums and means of expression over pools of cells, by blocks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces import _seeds
from pysces._keys import PoolsResult
from pysces._messages import listed, outside
from pysces._record import RunRecord
from pysces.data._depth import TOTAL, total_counts
from pysces.data._expression import Expression
from pysces.data._inputs import matrix_of
from pysces.data._results import write
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks, progress
from pysces.dispatch.engines import record, use_engine
from pysces.errors import InputError, PyscesWarning
from pysces.samples._neighbours import principal_components
from pysces.settings import EngineName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

Func = Literal["sum", "mean"]
TARGET_SUM = 1e4
"""Total counts of a pool after normalisation."""

_EXACT_IN_FLOAT32 = 2**24


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a matrix that will be pooled.

    Attributes
    ----------
    expression
        Cells x genes.
    order
        Positions of the cells in an order that depends only on their names and the seed.
    scattered
        Whether cells can be read in any order at no extra cost (the matrix is in memory).
        Otherwise they are read in the order of the file.
    """

    expression: Expression
    order: NDArray[np.intp]
    scattered: bool

    @classmethod
    def of(
        cls, adata: AnnData, layer: str | None, chosen: NDArray[np.bool_], seed: int = 0
    ) -> Cells:
        """The cells of an AnnData that a mask selects."""
        expression = Expression.from_anndata(adata, layer=layer)
        names = expression.samples
        if not names.is_unique:
            raise InputError(
                f"Cell names occur more than once: {listed(names[names.duplicated()])}. "
                "Make them unique first, with `adata.obs_names_make_unique()`."
            )
        positions = np.flatnonzero(chosen)
        keys = _seeds.keys(seed, names[positions], "cells")
        order = positions[np.lexsort((names[positions].to_numpy(dtype=str), keys))]
        matrix, _, _ = matrix_of(adata, layer)
        return cls(expression, order, isinstance(matrix, np.ndarray) or sp.issparse(matrix))

    def reading(self, cells: NDArray[np.intp]) -> NDArray[np.intp]:
        """The positions of the cells in the order in which to read them."""
        return cells if self.scattered else np.sort(cells)

    def blocks(
        self, cells: NDArray[np.intp], description: str
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield positions and values [cells genes] of some cells by blocks, in reading order."""
        length = block_length(self.expression.n_genes * 8 * 3, len(cells))
        parts = list(blocks(len(cells), length))
        for part in progress(parts, description, total=len(parts), unit="block"):
            yield cells[part], self.expression.sample_block(cells[part])

    def are_counts(self) -> bool:
        """Whether all values are non-negative integers."""
        return all(
            values.min(initial=0.0) >= 0 and bool((values == np.rint(values)).all())
            for _, values in self.blocks(self.reading(self.order), "checking counts")
        )

    def components(
        self, counts: bool, n_components: int, n_top_genes: int, seed: int
    ) -> NDArray[np.float64]:
        """Principal components [cells components], rows in the order of `order`.

        Computed from the ``n_top_genes`` most variable genes, on ln(1 + counts per 10,000) for
        counts and on unchanged values otherwise.
        """
        reading = self.reading(self.order)
        total, squares = np.zeros((2, self.expression.n_genes))
        for _, values in self.blocks(reading, "finding variable genes"):
            part = normalised(values) if counts else values
            total += part.sum(axis=0)
            squares += (part * part).sum(axis=0)
        variance = squares / len(reading) - (total / len(reading)) ** 2
        variance[variance <= 1e-12 * squares / len(reading)] = 0.0  # rounding
        top = np.sort(np.lexsort((np.arange(len(variance)), -variance))[:n_top_genes])
        top = top[variance[top] > 0]
        if len(top) == 0:
            return np.zeros((len(self.order), 1))
        rows = [
            sp.csr_array((normalised(values) if counts else values)[:, top])
            for _, values in self.blocks(reading, "principal components")
        ]
        row_of = np.empty(self.expression.n_samples, dtype=np.intp)
        row_of[reading] = np.arange(len(reading))
        matrix = sp.csr_array(sp.vstack(rows))[row_of[self.order]]
        return principal_components(matrix, n_components, seed)

    def means(
        self, pool: NDArray[np.int64], n_pools: int, counts: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Mean of each gene over the cells of each pool [pools genes], and cells of each pool.

        ``pool``: the pool of each cell in the order of `order`; -1 for none. Sums are returned for
        counts.
        """
        pooled = pool >= 0
        size = np.bincount(pool[pooled], minlength=n_pools)
        pool_of = np.full(self.expression.n_samples, -1, dtype=np.int64)
        pool_of[self.order] = pool
        by_pool = np.argsort(pool[pooled], kind="stable")
        cells = self.reading(self.order[pooled][by_pool])
        sums = np.zeros((n_pools, self.expression.n_genes))
        for some, values in self.blocks(cells, "pooling cells"):
            present, local = np.unique(pool_of[some], return_inverse=True)
            means = ops.segment_means(values, local.astype(np.int32), len(present))
            sums[present] += means * np.bincount(local)[:, None]
        if counts:
            return np.rint(
                sums
            ), size  # a mean times its number of cells is an integer up to rounding
        return sums / size[:, None], size


def normalised(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """``ln(1 + counts per 10,000)`` of each row; rows without counts stay 0.

    >>> normalised(np.array([[1.0, 3.0], [0.0, 0.0]])).round(3).tolist()
    [[7.824, 8.923], [0.0, 0.0]]
    """
    total = counts.sum(axis=1, keepdims=True)
    return np.log1p(counts * (TARGET_SUM / np.where(total > 0, total, 1.0)))


def refuse_own_names(argument: str, column: str | None, own: Mapping[str, str]) -> None:
    """Raise InputError if a column of the result would overwrite a column of ``obs``."""
    if column is not None and column in own:
        raise InputError(
            f"{argument}={column!r} is also the name of a column of the result, which holds "
            f"{own[column]}. Rename yours first: "
            f"`adata.obs = adata.obs.rename(columns={{{column!r}: '{column}_label'}})`."
        )


def sums_or_means(cells: Cells, func: Func | None) -> tuple[Func, bool]:
    """The function to compute, ``"sum"`` or ``"mean"``, and whether the values are counts."""
    counts = cells.are_counts()
    if func == "sum" and not counts:
        raise InputError(
            "The values are not counts (some are negative or not integers), so sums are invalid. "
            "Pass layer= with the layer of the counts, or func='mean'."
        )
    if func is None and not counts:
        warnings.warn(
            "The values are not counts (some are negative or not integers): pools get means, not "
            "normalised sums. Pass layer= with the layer of the counts, or func='mean' if "
            "means are intended.",
            PyscesWarning,
            stacklevel=outside(),
        )
    return func or ("sum" if counts else "mean"), counts


def pooled_anndata(
    adata: AnnData,
    cells: Cells,
    pool: NDArray[np.int64],
    obs: pd.DataFrame,
    *,
    func: Func,
    key: str,
    column: str,
    params: Mapping[str, Any],
    engine: EngineName | None,
) -> AnnData:
    """Pools x genes, with a record of the pool of each cell.

    Parameters
    ----------
    adata
        The data of the cells.
    cells, pool
        The cells, and the pool of each (-1 for none).
    obs
        Facts about the pools; the column ``n_cells`` is added as the first.
    func
        ``"sum"`` (of counts) or ``"mean"``.
    key, column
        ``uns[key]["cells"]`` names the pool of each pooled cell in this column.
    params
        For ``uns[key]["params"]``.
    engine
        ``None`` for the current one.
    """
    from anndata import AnnData

    with use_engine(engine) as chosen:
        values, size = cells.means(pool, len(obs), func == "sum")
        how = RunRecord(key, {**params, "func": func}, {}, record(chosen))
    obs = obs.copy()
    obs.insert(0, "n_cells", size)
    layers = {}
    if func == "sum":
        exact = values.max(initial=0.0) <= _EXACT_IN_FLOAT32
        layers["counts"] = values.astype(np.float32) if exact else values
        values = normalised(values)
        total = total_counts(adata)
        if total is not None and TOTAL not in obs:
            # Sum over all counted genes, even if only some are left: the depth of the pool
            own = pool >= 0
            obs[TOTAL] = np.bincount(pool[own], weights=total[cells.order][own], minlength=len(obs))
    pooled = pool >= 0
    names = cells.expression.samples[cells.order[pooled]]
    by_pool = np.argsort(pool[pooled], kind="stable")
    where = pd.Categorical.from_codes(pool[pooled][by_pool], categories=obs.index)
    result = AnnData(
        values.astype(np.float32),
        obs=obs,
        var=adata.var.copy(),
        layers=layers,
    )
    table = pd.DataFrame({column: where}, index=pd.Index(names[by_pool], name=None))
    write(result, key, PoolsResult(cells=table, record=how))
    return result
