"""Fewer, deeper samples from many shallow cells: pools of neighbouring cells."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces.checks import check_whole
from pysces.data.labels import labels_of
from pysces.errors import InputError, PyscesWarning
from pysces.messages import listed
from pysces.pooling.neighbours import (
    Neighbours,
    disjoint_pools,
    neighbours_in_graph,
    neighbours_in_space,
)
from pysces.pooling.pools import Cells, pooled_anndata, sums_or_means

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("pysces")

_NEIGHBOURS_PER_CELL = 3  # of a pool: more than it takes, since many are taken by earlier pools
_FEWEST_NEIGHBOURS = 15


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
    func: str | None = None,
    seed: int = 0,
    engine: str | None = None,
) -> AnnData:
    """Pool neighbouring cells into metacells, so that correlations between genes show.

    Most counts of a single cell are 0 or 1, which hides how genes vary together. A metacell adds up
    the counts of ``n_cells`` cells that are alike. **No cell is in two metacells**: shared cells
    would make samples dependent, and ARACNe would take the dependence for regulation.

    Cells found metacells in a random order fixed by ``seed``; a founder takes the nearest cells
    that are free, then those nearest to its first neighbour, and so on. Founders without enough
    free cells around them are left over, as are the cells that complete no metacell.

    Parameters
    ----------
    adata
        Cells x genes, in memory or backed; it isn't changed. **Counts** are expected: of values
        that are negative or not whole, means are taken instead of sums, with a warning.
    groupby
        Column of ``adata.obs`` (a cluster, a patient); cells of different groups are never mixed,
        and cells without a group (missing value) are left out.
    n_cells
        Cells in each metacell.
    n_metacells
        Metacells to make (of each group); ``None`` for as many as there can be.
    layer
        Layer with the counts, instead of ``adata.X``.
    use_rep
        Key of ``adata.obsm`` in which near cells are alike (Euclidean distance).
    obsp
        Key of ``adata.obsp`` with a graph of neighbours instead: in one whose name contains
        "distances" a smaller value is nearer, in any other ("connectivities") a larger one. With
        neither, ``obsm["X_pca"]`` is used if there, else ``obsp["connectivities"]``, else principal
        components computed here.
    n_pcs, n_top_genes
        Of the principal components computed here: how many, and of how many genes (those that vary
        most in ln(1 + counts per 10,000)).
    purity_of
        Column of ``adata.obs`` (a cell type, say) by which purity is told; ``groupby`` by default.
    func
        ``"sum"`` (counts only), ``"mean"``, or ``None``: sum for counts, else mean.
    seed
        Fixes the order of founders and ties.
    engine
        As in :func:`pysces.run_aracne`.

    Returns
    -------
    anndata.AnnData
        Metacells x genes, dense, with

        ``X``
            ln(1 + counts per 10,000) for sums; the means otherwise.
        ``layers["counts"]``
            The sums (not for means).
        ``obs``
            ``n_cells``; the group under its own name; ``purity``, the share of the most frequent
            label of ``purity_of``, and that label under its own name.
        ``var``
            A copy of that of ``adata``.
        ``uns["metacells"]``
            ``["cells"]``: the metacell of each pooled cell, a DataFrame indexed by cell names, so
            that ``adata.obs["metacell"] = result.uns["metacells"]["cells"]["metacell"]`` works;
            ``["params"]``: every argument, what neighbours were used, how many cells are left over.

        The result depends on the names of the cells, not on their order, and on no number of
        threads. (Means of a matrix on disk are added in the order of the file: the last bits may
        differ.)

    Raises
    ------
    InputError
        If groups have too few cells (they are named with their sizes), a key isn't there, or an
        argument can't be used.

    Warns
    -----
    PyscesWarning
        If the values aren't counts, or fewer than ``n_metacells`` metacells could be made.

    References
    ----------
    Baran et al. 2019, Genome Biology 20:206 (the idea of metacells; the pooling here is a plainer
    one, without a cell in two of them).

    Examples
    --------
    >>> import numpy as np, anndata, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.poisson(0.5, size=(60, 8)).astype(np.float32))
    >>> pooled = pysces.metacells(adata, n_cells=5)
    >>> pooled.obs["n_cells"].unique().tolist(), pooled.uns["metacells"]["cells"].index.is_unique
    ([5], True)
    """
    check_whole("n_cells", n_cells, 2)
    check_whole("n_pcs", n_pcs, 1)
    check_whole("n_top_genes", n_top_genes, 2)
    check_whole("seed", seed, 0)
    if n_metacells is not None:
        check_whole("n_metacells", n_metacells, 1)
    groups = labels_of(adata, groupby, "groupby")
    label_key = purity_of or groupby
    labels = None if label_key is None else labels_of(adata, label_key, "purity_of")
    _refuse_small(groups, n_cells, n_metacells)
    space = _space(adata, use_rep, obsp)
    cells = Cells.of(adata, layer, groups.codes >= 0, seed)
    func, counts = sums_or_means(cells, func)
    points = _points(adata, cells, space, counts, n_pcs, n_top_genes, seed)
    codes = groups.codes[cells.order]
    pool = np.full(len(codes), -1, dtype=np.int64)
    names: list[str] = []
    group_of: list[int] = []
    for code, group in enumerate(groups.categories):
        inside = np.flatnonzero(codes == code)
        neighbours = _neighbours(adata, cells, space, points, inside, n_cells)
        found = disjoint_pools(neighbours, n_cells, n_metacells)
        made = int(found.max(initial=-1)) + 1
        pool[inside[found >= 0]] = found[found >= 0] + len(names)
        prefix = "metacell" if groupby is None else group
        names += [f"{prefix}-{number}" for number in range(1, made + 1)]
        group_of += [code] * made
        _warn_fewer(made, n_metacells, groupby, group)
    obs = pd.DataFrame(index=pd.Index(names, dtype=object))
    if groupby is not None:
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
        "neighbours": space,
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
    """InputError if a group can't give the metacells asked for."""
    sizes = np.bincount(groups.codes[groups.codes >= 0], minlength=len(groups.categories))
    needed = n_cells * (n_metacells or 1)
    small = np.flatnonzero(sizes < needed)
    if len(small) == 0 and len(sizes):
        return
    wanted = f"{n_metacells or 1} metacell{'s' * ((n_metacells or 1) != 1)} of {n_cells} cells"
    remedy = "Pass smaller n_cells= or n_metacells="
    if len(groups.categories) == 1 and groups.categories[0] == "":
        raise InputError(f"{wanted} need {needed} cells; there are {sizes.sum()}. {remedy}.")
    named = [
        f"{name} ({size})"
        for name, size in zip(groups.categories, sizes, strict=True)
        if size < needed
    ]
    raise InputError(
        f"{len(small)} of {len(sizes)} groups have too few cells for {wanted}, "
        f"which take {needed}: {listed(named)}. {remedy}, merge those groups or remove them."
    )


def _space(adata: AnnData, use_rep: str | None, obsp: str | None) -> str:
    """Where neighbours come from: ``"obsm/<key>"``, ``"obsp/<key>"`` or ``"pca"``."""
    if use_rep is not None and obsp is not None:
        raise InputError("use_rep= and obsp= are two sources of neighbours. Pass one of them.")
    for slot, key in (("obsm", use_rep), ("obsp", obsp)):
        if key is None:
            continue
        there = getattr(adata, slot)
        if key not in there:
            raise InputError(f"Did not find .{slot}[{key!r}]. Keys there: {listed(there)}.")
        return f"{slot}/{key}"
    if "X_pca" in adata.obsm:
        return "obsm/X_pca"
    return "obsp/connectivities" if "connectivities" in adata.obsp else "pca"


def _points(
    adata: AnnData,
    cells: Cells,
    space: str,
    counts: bool,
    n_pcs: int,
    n_top_genes: int,
    seed: int,
) -> NDArray[np.float64] | None:
    """Coordinates of the cells [cells dimensions] in their order; None for a graph."""
    slot, _, key = space.partition("/")
    if slot == "obsp":
        return None
    if slot == "pca":
        return cells.components(counts, n_pcs, n_top_genes, seed)
    stored = adata.obsm[key]
    stored = stored.toarray() if hasattr(stored, "toarray") else np.asarray(stored)
    points: NDArray[np.float64] = stored[cells.order].astype(np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise InputError(
            f".obsm[{key!r}] must be a table of numbers without missing or infinite ones. "
            "Compute it anew or pass another use_rep=."
        )
    return points


def _neighbours(
    adata: AnnData,
    cells: Cells,
    space: str,
    points: NDArray[np.float64] | None,
    inside: NDArray[np.intp],
    n_cells: int,
) -> Neighbours:
    """Neighbour lists of the cells of one group."""
    if points is None:
        key = space.partition("/")[2]
        nearest_is = "smallest" if "distances" in key else "largest"
        return neighbours_in_graph(adata.obsp[key], cells.order[inside], nearest_is)
    n_neighbours = max(_FEWEST_NEIGHBOURS, _NEIGHBOURS_PER_CELL * n_cells)
    return neighbours_in_space(points[inside], n_neighbours)


def _warn_fewer(made: int, asked: int | None, groupby: str | None, group: str) -> None:
    if asked is None or made >= asked:
        return
    where = "" if groupby is None else f" in the group {group!r}"
    warnings.warn(
        f"Only {made} of {asked} metacells could be made{where}: the cells left over are not near "
        "enough to each other. Pass a smaller n_cells= for more.",
        PyscesWarning,
        stacklevel=3,
    )


def _purity(
    pool: NDArray[np.int64], labels: pd.Categorical, n_pools: int
) -> tuple[pd.Categorical, NDArray[np.float64]]:
    """Most frequent label of each pool (the first on equality), and its share of all cells."""
    counted = (pool >= 0) & (labels.codes >= 0)
    counts = np.zeros((n_pools, max(1, len(labels.categories))), dtype=np.int64)
    np.add.at(counts, (pool[counted], labels.codes[counted]), 1)
    most = counts.argmax(axis=1)
    share = counts.max(axis=1) / np.bincount(pool[pool >= 0], minlength=n_pools)
    return pd.Categorical.from_codes(
        np.where(counts.max(axis=1) > 0, most, -1), dtype=labels.dtype
    ), share
