"""Which cells are alike: neighbour lists, and pools of neighbours that share no cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from pysces import seeds
from pysces.dispatch.chunks import block_length, blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARCEL = 8192
"""Cells among which neighbours are sought exactly; more are first split into parcels."""

_GRID = 2.0**16
_SMALL = 200  # rows or columns below which a whole decomposition is cheaper than a truncated one


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
        Cells x cells; what isn't stored is no neighbour.
    chosen
        Positions of the cells; they decide ties by their order.
    nearest_is
        ``"smallest"`` (distances) or ``"largest"`` (connectivities; 0 is no neighbour).
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
    """The nearest cells by Euclidean distance; ties go to the cell that comes first.

    Coordinates are rounded to whole numbers of at most 2^16, so that squared distances are exact:
    they depend on no threads and on no order of summation. More than `PARCEL` cells are split at
    the median of the coordinate that varies most, again and again, and neighbours are sought within
    the parcels: the work then grows in proportion to the cells.
    """
    n_cells = len(points)
    largest = np.abs(points).max(initial=0.0)
    grid = np.rint(points * (_GRID / largest)) if largest > 0 else np.zeros_like(points)
    parcels = list(_parcels(grid, np.arange(n_cells)))
    k = min(n_neighbours, min(map(len, parcels)) - 1)
    lists = np.empty((n_cells, max(0, k)), dtype=np.int64)
    if k > 0:
        for parcel in parcels:
            lists[parcel] = parcel[_nearest(grid[parcel], k)]
    return Neighbours(np.arange(n_cells + 1) * max(0, k), lists.ravel())


def _parcels(grid: NDArray[np.float64], cells: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    if len(cells) <= PARCEL:
        yield np.sort(cells)
        return
    points = grid[cells]
    axis = int(np.argmax(points.var(axis=0)))
    order = np.argsort(points[:, axis], kind="stable")
    middle = len(cells) // 2
    yield from _parcels(grid, np.sort(cells[order[:middle]]))
    yield from _parcels(grid, np.sort(cells[order[middle:]]))


def _nearest(grid: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Positions [cells k] of the nearest other cells, by (distance, position)."""
    n_cells = len(grid)
    squares = np.einsum("cd,cd->c", grid, grid)
    result = np.empty((n_cells, k), dtype=np.intp)
    for block in blocks(n_cells, block_length(n_cells * 32, n_cells)):
        distance = squares[block, None] + squares - 2.0 * (grid[block] @ grid.T)
        # One whole number that orders by distance, then by position
        code = distance.astype(np.int64) * n_cells + np.arange(n_cells)
        own = np.arange(block.start, block.stop)
        code[np.arange(len(own)), own] = np.iinfo(np.int64).max
        nearest = np.sort(np.partition(code, k - 1, axis=1)[:, :k], axis=1)
        result[block] = nearest % n_cells
    return result


def disjoint_pools(neighbours: Neighbours, size: int, most: int | None) -> NDArray[np.int64]:
    """Pools of neighbouring cells, each of the same size, no cell in two of them.

    The cells found a pool in their order (which the caller has made random), as long as they're
    free. A pool takes the free neighbours of its first cell, nearest first; where they don't
    suffice, those of its second cell, and so on. A cell whose free neighbours don't suffice at all
    founds none, but later pools may take it.

    Returns
    -------
    Number of the pool of each cell [cells], in the order of founding; -1 for none.
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

    Truncated singular value decomposition (ARPACK) of ``X - 1 mean(X)``, from a start vector that
    the seed fixes. In each component the gene of the largest weight has a positive one.
    """
    from scipy.sparse.linalg import LinearOperator, svds

    n_rows, n_columns = values.shape
    mean = np.asarray(values.mean(axis=0)).ravel()
    n_components = min(n_components, n_rows - 1, n_columns)
    if min(n_rows, n_columns) <= max(_SMALL, n_components + 1):
        u, s, vt = np.linalg.svd(values.toarray() - mean, full_matrices=False)
    else:
        transposed = values.T.tocsr()
        centred = LinearOperator(
            shape=values.shape,
            dtype=np.float64,
            matvec=lambda v: values @ v.ravel() - mean @ v.ravel(),
            rmatvec=lambda u: transposed @ u.ravel() - mean * u.sum(),
            matmat=lambda v: values @ v - mean @ v,
            rmatmat=lambda u: transposed @ u - np.outer(mean, u.sum(axis=0)),
        )
        start = seeds.generator(seed, "principal components").standard_normal(min(values.shape))
        u, s, vt = svds(centred, k=n_components, v0=start)
        u, s, vt = u[:, ::-1], s[::-1], vt[::-1]
    u, s, vt = u[:, :n_components], s[:n_components], vt[:n_components]
    sign = np.sign(vt[np.arange(len(vt)), np.abs(vt).argmax(axis=1)])
    components: NDArray[np.float64] = u * (s * sign)
    return components
