"""Neighbours of cells from coordinates or a graph, and disjoint pools of neighbouring cells."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from pysces import _seeds
from pysces._messages import listed, outside
from pysces.errors import InputError, PyscesError, PyscesWarning

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from pysces.samples._pools import Cells

PARCEL = 2**15
"""Number of cells up to which neighbours are exact; more are first split into parcels."""

_NEIGHBOURS_PER_CELL = 3  # per cell of a pool; more than 1, since earlier pools take many
_FEWEST_NEIGHBOURS = 15
_FEWEST_STEPS = 16  # steps of the number type between cells that distances need
_WIDEST = 1e140
"""Largest ratio of the largest to the usual coordinate: beyond it, squares underflow."""
_KEPT_BITS = 36
"""Rounding relative to the largest component; decompositions are more accurate than this."""
_SMALL = 200  # rows or columns below which a full decomposition is faster than a truncated one


def source_of_neighbours(adata: AnnData, use_rep: str | None, obsp: str | None) -> str:
    """The source of neighbours: ``"obsm/<key>"``, ``"obsp/<key>"`` or ``"pca"``."""
    if use_rep is not None and obsp is not None:
        raise InputError(
            "use_rep= and obsp= are both sources of neighbours. Pass only one of them."
        )
    for slot, key in (("obsm", use_rep), ("obsp", obsp)):
        if key is None:
            continue
        there = getattr(adata, slot)
        if key not in there:
            raise InputError(f"Did not find .{slot}[{key!r}]. Available keys: {listed(there)}.")
        return f"{slot}/{key}"
    if "X_pca" in adata.obsm:
        return "obsm/X_pca"
    return "obsp/connectivities" if "connectivities" in adata.obsp else "pca"


@dataclass(frozen=True, eq=False)
class Space:
    """Coordinates [cells dimensions] or a graph [cells cells], rows in the order of the cells."""

    points: NDArray[np.float64] | None = None
    graph: Any = None
    nearest_is: str = "smallest"

    @classmethod
    def of(cls, adata: AnnData, cells: Cells, source: str, counts: bool, *components: int) -> Space:
        """The coordinates or graph of some cells, from a :func:`source_of_neighbours`.

        ``components``: number, genes and seed of the principal components, if computed.
        """
        slot, _, key = source.partition("/")
        if slot == "pca":
            return cls(points=cells.components(counts, *components))
        if slot == "obsm":
            return cls(points=_coordinates(adata.obsm[key], cells.order, f".obsm[{key!r}]"))
        nearest_is = "smallest" if "distances" in key else "largest"
        graph = _graph(adata.obsp[key], cells.order, nearest_is, f".obsp[{key!r}]")
        return cls(graph=graph, nearest_is=nearest_is)

    def neighbours(self, inside: NDArray[np.intp], n_cells: int) -> Neighbours:
        """Neighbour lists of the cells of one group, enough for pools of ``n_cells``."""
        if self.points is None:
            return neighbours_in_graph(self.graph, inside, self.nearest_is)
        n_neighbours = max(_FEWEST_NEIGHBOURS, _NEIGHBOURS_PER_CELL * n_cells)
        return neighbours_in_space(self.points[inside], n_neighbours)


def _coordinates(stored: Any, order: NDArray[np.intp], name: str) -> NDArray[np.float64]:
    """Check a table of ``obsm`` and convert it to numbers; rows in the order of the cells."""
    stored = stored.toarray() if hasattr(stored, "toarray") else np.asarray(stored)
    try:
        if stored.dtype.kind == "c":  # conversion would drop the imaginary part
            raise TypeError("complex numbers")
        points: NDArray[np.float64] = stored[order].astype(np.float64)
        usable = points.ndim == 2 and points.shape[1] > 0 and bool(np.isfinite(points).all())
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise InputError(
            f"{name} must be a table of numbers without missing or infinite values. "
            "Recompute it or pass another use_rep=."
        )
    _warn_if_blurred(points, stored.dtype, name)
    return points


def _warn_if_blurred(points: NDArray[np.float64], dtype: np.dtype[Any], name: str) -> None:
    """Warn if the stored numbers do not resolve which cells are near each other."""
    if (points == points[:1]).all():
        warnings.warn(
            f"All cells have the same coordinates in {name}, so arbitrary cells are pooled. "
            "Pass another use_rep= unless that is intended.",
            PyscesWarning,
            stacklevel=outside(),
        )
        return
    if dtype.kind != "f":
        return
    middle = np.median(points, axis=0)
    deviations = np.abs(points - middle)
    apart = np.percentile(deviations, 90, axis=0).max() or deviations.max()
    step = np.where(middle == 0, 0, np.spacing(np.abs(middle).astype(dtype))).max()
    if apart < _FEWEST_STEPS * step:
        warnings.warn(
            f"{name} is so far from zero that {dtype} resolves steps of {step:.2g} only, and most "
            f"cells are within {apart:.2g}: neighbours are inaccurate. Centre the coordinates "
            "before storing them.",
            PyscesWarning,
            stacklevel=outside(),
        )


def _graph(stored: Any, order: NDArray[np.intp], nearest_is: str, name: str) -> sp.csr_array:
    """Check a graph of ``obsp`` and convert it to numbers, in the order of the cells."""
    try:
        values: Any = stored if sp.issparse(stored) else np.asarray(stored)
        whole = sp.csr_array(values)
        graph = sp.csr_array(whole[order][:, order].astype(np.float64))
        usable = whole.dtype.kind != "c" and bool(np.isfinite(graph.data).all())
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise InputError(
            f"{name} has missing or infinite values, or values that are not numbers. "
            "Recompute neighbours with `scanpy.pp.neighbors(adata)`, or pass another obsp=."
        )
    if nearest_is == "smallest" and (graph.data < 0).any():
        raise InputError(
            f"{name} has negative values, so these are not distances. Pass a graph of distances, "
            'or store it under a name without "distances" if larger values are nearer.'
        )
    return graph


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of each cell, nearest first: ``cells[start[i]:start[i + 1]]`` are those of i."""

    start: NDArray[np.int64]
    cells: NDArray[np.int64]

    def of(self, cell: int) -> NDArray[np.int64]:
        """Neighbours of one cell, nearest first."""
        return self.cells[self.start[cell] : self.start[cell + 1]]


def neighbours_in_graph(graph: Any, chosen: NDArray[np.intp], nearest_is: str) -> Neighbours:
    """Neighbour lists of some cells from a square sparse matrix.

    Parameters
    ----------
    graph
        Cells x cells; only stored entries are neighbours.
    chosen
        Positions of the cells; ties are broken by their order.
    nearest_is
        ``"smallest"`` (distances) or ``"largest"`` (connectivities; 0 is not a neighbour).
    """
    part = sp.coo_array(sp.csr_array(graph)[chosen][:, chosen])
    row, column, value = part.row, part.col, part.data.astype(np.float64)
    stored = row != column
    if nearest_is == "largest":
        stored &= value != 0
        value = -value
    row, column, value = row[stored], column[stored], value[stored]
    order = np.lexsort((column, value, row))
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(chosen)))])
    return Neighbours(start.astype(np.int64), column[order].astype(np.int64))


def neighbours_in_space(points: NDArray[np.float64], n_neighbours: int) -> Neighbours:
    """The nearest cells by Euclidean distance, by `sklearn.neighbors.NearestNeighbors`.

    Uses one thread, so that ties are broken identically everywhere. Up to 15 dimensions distances
    are exact to rounding (k-d tree); in more dimensions, to rounding of the distances from the
    median of all cells (matrix product). More than `PARCEL` cells are split recursively at the
    median of the coordinate that varies most, and neighbours are searched within the parcels, so
    the work is proportional to the number of cells.

    Raises
    ------
    InputError
        If one coordinate is more than 10^140 times as large as most, so that squares underflow.
    PyscesError
        If scikit-learn is not installed.
    """
    with _scikit_learn():
        from sklearn.neighbors import NearestNeighbors

        n_cells = len(points)
        points = _of_usual_size(points)
        parcels = list(_parcels(points, np.arange(n_cells)))
        k = max(0, min(n_neighbours, min(map(len, parcels)) - 1))
        lists = np.empty((n_cells, k), dtype=np.int64)
        for parcel in parcels if k else ():
            search = NearestNeighbors(n_neighbors=k).fit(points[parcel])
            lists[parcel] = parcel[search.kneighbors(return_distance=False)]
    return Neighbours(np.arange(n_cells + 1) * k, lists.ravel())


@contextlib.contextmanager
def _scikit_learn() -> Iterator[None]:
    """Limit scikit-learn to one thread; PyscesError if it cannot be imported."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise PyscesError(
            f"Neighbours of cells require the package scikit-learn ({error}). Install it with: "
            "pip install 'pysces-grn[samples]'. Or pass obsp= with a graph of neighbours."
        ) from error
    with threadpool_limits(1):
        yield


def _of_usual_size(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates relative to their median, scaled so that squares do not over- or underflow."""
    if points.size == 0:
        return points
    with np.errstate(over="ignore", invalid="ignore"):  # infinite values raise an error below
        centred = points - np.median(points, axis=0)
        deviations = np.abs(centred)
        largest = deviations.max()
        if largest == 0:
            return centred
        width = largest / np.median(deviations[deviations > 0])
    if not width < _WIDEST:
        raise InputError(
            f"Coordinates of cells span more than {np.log10(_WIDEST):.0f} orders of magnitude, so "
            "distances cannot be computed. Remove outlying cells or pass another use_rep=."
        )
    return np.ldexp(centred, -np.frexp(largest)[1])


def _parcels(points: NDArray[np.float64], cells: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    if len(cells) <= PARCEL:
        yield np.sort(cells)
        return
    # By order statistics, which are robust to outlying cells and free of rounding
    ordered = np.sort(points[cells], axis=0)
    quarter = len(cells) // 4
    widths = ordered[-1 - quarter] - ordered[quarter], ordered[-1] - ordered[0]
    axis = max(range(points.shape[1]), key=lambda d: (widths[0][d], widths[1][d], -d))
    order = np.argsort(points[cells, axis], kind="stable")
    middle = len(cells) // 2
    yield from _parcels(points, np.sort(cells[order[:middle]]))
    yield from _parcels(points, np.sort(cells[order[middle:]]))


def disjoint_pools(neighbours: Neighbours, size: int, most: int | None) -> NDArray[np.int64]:
    """Disjoint pools of neighbouring cells, all of the same size.

    Cells that are not yet in a pool start one, in their order (which the caller has randomised). A
    pool takes the free neighbours of its first cell, nearest first; if these are too few, those of
    its second cell, and so on. A cell that cannot complete a pool stays free for later pools.

    Returns
    -------
    Number of the pool of each cell [cells], in the order of creation; -1 for none.
    """
    n_cells = len(neighbours.start) - 1
    pool = np.full(n_cells, -1, dtype=np.int64)
    free = np.ones(n_cells, dtype=bool)
    made = 0
    for founder in range(n_cells):
        if made == most:
            break
        if not free[founder]:
            continue
        members = [founder]
        free[founder] = False
        for member in members:
            near = neighbours.of(member)
            taken = near[free[near]][: size - len(members)]
            free[taken] = False
            members += taken.tolist()
            if len(members) == size:
                break
        if len(members) == size:
            pool[members] = made
            made += 1
        else:
            free[members] = True
    return pool


def principal_components(values: Any, n_components: int, seed: int) -> NDArray[np.float64]:
    """Principal components of the rows [rows components] of a sparse matrix, without centring it.

    By `sklearn.decomposition.PCA` (ARPACK, with a start vector from the seed). In each component
    the largest weight in magnitude is positive. The last bits, which depend on the library, are
    rounded.
    """
    n_components = min(n_components, values.shape[0] - 1, values.shape[1])
    small = min(values.shape) <= max(_SMALL, n_components + 1)
    with _scikit_learn():
        from sklearn.decomposition import PCA

        solver = PCA(
            n_components,
            svd_solver="full" if small else "arpack",
            random_state=_seeds.key(seed, "principal components") % 2**32,
        )
        components = solver.fit_transform(values.toarray() if small else values)
    exponent = np.frexp(np.abs(components).max(initial=0.0))[1] - _KEPT_BITS
    return np.ldexp(np.rint(np.ldexp(components, -exponent)), exponent)
