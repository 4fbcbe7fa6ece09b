"""Spearman correlation of chosen pairs of genes, in integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import prange

from ._jit import jit, parallel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@parallel
def rank_products(
    ranks: NDArray[np.int32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """See the reference. Consecutive pairs with the same `first` keep its row in the cache."""
    products = np.empty(first.shape[0], dtype=np.int64)
    for pair in prange(first.shape[0]):
        products[pair] = _product(ranks[first[pair]], ranks[second[pair]])
    return products


@jit
def _product(x, y):
    centre = x.shape[0] + 1
    total = np.int64(0)
    for s in range(x.shape[0]):
        total += (np.int64(x[s]) - centre) * (np.int64(y[s]) - centre)
    return total
