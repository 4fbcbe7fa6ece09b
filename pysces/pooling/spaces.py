"""Where cells are near each other: coordinates, or a graph of neighbours."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from pysces._messages import listed
from pysces.errors import InputError, PyscesWarning
from pysces.pooling.neighbours import Neighbours, neighbours_in_graph, neighbours_in_space

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from pysces.pooling.pools import Cells

_NEIGHBOURS_PER_CELL = 3  # of a pool: more than it takes, since many are taken by earlier pools
_FEWEST_NEIGHBOURS = 15
_FEWEST_STEPS = 16  # of a type of numbers between cells, for their distances to mean something


def source_of_neighbours(adata: AnnData, use_rep: str | None, obsp: str | None) -> str:
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


@dataclass(frozen=True, eq=False)
class Space:
    """Coordinates [cells dimensions] or a graph [cells cells], rows in the order of the cells."""

    points: NDArray[np.float64] | None = None
    graph: Any = None
    nearest_is: str = "smallest"

    @classmethod
    def of(cls, adata: AnnData, cells: Cells, source: str, counts: bool, *components: int) -> Space:
        """The space of some cells from a source of :func:`source_of_neighbours`.

        ``components``: number, genes and seed of the principal components, if computed here.
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
    """A table of ``obsm`` as numbers, checked; rows in the order of the cells."""
    stored = stored.toarray() if hasattr(stored, "toarray") else np.asarray(stored)
    try:
        if stored.dtype.kind == "c":  # would lose its imaginary part
            raise TypeError("complex numbers")
        points: NDArray[np.float64] = stored[order].astype(np.float64)
        usable = points.ndim == 2 and points.shape[1] > 0 and bool(np.isfinite(points).all())
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise InputError(
            f"{name} must be a table of numbers without missing or infinite ones. "
            "Compute it anew or pass another use_rep=."
        )
    _warn_if_blurred(points, stored.dtype, name)
    return points


def _warn_if_blurred(points: NDArray[np.float64], dtype: np.dtype[Any], name: str) -> None:
    """PyscesWarning if the numbers stored can't tell which cells are near each other."""
    if (points == points[:1]).all():
        warnings.warn(
            f"All cells are at the same place in {name}, so any cells are pooled. "
            "Pass another use_rep= if that isn't what you want.",
            PyscesWarning,
            stacklevel=5,
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
            f"{name} lies so far from zero that {dtype} tells cells apart in steps of {step:.2g} "
            f"only, and most cells are within {apart:.2g}: neighbours are blurred. Centre the "
            "coordinates before they are stored.",
            PyscesWarning,
            stacklevel=5,
        )


def _graph(stored: Any, order: NDArray[np.intp], nearest_is: str, name: str) -> sp.csr_array:
    """A graph of ``obsp`` as numbers, checked; rows and columns in the order of the cells."""
    try:
        values: Any = stored if sp.issparse(stored) else np.asarray(stored)
        whole = sp.csr_array(values)
        graph = sp.csr_array(whole[order][:, order].astype(np.float64))
        usable = whole.dtype.kind != "c" and bool(np.isfinite(graph.data).all())
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise InputError(
            f"{name} has missing or infinite values, or values that aren't numbers. Compute "
            "neighbours anew, with `scanpy.pp.neighbors(adata)`, or pass another obsp=."
        )
    if nearest_is == "smallest" and (graph.data < 0).any():
        raise InputError(
            f"{name} has negative values, which no distances are. Pass a graph of distances, or "
            'store it under a name without "distances" if larger values are nearer.'
        )
    return graph
