"""The screen of copula pairs in array operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 2.0**-21


def screened(
    products: Sequence[mx.array],
    x_terms: NDArray[np.float32],
    y_terms: NDArray[np.float32],
    own: NDArray[np.int64],
    n: int,
    limit: float,
) -> tuple[NDArray[Any], NDArray[Any], list[NDArray[np.int64]]]:
    """The screen in array operations, for devices without the hand-written kernel."""

    def squared(product: mx.array, of_x: int, of_y: int) -> mx.array:
        mean = mx.array(x_terms[of_x] * n)[None, :] * mx.array(y_terms[of_y])[:, None]
        size = mx.abs(product.astype(mx.float32) - mean) + _ROUNDING * mx.abs(mean)
        scaled = size * mx.array(x_terms[of_x + 1])[None, :] * mx.array(y_terms[of_y + 1])[:, None]
        return scaled * scaled

    share = squared(products[0], 0, 0)
    if len(products) == 3:
        share = share + mx.maximum(squared(products[1], 2, 0), squared(products[2], 0, 2))
    gene, row = np.nonzero(np.array(share >= limit))
    other = gene != own[row]
    gene, row = gene[other], row[other]
    sums = [np.array(product)[gene, row].astype(np.int64) for product in products]
    return row, gene, sums
