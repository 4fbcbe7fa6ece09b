"""Moments of genes over cells, the same in whatever order and blocks the cells come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pysces.data._expression import Expression


_FRACTION = 44  # bits of a value below the gene's exponent, as in the kernel
_MOST_CELLS = 1 << 18  # of one call of the kernel
_SMALLEST_EXPONENT = -1021  # of a number with all its digits
_FAR = 2.0**-16  # of the largest value: a smaller range lies far from zero


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of each gene [genes].

    The mean is that of the values less ``offset`` (None: less 0).
    """

    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    offset: NDArray[np.float64] | None = None

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation (n - 1)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(self.spread / (self.count - 1))

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of the mean."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(self.spread / (self.count - 1) / self.count)


def gene_moments(cells: Expression) -> Moments:
    """Moments of every gene: two passes over blocks of cells, summed in whole numbers.

    Whole numbers have one sum in whatever order, so a z-score is the same to the bit if cells are
    permuted, read by blocks, sparse or on disk. They have 44 bits below the largest value, so
    genes with a small spread far from zero are summed less an offset, which is exact.
    """
    lowest, highest = _range(cells)
    largest = np.fmax(np.abs(lowest), np.abs(highest))
    far = (highest > lowest) & (highest - lowest < _FAR * largest)
    offset = np.where(far, lowest, 0.0) if far.any() else None
    if offset is not None:
        lowest, highest = lowest - offset, highest - offset
        largest = np.fmax(np.abs(lowest), np.abs(highest))
    exponent = np.frexp(np.where(np.isfinite(largest), largest, 0.0))[1].astype(np.int32)
    exponent = np.maximum(exponent, _SMALLEST_EXPONENT)
    sums = [np.zeros(cells.n_genes, dtype=object) for _ in range(5)]
    for part in _parts(cells):
        values = cells.sample_block(part, copy=False)
        found = ops.gene_sums(values if offset is None else values - offset, exponent)
        sums = [a + b.astype(object) for a, b in zip(sums, found, strict=True)]
    return _moments(sums, exponent, highest, offset)


def _range(cells: Expression) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each gene; infinite where there is none."""
    lowest, highest = np.full(cells.n_genes, np.inf), np.full(cells.n_genes, -np.inf)
    for part in _parts(cells):
        values = cells.sample_block(part, copy=False)
        lowest = np.fmin(lowest, np.fmin.reduce(values, axis=0, initial=np.inf))
        highest = np.fmax(highest, np.fmax.reduce(values, axis=0, initial=-np.inf))
    return lowest, highest


def _parts(cells: Expression) -> Iterator[slice]:
    return blocks(
        cells.n_samples, min(_MOST_CELLS, block_length(40.0 * cells.n_genes, cells.n_samples))
    )


def _moments(
    sums: list[NDArray[np.object_]],
    exponent: NDArray[np.int32],
    highest: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
) -> Moments:
    """Moments from exact sums (of Python's unbounded whole numbers)."""
    count, total, high, middle, low = sums
    squares = (high << 44) + (middle << 23) + low
    deviation = np.array(
        [float((n * s - t * t) / n) if n else np.nan for n, s, t in _whole(count, squares, total)]
    )
    mean = np.array([t / n if n else np.nan for n, _, t in _whole(count, squares, total)])
    shift = exponent - _FRACTION
    # A constant gene's values are its mean exactly, so that their deviations are exactly 0.
    mean = np.where(deviation == 0, highest, np.ldexp(mean, shift))
    spread = np.ldexp(np.ldexp(deviation, shift), shift)
    return Moments(count.astype(np.float64), mean, spread, offset)


def _whole(*arrays: NDArray[np.object_]) -> list[tuple[int, ...]]:
    return [tuple(map(int, row)) for row in zip(*arrays, strict=True)]
