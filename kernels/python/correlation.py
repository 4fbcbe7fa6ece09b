"""Spearman correlation of chosen pairs of genes, in whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rank_products(
    ranks: NDArray[np.int32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Sum over samples of the products of two genes' centred doubled ranks.

    With d = ranks - (samples + 1), the doubled ranks less their mean, the result is
    ``sum_s d[first, s] * d[second, s]``. Spearman's rho of genes a and b is
    ``P(a, b) / sqrt(P(a, a) * P(b, b))``.

    ranks: genes x samples, twice the average ranks. first, second: gene numbers of each pair.
    Exact while samples <= 3,000,000 (the largest sum is (samples^3 - samples) / 3).

    Returns one number a pair.
    """
    samples = ranks.shape[1]
    products = np.empty(first.shape[0], dtype=np.int64)
    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        centred_a = ranks[a].astype(np.int64) - (samples + 1)
        centred_b = ranks[b].astype(np.int64) - (samples + 1)
        products[pair] = np.dot(centred_a, centred_b)
    return products
