"""Moments of genes over cells, the same in whatever order and blocks the cells come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.viper._units import in_units, only_extreme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pysces.data._expression import Expression


_FRACTION = 44  # bits of a value below the gene's exponent, as in the kernel
_MOST_CELLS = 1 << 18  # of one call of the kernel


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of each gene [genes].

    A gene's mean and the root of its spread are in units of 2^exponent (None: of 1).
    """

    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    exponent: NDArray[np.int32] | None = None

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
    permuted, read by blocks, sparse or on disk.
    """
    scale, highest = gene_exponents(cells)
    sums = [np.zeros(cells.n_genes, dtype=object) for _ in range(5)]
    for part in _parts(cells):
        found = ops.gene_sums(cells.sample_block(part, copy=False), scale)
        sums = [a + b.astype(object) for a, b in zip(sums, found, strict=True)]
    return _moments(sums, scale, highest)


def gene_exponents(cells: Expression) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Smallest e with ``|x| < 2^e`` for every value of a gene (0 if all are 0); largest value."""
    exponent = np.full(cells.n_genes, -(2**30), dtype=np.int64)
    highest = np.full(cells.n_genes, -np.inf)
    for part in _parts(cells):
        values = cells.sample_block(part, copy=False)
        largest = ops.gene_exponents(values)
        some = np.any((values != 0) & ~np.isnan(values), axis=0)
        exponent = np.where(some, np.maximum(exponent, largest), exponent)
        highest = np.fmax(highest, np.fmax.reduce(values, axis=0, initial=-np.inf))
    return np.where(exponent == -(2**30), 0, exponent).astype(np.int32), highest


def _parts(cells: Expression) -> Iterator[slice]:
    return blocks(
        cells.n_samples, min(_MOST_CELLS, block_length(40.0 * cells.n_genes, cells.n_samples))
    )


def _moments(
    sums: list[NDArray[np.object_]], exponent: NDArray[np.int32], highest: NDArray[np.float64]
) -> Moments:
    """Moments from exact sums (of Python's unbounded whole numbers)."""
    count, total, high, middle, low = sums
    squares = (high << 44) + (middle << 23) + low
    deviation = np.array(
        [float((n * s - t * t) / n) if n else np.nan for n, s, t in _whole(count, squares, total)]
    )
    mean = np.array([t / n if n else np.nan for n, _, t in _whole(count, squares, total)])
    unit = only_extreme(exponent)
    shift = exponent - unit - _FRACTION
    mean = np.ldexp(mean, shift)
    # A constant gene's values are its mean exactly, so that their deviations are exactly 0.
    mean = np.where(deviation == 0, in_units(highest, unit), mean)
    spread = np.ldexp(np.ldexp(deviation, shift), shift)
    return Moments(count.astype(np.float64), mean, spread, unit)


def _whole(*arrays: NDArray[np.object_]) -> list[tuple[int, ...]]:
    return [tuple(map(int, row)) for row in zip(*arrays, strict=True)]
