"""NaRnEA (Griffin et al. 2023): what goes into its kernel, and scores of what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from pysces import _seeds
from pysces.dispatch import operations as ops
from pysces.viper._regulons import Regulons

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_VARIANCE = 1e-9
_LARGEST_MODE = 0.999  # |m| = 1 leaves no undirected part, whose variance divides
_SMALLEST_MODE = 0.001
_NO_MODE = 1e-12  # its square is lost beside that of another


def narnea_scores(
    values: NDArray[np.float64], regulons: Regulons, names: pd.Index, seed: int
) -> dict[str, NDArray[np.float64]]:
    """NES, PES and p-values, each cells x regulons.

    values: signature [cells genes]. names: of the cells, from which ties of zeros are drawn.
    """
    magnitude, sign = _signed_magnitudes(values, regulons.genes, names, seed)
    directed, undirected, correlation, best, worst, best_undirected = ops.narnea(
        magnitude,
        sign,
        regulons.indptr,
        regulons.targets,
        _proper_modes(regulons, seed),
        regulons.likelihood / regulons.likelihood.max(initial=1e-300),
        _by_likelihood(regulons),
    )
    nes, log_half = combined_nes(directed, undirected, correlation)
    ends = np.where(nes > 0, best, worst)
    largest, _ = combined_nes(ends, best_undirected, correlation)
    with np.errstate(invalid="ignore", divide="ignore"):
        pes = nes / np.abs(largest)
    return {"nes": nes, "pes": pes, "pvalue": np.exp(log_half + np.log(2))}


def combined_nes(
    directed: NDArray[np.float64],
    undirected: NDArray[np.float64],
    correlation: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """NES from both parts, and the logarithm of half its p-value.

    The smaller of both one-sided p-values is corrected for the choice, p = 1 - (1 - p0)^2, and
    turned into a normal score in logarithms, so that large scores don't overflow (Griffin et al.
    2023).
    """
    with np.errstate(invalid="ignore"):
        up = special.log_ndtr(-_over_sd(directed + undirected, 2 + 2 * correlation))
        down = special.log_ndtr(_over_sd(directed - undirected, 2 - 2 * correlation))
        smaller = np.minimum(up, down)
        log_half = smaller + np.log1p(-np.exp(smaller) / 2)
        return np.where(up < down, -1.0, 1.0) * special.ndtri_exp(log_half), log_half


def _over_sd(statistic: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A statistic over its standard deviation; 0 where that is 0, as where all signs are alike."""
    varies = ~(variance <= _NO_VARIANCE)
    sd = np.sqrt(np.where(varies, variance, 1.0))
    return np.where(varies, statistic / sd, 0.0)


def _signed_magnitudes(
    values: NDArray[np.float64], genes: pd.Index, cells: pd.Index, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Magnitudes and signs; zeros are put below all others, in an order and with signs drawn.

    Their draws are counter-based, from the names of the cell and of the gene; a zero is positive
    with the share of positive values among the cell's others.
    """
    magnitude, sign = np.abs(values), np.where(values < 0, -1, 1).astype(np.int32)
    zero = values == 0
    if not zero.any():
        return magnitude, sign
    gene_keys = _seeds.keys(seed, genes, "zero")
    for row in np.flatnonzero(zero.any(axis=1)):
        at = np.flatnonzero(zero[row])
        positive, negative = np.sum(values[row] > 0), np.sum(values[row] < 0)
        share = positive / (positive + negative) if positive + negative else 0.5
        part = _seeds.key(seed, "cell", cells[int(row)])
        drawn = _seeds.combine(gene_keys[at], part) >> np.uint64(11)
        again = _seeds.combine(gene_keys[at], part ^ 0x5555555555555555) >> np.uint64(11)
        magnitude[row, at] = drawn * 2.0**-53 - 1.0  # all below 0
        sign[row, at] = np.where(again * 2.0**-53 < share, 1, -1)
    return magnitude, sign


def _proper_modes(regulons: Regulons, seed: int) -> NDArray[np.float64]:
    """Modes away from 0 and 1, where a part of the score would have no variance."""
    mode = np.clip(regulons.mode, -1, 1)
    mode = np.where(np.abs(mode) == 1, _LARGEST_MODE * mode, mode)
    for edge in np.flatnonzero(np.abs(mode) < _NO_MODE).tolist():
        names = (
            regulons.names[int(regulons.owner[edge])],
            regulons.genes[int(regulons.targets[edge])],
        )
        odd = _seeds.key(seed, "mode", *names) & 1
        mode[edge] = _SMALLEST_MODE if odd else -_SMALLEST_MODE
    return mode


def _by_likelihood(regulons: Regulons) -> NDArray[np.int32]:
    """Places of a regulon's targets by decreasing likelihood."""
    order = np.lexsort((-regulons.likelihood, regulons.owner))
    return (order - regulons.indptr[regulons.owner]).astype(np.int32)
