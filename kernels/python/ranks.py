"""Ranks of the values of each row: ordinal (ties broken by a hash) and average (ties shared)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._random import hash64

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ordinal_ranks(
    values: NDArray[np.float64], keys: NDArray[np.uint64], descending: bool
) -> NDArray[np.int32]:
    """Ranks 1..samples of each row, all different.

    values: genes x samples. keys: one per gene. Equal values are ordered by
    ``hash64(keys[gene], position)``, then by position, so the order depends on the key and on
    nothing else. `descending`: rank 1 is the largest value. Missing values (NaN) come last in both
    directions and count as tied.

    Returns genes x samples.
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
    """Twice the average rank of each value in its row (whole numbers), 0 for missing values.

    values: rows x columns; NaN is missing and takes no part. The smallest value of a row has rank
    1, so 2 is returned; a group of equal values that would hold the ranks a..b gets a + b.

    Returns rows x columns.
    """
    doubled = np.zeros(values.shape, dtype=np.int32)
    for row, out in zip(values, doubled, strict=True):
        present = ~np.isnan(row)
        ordered = np.sort(row[present])
        first = np.searchsorted(ordered, row[present], side="left") + 1
        last = np.searchsorted(ordered, row[present], side="right")
        out[present] = first + last
    return doubled
