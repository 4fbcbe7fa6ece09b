"""Ranks of the values of each row: ordinal (ties broken by a hash) and average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._random import hash64

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ordinal_ranks(
    values: NDArray[np.float64], keys: NDArray[np.uint64], descending: bool
) -> NDArray[np.int32]:
    """Ranks 1 ... samples of the values of each row, all distinct.

    Equal values are ordered by ``hash64(keys[gene], position)``, then by position, so their order
    depends only on the key.

    Parameters
    ----------
    values : (genes, samples) float64
        Missing values (NaN) come last in both directions and count as tied.
    keys : (genes,) uint64
        Keys of the hash, one per gene.
    descending : bool
        Whether rank 1 is the largest value, not the smallest.

    Returns
    -------
    (genes, samples) int32
    """
    genes, samples = values.shape
    ranks = np.empty((genes, samples), dtype=np.int32)
    position = np.arange(samples)
    for gene in range(genes):
        row = -values[gene] if descending else values[gene]  # NaN stays NaN, and sorts last
        order = np.lexsort((hash64(keys[gene], position), row))
        ranks[gene, order] = np.arange(1, samples + 1, dtype=np.int32)
    return ranks


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Twice the average rank of each value in its row.

    The smallest value has rank 1, so 2 is returned; equal values that share the ranks a ... b get
    a + b. Average ranks are multiples of one half, so twice the rank is an integer.

    Parameters
    ----------
    values : (rows, columns) float64
        NaN is missing and ignored.

    Returns
    -------
    (rows, columns) int32
        0 for missing values.
    """
    doubled = np.zeros(values.shape, dtype=np.int32)
    for row, out in zip(values, doubled, strict=True):
        present = ~np.isnan(row)
        ordered = np.sort(row[present])
        first = np.searchsorted(ordered, row[present], side="left") + 1
        last = np.searchsorted(ordered, row[present], side="right")
        out[present] = first + last
    return doubled
