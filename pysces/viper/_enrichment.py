"""Enrichment of regulons in blocks of signatures, by all methods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special

from pysces import _seeds
from pysces._checks import check_one_of
from pysces.dispatch import engines
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length
from pysces.errors import InputError
from pysces.viper._regulons import Regulons
from pysces.viper._signatures import SparseSignature
from pysces.viper._statistics import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray


Enrichment = Literal["score", "area", "narnea", "gsea", "mean"]
Compat = Literal["r-matrix"]
Scores = dict[str, "NDArray[np.float64]"]
_NO_VARIANCE = 1e-9
_LARGEST_MODE = 0.999  # |m| = 1 leaves no undirected part, by whose variance NaRnEA divides
_SMALLEST_MODE = 0.001
_NO_MODE = 1e-12  # the square of such a mode is below the rounding error of other squares
_LARGEST_Z = 1e6  # replaces infinite values of a signature


@dataclass(frozen=True)
class EnrichmentOptions:
    """Options of the enrichment of a signature."""

    enrichment: Enrichment = "area"
    n_permutations: int = 1000
    seed: int = 0
    gene_weights: NDArray[np.float64] | None = None
    permutations: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if self.enrichment not in get_args(Enrichment):
            raise InputError(
                f"enrichment must be one of {get_args(Enrichment)}. Got {self.enrichment!r}."
            )


def score_block(
    values: NDArray[np.float64] | SparseSignature,
    regulons: Regulons,
    options: EnrichmentOptions,
    *,
    cell_names: pd.Index | None = None,
    max_rank_deviation: int = -1,
) -> Scores:
    """Scores of a block of cells; each score is a table of cells x regulons.

    values: signature [cells genes], with the genes of `regulons`; sparse where :func:`takes_sparse`
    allows it. max_rank_deviation: largest
    deviation of a rank from the middle rank, or -1 to compute it for each cell.
    """
    if isinstance(values, SparseSignature):
        return _sparse_area(values, regulons, max_rank_deviation)
    if options.enrichment == "area":
        return _area(values, regulons, options.gene_weights, max_rank_deviation)
    if options.enrichment == "narnea":
        names = pd.RangeIndex(len(values)) if cell_names is None else cell_names
        return narnea_scores(values, regulons, names, options.seed)
    if options.enrichment == "gsea":
        return _gsea(values, regulons, options)
    weights = regulons.mode * regulons.likelihood
    if options.enrichment == "score":
        return {"nes": _score(values, regulons, weights)}
    return {"nes": ops.weighted_mean(values, regulons.indptr, regulons.targets, weights)}


def area_scores(
    signatures: NDArray[np.float64], regulons: Regulons
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Enrichment scores and NES (aREA) of signatures [signatures genes]."""
    table_start, quantiles = tables(signatures)
    max_rank_deviation = np.full(len(signatures), -1, dtype=np.int32)
    return ops.area(signatures, max_rank_deviation, table_start, quantiles, **regulons.arrays())


def takes_sparse(options: EnrichmentOptions) -> bool:
    """Whether :func:`score_block` takes sparse signatures."""
    return options.enrichment == "area" and options.gene_weights is None


def _sparse_area(values: SparseSignature, regulons: Regulons, max_rank_deviation: int) -> Scores:
    table_start, quantiles = values.tables()
    ends = values.rows.indptr
    es, nes = ops.sparse_area(
        values.zero,
        ends[:-1],
        ends[1:],
        values.rows.genes,
        values.rows.values,
        np.full(len(ends) - 1, max_rank_deviation, dtype=np.int32),
        table_start,
        quantiles,
        **regulons.arrays(),
    )
    return {"nes": nes, "es": es}


def _area(
    values: NDArray[np.float64],
    regulons: Regulons,
    weights: NDArray[np.float64] | None,
    max_rank_deviation: int,
) -> Scores:
    table_start, quantiles = tables(values)
    given = {
        "signature": values,
        "max_rank_deviation": np.full(len(values), max_rank_deviation, dtype=np.int32),
        "table_start": table_start,
        "quantiles": quantiles,
        **regulons.arrays(),
    }
    if weights is None:
        es, nes = ops.area(**given)
    else:
        lighter = bool((weights < 1).any() or np.isnan(values).any())
        es, nes = ops.weighted_area(**given, weights=weights, weighted_norm=lighter)
    return {"nes": nes, "es": es}


def _score(
    values: NDArray[np.float64], regulons: Regulons, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``sum w z / sqrt(sum w^2)`` over targets that are not NaN; values are clipped to +-1e6."""
    shape = (len(regulons.names), values.shape[1])
    sizes, squares = (
        sp.csr_array((part, regulons.targets, regulons.indptr), shape=shape).T
        for part in (np.abs(weights), weights**2)
    )
    missing = np.isnan(values)
    alike = (missing == missing[:1]).all()  # usually: the genes that are constant
    present = (~missing[:1] if alike else ~missing).astype(np.float64)
    limited = np.clip(values, -_LARGEST_Z, _LARGEST_Z)
    mean = ops.weighted_mean(limited, regulons.indptr, regulons.targets, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean * ((present @ sizes) / np.sqrt(present @ squares))


def _gsea(values: NDArray[np.float64], regulons: Regulons, options: EnrichmentOptions) -> Scores:
    weight = _magnitudes(values)
    sets: dict[str, Any] = {"indptr": regulons.indptr, "targets": regulons.targets}
    if options.n_permutations == 0:
        es = ops.running_sum(values, weight, **sets)
        return {"nes": es, "es": es}
    shuffled = options.permutations
    if shuffled is None:
        shuffled = gene_permutations(values.shape[1], options.n_permutations, options.seed)
    es, mean, same, extreme = ops.permuted_running_sum(values, weight, shuffled, **sets)
    with np.errstate(invalid="ignore", divide="ignore"):
        nes = np.where((same > 0) & (mean != 0), es / np.abs(mean), 0.0)
    return {"nes": nes, "es": es, "pvalue": (extreme + 1) / (same + 1)}


def _magnitudes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the running sum: 0 for NaN, the largest finite magnitude for infinite values."""
    size = np.abs(values)
    largest = np.where(np.isfinite(values), size, 0.0).max(axis=1, initial=0.0, keepdims=True)
    return np.where(np.isnan(values), 0.0, np.minimum(size, np.where(largest > 0, largest, 1.0)))


def gene_permutations(genes: int, number: int, seed: int) -> NDArray[np.int32]:
    """Permutations of the genes of a signature, shared by all cells and regulons."""
    table = np.empty((number, genes), dtype=np.int32)
    for index in range(number):
        table[index] = _seeds.generator(seed, "gene permutation", index).permutation(genes)
    return table


_CACHED = 1 << 23  # bytes of a block that stays in the cache of a CPU
_MOST_SPARSE = 512  # cells of a sparse block on a CPU: tasks for all cores, in their caches


def cells_of_block(
    n_cells: int, genes: int, regulons: Regulons, stored: float | None = None
) -> int:
    """Number of cells per block: limited by memory on a GPU, by the cache on a CPU.

    stored: mean number of values that a cell stores, if signatures stay sparse.
    """
    if stored is not None and not engines.choose().gpu:
        allowed = block_length(8.0 * (6 * stored + 10 * len(regulons.names)), n_cells)
        return min(allowed, _MOST_SPARSE)
    allowed = block_length(8.0 * (6 * genes + 10 * len(regulons.names)), n_cells)
    if engines.choose().gpu:
        return allowed
    return max(1, min(allowed, max(64, _CACHED // max(1, 8 * genes))))


def check_compat(compat: str | None, enrichment: Enrichment) -> None:
    """Raise an InputError for an unknown ``compat``, or one without enrichment='area'."""
    check_one_of("compat", compat, (None, *get_args(Compat)))
    if compat is not None and enrichment != "area":
        raise InputError(
            f"compat={compat!r} requires enrichment='area'. Got enrichment={enrichment!r}."
        )


def common_rank_deviation(signatures: Iterable[NDArray[np.float64]]) -> int:
    """Largest deviation of a rank from the middle rank, over all samples [samples genes]."""
    largest = 0
    for values in signatures:
        ranks = ops.average_ranks(values)
        middle = np.count_nonzero(ranks, axis=1)[:, None] + 1
        deviation = np.abs(np.where(ranks > 0, ranks - middle, 0))
        largest = max(largest, int(deviation.max(initial=0)))
    return largest


# --- NaRnEA (Griffin et al. 2023) -----------------------------------------------------------------


def narnea_scores(
    values: NDArray[np.float64], regulons: Regulons, names: pd.Index, seed: int
) -> dict[str, NDArray[np.float64]]:
    """NES, PES and p-values, each cells x regulons.

    values: signature [cells genes]. names: names of the cells, which seed the random order of
    zeros.
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
    pvalue = np.exp(log_half + np.log(2))
    # Nothing is enriched where all genes are equal; the order of zeros would be drawn at random.
    flat = np.fmax.reduce(values, 1, initial=-np.inf) == np.fmin.reduce(values, 1, initial=np.inf)
    for table, neutral in ((nes, 0.0), (pes, 0.0), (pvalue, 1.0)):
        table[flat] = np.where(np.isnan(table[flat]), np.nan, neutral)
    return {"nes": nes, "pes": pes, "pvalue": pvalue}


def combined_nes(
    directed: NDArray[np.float64],
    undirected: NDArray[np.float64],
    correlation: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """NES from both parts of the score, and the logarithm of half its p-value.

    The smaller of the two one-sided p-values is corrected for taking the smaller one,
    p = 1 - (1 - p0)^2. It is converted to a normal score in logarithms, so that the p-values of
    large scores do not underflow (Griffin et al. 2023).
    """
    with np.errstate(invalid="ignore"):
        up = special.log_ndtr(-_over_sd(directed + undirected, 2 + 2 * correlation))
        down = special.log_ndtr(_over_sd(directed - undirected, 2 - 2 * correlation))
        smaller = np.minimum(up, down)
        log_half = smaller + np.log1p(-np.exp(smaller) / 2)
        return np.where(up < down, -1.0, 1.0) * special.ndtri_exp(log_half), log_half


def _over_sd(statistic: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A statistic over its standard deviation; 0 where that is 0 (e.g. if all signs are equal)."""
    varies = ~(variance <= _NO_VARIANCE)
    sd = np.sqrt(np.where(varies, variance, 1.0))
    return np.where(varies, statistic / sd, 0.0)


def _signed_magnitudes(
    values: NDArray[np.float64], genes: pd.Index, cells: pd.Index, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Magnitudes and signs; zeros rank below other values, in random order, with random signs.

    The random numbers are counter-based, keyed by the names of the cell and of the gene. The
    probability that a zero is positive is the share of positive values among the cell's nonzeros.
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
    """Modes kept away from 0 and 1, where a part of the score would have no variance."""
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
    """Positions of a regulon's targets by decreasing likelihood."""
    order = np.lexsort((-regulons.likelihood, regulons.owner))
    return (order - regulons.indptr[regulons.owner]).astype(np.int32)
