"""Activities averaged over bootstraps of what the cells are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pysces import _seeds
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks, progress
from pysces.errors import InputError
from pysces.viper._enrichment import cells_of_block
from pysces.viper._normal_scores import tables
from pysces.viper._regulons import Regulons
from pysces.viper._signatures import TIE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._expression import Expression


def bootstrap_draws(n_cells: int, number: int, seed: int) -> NDArray[np.intp]:
    """Cells drawn with replacement [bootstraps cells]."""
    if n_cells < 2:
        raise InputError(f"Bootstraps need at least 2 cells. Got {n_cells}.")
    streams = (_seeds.generator(seed, "bootstrap", index) for index in range(number))
    return np.array([stream.integers(0, n_cells, n_cells) for stream in streams])


def bootstrapped_moments(
    cells: Expression, draws: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each gene in each bootstrap [bootstraps genes]."""
    number, n = draws.shape
    step = block_length(16.0 * (cells.n_genes + number), cells.n_samples)
    centre = cells.sample_block(slice(0, 1))[0]
    total, squares = (np.zeros((number, cells.n_genes)) for _ in range(2))
    for part in blocks(cells.n_samples, step):
        held = np.array(
            [np.bincount(row, minlength=cells.n_samples)[part] for row in draws], dtype=np.float64
        )
        values = cells.sample_block(part, copy=False) - centre
        total += held @ values
        squares += held @ values**2
    variance = np.maximum(squares - total**2 / n, 0.0) / (n - 1)
    return centre + total / n, np.sqrt(variance)


def bootstrapped_area(
    cells: Expression, regulons: Regulons, draws: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of the NES over bootstraps, each [cells regulons].

    Every cell is compared with every bootstrap of all cells, by z-scores; genes, targets and
    bootstraps are aligned by name.
    """
    mean, sd = bootstrapped_moments(cells, draws)
    step = cells_of_block(cells.n_samples, cells.n_genes, regulons)
    shape = (cells.n_samples, len(regulons.names))
    average, spread = np.empty(shape), np.empty(shape)
    for part in progress(list(blocks(cells.n_samples, step)), "bootstraps", unit="block"):
        values = cells.sample_block(part, copy=False)
        found = np.array(
            [_nes(ops.standardise(values, *at, TIE_BITS), regulons) for at in zip(mean, sd)]  # noqa: B905
        )
        average[part] = found.mean(axis=0)
        spread[part] = found.std(axis=0, ddof=1) if len(found) > 1 else np.nan
    return average, spread


def _nes(values: NDArray[np.float64], regulons: Regulons) -> NDArray[np.float64]:
    table_start, quantiles = tables(values)
    max_rank_deviation = np.full(len(values), -1, dtype=np.int32)
    return ops.area(values, max_rank_deviation, table_start, quantiles, **regulons.arrays())[1]
