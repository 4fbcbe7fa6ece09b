"""Pool all cells of a group into one sample: pseudobulk."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._parameters import Range, checked
from pysces.data._labels import labels_of
from pysces.errors import InputError
from pysces.samples._pools import Cells, Func, pooled_anndata, refuse_own_names, sums_or_means
from pysces.settings import EngineName

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("pysces")


@checked(min_cells=Range(1))
def pseudobulk(
    adata: AnnData,
    groupby: str | Sequence[str],
    *,
    layer: str | None = None,
    func: Func | None = None,
    min_cells: int = 10,
    engine: EngineName | None = None,
) -> AnnData:
    """Pool all cells of a group, such as the cells of one type from one patient.

    Parameters
    ----------
    adata
        Cells x genes, in memory or backed; it is not changed. Counts are expected, as in
        :func:`pysces.metacells`.
    groupby
        Column of ``adata.obs``, or several: the groups are the combinations that occur. Cells with
        a missing value are left out. No column may be named ``n_cells``, since the result has one.
    layer
        Layer with the counts, instead of ``adata.X``.
    func
        ``"sum"`` (counts only), ``"mean"``, or ``None``: sum for counts, else mean.
    min_cells
        Smaller groups are left out and logged.
    engine
        As in :func:`pysces.run_aracne`.

    Returns
    -------
    anndata.AnnData
        Groups x genes, as :func:`pysces.metacells` returns it: ``X``, ``layers["counts"]``, ``obs``
        (``n_cells`` and the columns of ``groupby``), ``var``, and ``uns["pseudobulk"]`` with
        ``["cells"]`` (column ``group``) and ``["params"]``.

    Raises
    ------
    InputError
        If a column does not exist, or no group is large enough.

    Examples
    --------
    >>> import numpy as np, anndata, pysces
    >>> adata = anndata.AnnData(np.ones((30, 2), dtype=np.float32))
    >>> adata.obs["patient"] = ["p1"] * 20 + ["p2"] * 10
    >>> pysces.pseudobulk(adata, "patient").layers["counts"].tolist()
    [[20.0, 20.0], [10.0, 10.0]]
    """
    columns = _columns(groupby)
    numbers, obs = _groups(adata, columns)
    for column in columns:
        refuse_own_names("groupby", column, {"n_cells": "the number of cells"})
    kept = _large_enough(obs, numbers, min_cells)
    renumbered = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # -1: no group
    pool_of = renumbered[numbers]
    cells = Cells.of(adata, layer, pool_of >= 0)
    func, _ = sums_or_means(cells, func)
    return pooled_anndata(
        adata,
        cells,
        pool_of[cells.order],
        obs[kept],
        func=func,
        key="pseudobulk",
        column="group",
        params={
            "groupby": columns,
            "layer": layer,
            "min_cells": min_cells,
            "n_left_over": int((pool_of < 0).sum()),
        },
        engine=engine,
    )


def _columns(groupby: str | Sequence[str]) -> list[str]:
    """Column names as a list."""
    columns = [groupby] if isinstance(groupby, str) else list(groupby)
    if not columns:
        raise InputError("groupby= is empty. Pass one or more columns of .obs.")
    if len(set(columns)) < len(columns):
        raise InputError(f"groupby= names a column twice: {listed(columns)}. Name each once.")
    return columns


def _groups(adata: AnnData, columns: list[str]) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Group of each cell (-1 for none), and the labels of each group, indexed by its name."""
    table = pd.DataFrame({name: labels_of(adata, name, "groupby") for name in columns})
    # A missing value in any column means no group
    number = table.groupby(columns, observed=True, sort=True).ngroup()
    numbers: NDArray[np.int64] = np.asarray(number.fillna(-1), dtype=np.int64)
    present, first = np.unique(numbers, return_index=True)
    obs = table.iloc[first[present >= 0]].copy()
    obs.index = pd.Index(["-".join(map(str, row)) for row in obs.to_numpy()], dtype=object)
    if not obs.index.is_unique:
        raise InputError(
            "Different groups have the same name when their labels are joined by '-': "
            f"{listed(obs.index[obs.index.duplicated()])}. Rename the labels."
        )
    return numbers, obs


def _large_enough(
    obs: pd.DataFrame, numbers: NDArray[np.int64], min_cells: int
) -> NDArray[np.bool_]:
    """Groups with enough cells [groups]; the others are logged."""
    if len(obs) == 0:
        raise InputError(
            f"No cell has a group: each has a missing value in {listed(obs.columns)}. "
            "Fill in the columns or pass fewer of them."
        )
    sizes = np.bincount(numbers[numbers >= 0], minlength=len(obs))
    kept: NDArray[np.bool_] = sizes >= min_cells
    if not kept.any():
        raise InputError(
            f"None of the {len(obs)} groups of {listed(obs.columns)} has {min_cells} cells; the "
            f"largest has {sizes.max(initial=0)}. Pass a smaller min_cells= or coarser groups."
        )
    if not kept.all():
        small = [f"{name} ({size})" for name, size in zip(obs.index, sizes, strict=True)]
        log.warning(
            "%d groups with fewer than %d cells are left out: %s",
            (~kept).sum(),
            min_cells,
            listed(np.array(small)[~kept]),
        )
    return kept
