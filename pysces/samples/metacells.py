"""Pool neighbouring cells into metacells: fewer samples with more counts."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._messages import listed, outside
from pysces._parameters import Range, checked
from pysces.data._labels import labels_of
from pysces.errors import InputError, PyscesWarning
from pysces.samples._neighbours import Space, disjoint_pools, source_of_neighbours
from pysces.samples._pools import Cells, Func, pooled_anndata, refuse_own_names, sums_or_means
from pysces.settings import EngineName

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("pysces")

_OWN = {"n_cells": "the number of cells", "purity": "the share of the most frequent label"}


@checked(n_cells=Range(2), n_metacells=Range(1), n_pcs=Range(1), n_top_genes=Range(2))
def metacells(
    adata: AnnData,
    groupby: str | None = None,
    *,
    n_cells: int = 10,
    n_metacells: int | None = None,
    layer: str | None = None,
    use_rep: str | None = None,
    obsp: str | None = None,
    n_pcs: int = 30,
    n_top_genes: int = 2000,
    purity_of: str | None = None,
    func: Func | None = None,
    seed: int = 0,
    engine: EngineName | None = None,
) -> AnnData:
    """Pool neighbouring cells into metacells, to reveal correlations between genes.

    Most counts of a single cell are 0 or 1, which hides the correlation of genes. A metacell is the
    sum of the counts of ``n_cells`` similar cells. **No cell is in two metacells**: shared cells
    would make samples dependent, and ARACNe would interpret the dependence as regulation.

    Metacells are started from cells in a random order that depends on ``seed``; each takes the
    nearest cells that are free, then those nearest to its first neighbour, and so on. Cells that
    cannot complete a metacell are left over.

    Parameters
    ----------
    adata
        Cells x genes, in memory or backed; it is not changed. **Counts** are expected: for
        negative or non-integer values, means are computed instead of sums, with a warning.
    groupby
        Column of ``adata.obs`` (cluster, patient); cells of different groups are never pooled, and
        cells with a missing value are left out. The column must not be named ``n_cells`` or
        ``purity``, since the result has columns of these names.
    n_cells
        Number of cells in each metacell.
    n_metacells
        Number of metacells (of each group); ``None`` for as many as possible.
    layer
        Layer with the counts, instead of ``adata.X``.
    use_rep
        Key of ``adata.obsm`` with coordinates of the cells (Euclidean distance; the offset and
        units of the coordinates do not matter).
    obsp
        Key of ``adata.obsp`` with a graph of neighbours instead: in one whose name contains
        "distances" a smaller value is nearer, in any other ("connectivities") a larger one. With
        neither, ``obsm["X_pca"]`` is used if present, else ``obsp["connectivities"]``, else
        principal components are computed.
    n_pcs
        Number of principal components, if computed.
    n_top_genes
        Number of genes they are computed from: the most variable ones in ln(1 + counts per 10,000).
    purity_of
        Column of ``adata.obs`` (cell type, for example) that purity is computed from; ``groupby``
        by default.
    func
        ``"sum"`` (counts only), ``"mean"``, or ``None``: sum for counts, else mean.
    seed
        Seed of the order of cells and of ties.
    engine
        As in :func:`pysces.run_aracne`.

    Returns
    -------
    anndata.AnnData
        Metacells x genes, dense, with

        ``X``
            ln(1 + counts per 10,000) for sums; the means otherwise.
        ``layers["counts"]``
            The sums (absent for means).
        ``obs``
            ``n_cells``; the group under its own name; ``purity``, the share of the most frequent
            label of ``purity_of``, and that label under its own name. For sums also
            ``total_counts``, if the cells have this column: the depth of the metacell.
        ``var``
            A copy of that of ``adata``.
        ``uns["metacells"]``
            ``["cells"]``: the metacell of each pooled cell, a DataFrame indexed by cell names, so
            that ``adata.obs["metacell"] = result.uns["metacells"]["cells"]["metacell"]`` works;
            ``["params"]``: all arguments, the source of neighbours, the number of cells left over.

        The result depends on the names of the cells, not on their order, and not on the number of
        threads. Neighbours are exact for up to 32,768 cells (per group); more are split along the
        coordinates first. (Means of a matrix on disk are added in the order of the file, so the
        last bits may differ.)

    Raises
    ------
    PyscesError
        If scikit-learn (extra ``samples``) is required and not installed; a graph does not need it.
    InputError
        If groups have too few cells (the message lists their sizes), a key is missing, has missing
        or infinite values or connects no cells, or an argument cannot be used.

    Warns
    -----
    PyscesWarning
        If the values are not counts, fewer than ``n_metacells`` metacells could be made, or
        coordinates do not resolve which cells are near each other.

    References
    ----------
    Baran et al. 2019, Genome Biology 20:206 (the idea of metacells; the pooling here is simpler,
    and metacells are disjoint).

    Examples
    --------
    >>> import numpy as np, anndata, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.poisson(0.5, size=(60, 8)).astype(np.float32))
    >>> pooled = pysces.metacells(adata, n_cells=5)
    >>> pooled.obs["n_cells"].unique().tolist(), pooled.uns["metacells"]["cells"].index.is_unique
    ([5], True)
    """
    groups = labels_of(adata, groupby, "groupby")
    label_key = purity_of or groupby
    labels = None if label_key is None else labels_of(adata, label_key, "purity_of")
    refuse_own_names("groupby", groupby, _OWN)
    refuse_own_names("purity_of", purity_of, _OWN)
    _refuse_small(groups, n_cells, n_metacells)
    source = source_of_neighbours(adata, use_rep, obsp)
    cells = Cells.of(adata, layer, groups.codes >= 0, seed)
    func, counts = sums_or_means(cells, func)
    space = Space.of(adata, cells, source, counts, n_pcs, n_top_genes, seed)
    codes = groups.codes[cells.order]
    pool = np.full(len(codes), -1, dtype=np.int64)
    names: list[str] = []
    made: list[int] = []
    n_neighbours = 0
    for code, group in enumerate(groups.categories):
        inside = np.flatnonzero(codes == code)
        neighbours = space.neighbours(inside, n_cells)
        n_neighbours += len(neighbours.cells)
        found = disjoint_pools(neighbours, n_cells, n_metacells)
        made.append(int(found.max(initial=-1)) + 1)
        pool[inside[found >= 0]] = found[found >= 0] + len(names)
        prefix = "metacell" if groupby is None else group
        names += [f"{prefix}-{number}" for number in range(1, made[-1] + 1)]
    _refuse_none(source, n_neighbours, len(names), n_cells)
    _warn_fewer(made, n_metacells, None if groupby is None else groups.categories)
    obs = pd.DataFrame(index=pd.Index(names, dtype=object))
    if groupby is not None:
        group_of = np.repeat(np.arange(len(made)), made)
        obs[groupby] = pd.Categorical.from_codes(group_of, dtype=groups.dtype)
    if labels is not None:
        obs[label_key], obs["purity"] = _purity(pool, labels[cells.order], len(names))
    n_left = int((pool < 0).sum())
    log.info("%d metacells of %d cells; %d cells are left over.", len(names), n_cells, n_left)
    params = {
        "n_cells": n_cells,
        "n_metacells": n_metacells,
        "groupby": groupby,
        "layer": layer,
        "neighbours": source,
        "n_pcs": n_pcs,
        "n_top_genes": n_top_genes,
        "purity_of": purity_of,
        "seed": seed,
        "n_left_over": n_left,
    }
    return pooled_anndata(
        adata,
        cells,
        pool,
        obs,
        func=func,
        key="metacells",
        column="metacell",
        params=params,
        engine=engine,
    )


def _refuse_small(groups: pd.Categorical, n_cells: int, n_metacells: int | None) -> None:
    """Raise InputError if a group has too few cells for the metacells."""
    sizes = np.bincount(groups.codes[groups.codes >= 0], minlength=len(groups.categories))
    needed = n_cells * (n_metacells or 1)
    small = np.flatnonzero(sizes < needed)
    if len(sizes) == 0:
        raise InputError(
            "No cell has a group: all values of groupby= are missing. Fill in the column."
        )
    if len(small) == 0:
        return
    wanted = f"{n_metacells or 1} metacell{'s' * ((n_metacells or 1) != 1)} of {n_cells} cells"
    remedy = "Pass smaller n_cells= or n_metacells="
    if len(groups.categories) == 1 and groups.categories[0] == "":
        raise InputError(f"{wanted} require {needed} cells; there are {sizes.sum()}. {remedy}.")
    named = [
        f"{name} ({size})"
        for name, size in zip(groups.categories, sizes, strict=True)
        if size < needed
    ]
    raise InputError(
        f"{len(small)} of {len(sizes)} groups have too few cells for {wanted}, "
        f"which require {needed}: {listed(named)}. {remedy}, merge those groups or remove them."
    )


def _refuse_none(source: str, n_neighbours: int, n_made: int, n_cells: int) -> None:
    """Raise InputError if no metacell could be made, as with a graph of too few edges."""
    key = source.partition("/")[2]
    if n_neighbours == 0:
        raise InputError(
            f".obsp[{key!r}] connects no two cells that can be pooled. "
            "Recompute neighbours with `scanpy.pp.neighbors(adata)`, or pass use_rep=."
        )
    if n_made == 0:
        raise InputError(
            f"No metacell of {n_cells} cells could be made: .obsp[{key!r}] connects too few "
            "cells. Pass a smaller n_cells=, a graph with more neighbours, or use_rep=."
        )


def _warn_fewer(made: list[int], asked: int | None, groups: pd.Index | None) -> None:
    """Warn of each group that has fewer metacells than requested, or none."""
    for position, number in enumerate(made):
        if number < (1 if asked is None else asked):
            where = "" if groups is None else f" in the group {groups[position]!r}"
            warnings.warn(_fewer(number, asked, where), PyscesWarning, stacklevel=outside())


def _fewer(number: int, asked: int | None, where: str) -> str:
    why = "the cells left over are not near enough to each other"
    if asked is None:
        return f"No metacell could be made{where}: {why}. Pass a smaller n_cells=."
    return (
        f"Only {number} of {asked} metacells could be made{where}: {why}. "
        "Pass a smaller n_cells= for more."
    )


def _purity(
    pool: NDArray[np.int64], labels: pd.Categorical, n_pools: int
) -> tuple[pd.Categorical, NDArray[np.float64]]:
    """Most frequent label of each pool (the first if tied), and its share of the cells."""
    counted = (pool >= 0) & (labels.codes >= 0)
    counts = np.zeros((n_pools, max(1, len(labels.categories))), dtype=np.int64)
    np.add.at(counts, (pool[counted], labels.codes[counted]), 1)
    most = counts.argmax(axis=1)
    share = counts.max(axis=1) / np.bincount(pool[pool >= 0], minlength=n_pools)
    return pd.Categorical.from_codes(
        np.where(counts.max(axis=1) > 0, most, -1), dtype=labels.dtype
    ), share
