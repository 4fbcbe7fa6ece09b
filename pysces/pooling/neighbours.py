"""Which cells are alike: neighbour lists, and pools of neighbours that share no cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from pysces import _seeds
from pysces.dispatch.blocks import block_length, blocks
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARCEL = 8192
"""Cells among which neighbours are sought exactly; more are first split into parcels."""

_WIDEST = 1e140
"""Largest over usual coordinate: beyond it, squares of the usual ones are lost."""
_KEPT_BITS = 36
"""Of the largest principal component; what a decomposition computes is good to more."""
_BYTES_OF_PAIR = 96  # of two cells whose distance is sought, at most
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

    A squared distance is the sum over dimensions, from the first to the last, of squared
    differences of the coordinates as they are: it depends on no threads, blocks or libraries, and
    neither an offset of all cells nor a cell far off takes precision from the others. More than
    `PARCEL` cells are split at the median of the coordinate that varies most, again and again, and
    neighbours are sought within the parcels: the work then grows in proportion to the cells.

    Raises
    ------
    InputError
        If one coordinate is more than 10^140 times as large as most, so that squares underflow.
    """
    n_cells = len(points)
    points = _of_usual_size(points)
    parcels = list(_parcels(points, np.arange(n_cells)))
    k = min(n_neighbours, min(map(len, parcels)) - 1)
    lists = np.empty((n_cells, max(0, k)), dtype=np.int64)
    if k > 0:
        for parcel in parcels:
            lists[parcel] = parcel[_nearest(points[parcel], k)]
    return Neighbours(np.arange(n_cells + 1) * max(0, k), lists.ravel())


def _of_usual_size(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates times a power of two, so that no square is too large or too small a number."""
    if points.size == 0:
        return points
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused
        deviations = np.abs(points - np.median(points, axis=0))
        largest = deviations.max()
        if largest == 0:
            return points
        width = largest / np.median(deviations[deviations > 0])
    if not width < _WIDEST:
        raise InputError(
            f"Coordinates of cells span more than {np.log10(_WIDEST):.0f} orders of magnitude, so "
            "distances can't be told. Remove cells that are far off or pass another use_rep=."
        )
    return np.ldexp(points, -np.frexp(largest)[1])


def _parcels(points: NDArray[np.float64], cells: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    if len(cells) <= PARCEL:
        yield np.sort(cells)
        return
    # Of order statistics, so that no cell far off decides, and no rounding of sums
    ordered = np.sort(points[cells], axis=0)
    quarter = len(cells) // 4
    widths = ordered[-1 - quarter] - ordered[quarter], ordered[-1] - ordered[0]
    axis = max(range(points.shape[1]), key=lambda d: (widths[0][d], widths[1][d], -d))
    order = np.argsort(points[cells, axis], kind="stable")
    middle = len(cells) // 2
    yield from _parcels(points, np.sort(cells[order[:middle]]))
    yield from _parcels(points, np.sort(cells[order[middle:]]))


def _nearest(points: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Positions [cells k] of the nearest other cells, by (distance, position).

    A matrix product is fast, but adds in an order of its own. Its error is bounded, so it tells
    which cells may be among the nearest; the distances of these few are then added in one order.
    """
    n_cells, n_dimensions = points.shape
    centred = points - np.median(points, axis=0)
    squares = np.einsum("cd,cd->c", centred, centred)
    # Rounding of centring, product and sums, twice what it can be (Higham 2002, section 3.1)
    bound = (4 * n_dimensions + 16) * np.finfo(np.float64).eps
    result = np.empty((n_cells, k), dtype=np.intp)
    for block in blocks(n_cells, block_length(n_cells * _BYTES_OF_PAIR, n_cells)):
        both = squares[block, None] + squares
        distance = both - 2.0 * (centred[block] @ centred.T)
        distance[np.arange(len(distance)), np.arange(block.start, block.stop)] = np.inf
        both = bound * both + np.finfo(np.float64).tiny
        kth = np.partition(distance + both, k - 1, axis=1)[:, k - 1]
        cell, other = np.nonzero(distance - both <= kth[:, None])
        exact = np.zeros(len(cell))
        for dimension in range(n_dimensions):
            column = points[:, dimension]
            difference = column[block][cell] - column[other]
            exact += difference * difference
        order = np.lexsort((other, exact, cell))
        start = np.searchsorted(cell, np.arange(len(distance)))
        result[block] = other[order][start[:, None] + np.arange(k)]
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
    the seed fixes. In each component the gene of the largest weight has a positive one. The last
    bits, which depend on the library and its threads, are rounded away.
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
        start = _seeds.generator(seed, "principal components").standard_normal(min(values.shape))
        u, s, vt = svds(centred, k=n_components, v0=start)
        u, s, vt = u[:, ::-1], s[::-1], vt[::-1]
    u, s, vt = u[:, :n_components], s[:n_components], vt[:n_components]
    sign = np.sign(vt[np.arange(len(vt)), np.abs(vt).argmax(axis=1)])
    components: NDArray[np.float64] = u * (s * sign)
    exponent = np.frexp(np.abs(components).max(initial=0.0))[1] - _KEPT_BITS
    return np.ldexp(np.rint(np.ldexp(components, -exponent)), exponent)
