"""Spearman correlation of chosen pairs of genes, in integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rank_products(
    ranks: NDArray[np.int32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Sums over samples of the products of two genes' centred doubled ranks.

    With n samples and r twice the average ranks,

        P(x, y) = sum (r_x - (n + 1)) (r_y - (n + 1))

    Spearman's rho (Spearman 1904) is ``P(x, y) / sqrt(P(x, x) P(y, y))``.

    Parameters
    ----------
    ranks : (genes, samples) int32
        Twice the average ranks.
    first, second : (pairs,) int64
        Gene indices of each pair.

    Returns
    -------
    (pairs,) int64
        Exact for up to 3,000,000 samples: the largest sum is (n^3 - n) / 3.
    """
    samples = ranks.shape[1]
    products = np.empty(first.shape[0], dtype=np.int64)
    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        centred_a = ranks[a].astype(np.int64) - (samples + 1)
        centred_b = ranks[b].astype(np.int64) - (samples + 1)
        products[pair] = np.dot(centred_a, centred_b)
    return products
