"""The largest values of rows, joined."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def largest_of(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """The largest of two sets of ascending values, [rows values], as many as each has."""
    number = one.shape[1]
    if number == 1:
        return np.maximum(one, other)
    return np.sort(np.concatenate([one, other], axis=1), axis=1)[:, number:]
