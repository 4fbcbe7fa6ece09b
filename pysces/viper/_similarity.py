"""Shared parts of the similarity measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces._checks import check_integer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _check_top(n_top: int | None, least: int) -> None:
    if n_top is not None:
        check_integer("n_top", n_top, least)


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights over the sum of their sizes; 0 for a sample that has none."""
    total = np.abs(weights).sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros(weights.shape), where=total > 0)


def _scaled(
    found: NDArray[np.float64], own: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Similarities over the mean of both samples' similarities to themselves; NaN where it is 0."""
    mean = (own[:, None] + other[None]) / 2
    return np.divide(found, mean, out=np.full(found.shape, np.nan), where=mean != 0)
