"""Enrichment of regulons in signatures: aREA, NaRnEA, weighted running sum, weighted mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pysces import seeds
from pysces.checks import check_one_of, check_whole
from pysces.dispatch import engines
from pysces.dispatch import operations as ops
from pysces.dispatch.chunks import block_length, blocks, progress
from pysces.errors import InputError
from pysces.viper.blocks import Cells, Table, frame
from pysces.viper.narnea import narnea_scores
from pysces.viper.quantiles import tables, two_sided
from pysces.viper.regulons import Regulons, align, as_network
from pysces.viper.units import from_units, in_units, largest_magnitude, unit_exponents

if TYPE_CHECKING:
    from numpy.typing import NDArray

Enrichment = Literal["score", "area", "narnea", "gsea", "mean"]
Value = Literal["nes", "es", "pes", "pvalue"]
Compat = Literal["r-matrix"]
Scores = dict[str, "NDArray[np.float64]"]
_LARGEST_Z = 1e6  # an infinite value of a signature counts as this

VALUES: dict[str, tuple[str, ...]] = {
    "score": ("nes", "pvalue"),
    "area": ("nes", "es", "pvalue"),
    "narnea": ("nes", "pes", "pvalue"),
    "gsea": ("nes", "es", "pvalue"),
    "mean": ("nes",),
}


@dataclass(frozen=True)
class Options:
    """How signatures are scored."""

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
    values: NDArray[np.float64],
    regulons: Regulons,
    options: Options,
    *,
    cell_names: pd.Index | None = None,
    peak: int = -1,
) -> Scores:
    """Scores of a block of cells: each is cells x regulons.

    values: signature [cells genes], genes as in `regulons`. peak: the largest deviation of a rank
    from the middle, where it isn't each cell's own.
    """
    if options.enrichment == "area":
        return _area(values, regulons, options.gene_weights, peak)
    if options.enrichment == "narnea":
        names = pd.RangeIndex(len(values)) if cell_names is None else cell_names
        return narnea_scores(values, regulons, names, options.seed)
    if options.enrichment == "gsea":
        return _gsea(values, regulons, options)
    weights = regulons.mode * regulons.likelihood
    if options.enrichment == "score":
        return {"nes": _score(values, regulons, weights)}
    exponent = unit_exponents(largest_magnitude(values, axis=1))[:, None]
    means = ops.weighted_mean(
        in_units(values, exponent), regulons.indptr, regulons.targets, weights
    )
    return {"nes": from_units(means, exponent)}


def _area(
    values: NDArray[np.float64],
    regulons: Regulons,
    weights: NDArray[np.float64] | None,
    peak: int,
) -> Scores:
    offset, quantiles = tables(values)
    given = {
        "signature": values,
        "peak": np.full(len(values), peak, dtype=np.int32),
        "offset": offset,
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
    """``sum w z / sqrt(sum w^2)`` over the targets that have a value; values are limited to 1e6."""
    shape = (len(regulons.names), values.shape[1])
    sizes, squares = (
        sp.csr_array((part, regulons.targets, regulons.indptr), shape=shape).T
        for part in (np.abs(weights), weights**2)
    )
    present = (~np.isnan(values)).astype(np.float64)
    limited = np.clip(values, -_LARGEST_Z, _LARGEST_Z)
    mean = ops.weighted_mean(limited, regulons.indptr, regulons.targets, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean * ((present @ sizes) / np.sqrt(present @ squares))


def _gsea(values: NDArray[np.float64], regulons: Regulons, options: Options) -> Scores:
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
    """Weights of the running sum, in units of each cell.

    Missing values have none, infinite ones that of the cell's largest finite value.
    """
    largest = largest_magnitude(values, axis=1)
    exponent = unit_exponents(largest)[:, None]
    largest = np.where(largest > 0, largest, 1.0)[:, None]
    weight = np.where(np.isnan(values), 0.0, np.minimum(np.abs(values), largest))
    return in_units(weight, exponent)


def gene_permutations(genes: int, number: int, seed: int) -> NDArray[np.int32]:
    """Permutations of the places of a signature: the same for every cell and regulon."""
    table = np.empty((number, genes), dtype=np.int32)
    for index in range(number):
        table[index] = seeds.generator(seed, "gene permutation", index).permutation(genes)
    return table


# --- the functional core --------------------------------------------------------------------------


_CACHED = 1 << 23  # bytes of a block that a CPU works through without waiting for the memory


def cells_of_block(n_cells: int, genes: int, regulons: Regulons) -> int:
    """Cells of a block: as many as the memory allows a GPU, fewer on a CPU."""
    allowed = block_length(8.0 * (6 * genes + 10 * len(regulons.names)), n_cells)
    if engines.choose().gpu:
        return allowed
    return max(1, min(allowed, max(64, _CACHED // max(1, 8 * genes))))


def enrich(
    signature: Any,
    network: Any,
    *,
    enrichment: Enrichment = "area",
    value: Value = "nes",
    min_targets: int = 10,
    filter_genes: bool = True,
    adaptive_size: bool = False,
    gene_weights: Any = None,
    n_permutations: int = 1000,
    seed: int = 0,
    compat: Compat | None = None,
    engine: str | None = None,
) -> pd.DataFrame:
    """Enrichment of each regulon in each sample's signature.

    Parameters
    ----------
    signature
        Samples x genes, a DataFrame (or an AnnData, its ``X``). NaN is missing, infinite values
        rank at the ends.
    network
        `Network`, DataFrame of edges (source, target, and mor, weight, likelihood), or path.
    enrichment
        ``"area"``: analytic rank-based enrichment analysis (Alvarez et al. 2016).
        ``"narnea"``: nonparametric analytical rank-based enrichment analysis (Griffin et al.
        2023). ``"gsea"``: weighted running sum with permutation NES (Subramanian et al. 2005);
        modes and likelihoods don't count. ``"mean"``: mean weighted by mode x likelihood.
        ``"score"``: with w = mode x likelihood, ``sum w z / sqrt(sum w^2)`` of a signature of
        standard normal scores z (Stouffer et al. 1949).
    value
        What to return: ``"nes"``; ``"es"`` (area, gsea); ``"pes"`` (narnea); ``"pvalue"``.
    min_targets
        Fewest measured targets of a regulon.
    filter_genes
        Rank only genes that the network names.
    adaptive_size
        Compare ``min_targets`` with the sum of (likelihood / largest)^2.
    gene_weights
        aREA: weight of each gene (a Series) or of each gene in each sample (samples x genes);
        0 for genes not named.
    n_permutations
        Of the genes, for ``"gsea"``; 0 returns the plain running sum.
    seed
        For ``"gsea"``, and for zeros in ``"narnea"``.
    compat
        For ``"area"``. ``"r-matrix"``: take the largest one-tail rank over all samples of the call,
        as the matrix form of R's aREA does, instead of each sample's own. A score then depends on
        the other samples (only where the extreme genes of a sample are tied).
    engine
        ``"mlx"``, ``"numba"`` or ``"python"`` for this call.

    Returns
    -------
    Samples x regulators. A sample's score depends on that sample alone.

    Raises
    ------
    InputError
        If names repeat, no regulon is left, or an argument isn't known.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838 (aREA); Griffin et al. 2023, Entropy 25:542
    (NaRnEA); Subramanian et al. 2005, PNAS 102:15545 (running sum).

    Examples
    --------
    >>> table = pd.DataFrame([[2.0, 1.0, -1.0, -2.0]], columns=["A", "B", "C", "D"])
    >>> edges = pd.DataFrame({"source": "TF", "target": ["A", "D"], "mor": [1.0, -1.0]})
    >>> round(enrich(table, edges, min_targets=1, filter_genes=False).loc[0, "TF"], 4)
    np.float64(1.1902)
    """
    check_whole("min_targets", min_targets, 0)
    check_whole("n_permutations", n_permutations, 0)
    check_whole("seed", seed, 0)
    check_compat(compat, enrichment)
    options = Options(enrichment, n_permutations, seed)
    if gene_weights is not None and enrichment != "area":
        raise InputError(
            f"gene_weights are used by enrichment='area' alone. Got enrichment={enrichment!r}."
        )
    if enrichment == "gsea" and value == "pvalue" and n_permutations == 0:
        raise InputError("value='pvalue' of enrichment='gsea' needs n_permutations > 0.")
    if value not in VALUES[enrichment]:
        raise InputError(
            f"value must be one of {VALUES[enrichment]} for enrichment={enrichment!r}. "
            f"Got {value!r}."
        )
    table = frame(signature)
    regulons = align(
        as_network(network),
        table.columns,
        min_targets=min_targets,
        filter_genes=filter_genes,
        size="squares" if adaptive_size else "count",
    )
    weights = _weights(gene_weights, table, regulons)
    cells = Table(table.to_numpy(), regulons.columns)
    with engines.use_engine(engine):
        peak = common_peak(by_blocks(cells)) if compat == "r-matrix" else -1
        scores = score_table(
            cells, regulons, options, table.index, value, weights=weights, peak=peak
        )
    return pd.DataFrame(scores, index=table.index, columns=regulons.names)


def score_table(
    cells: Table,
    regulons: Regulons,
    options: Options,
    names: pd.Index,
    value: Value = "nes",
    *,
    weights: NDArray[np.float64] | None = None,
    peak: int = -1,
) -> NDArray[np.float64]:
    """One kind of score of all cells of a signature in memory, by blocks."""
    result = np.empty((cells.n_cells, len(regulons.names)))
    step = cells_of_block(cells.n_cells, cells.n_genes, regulons)
    for part in progress(list(blocks(cells.n_cells, step)), "enrichment", unit="block"):
        own = options if weights is None else replace(options, gene_weights=weights[part])
        found = score_block(cells.block(part), regulons, own, cell_names=names[part], peak=peak)
        if value == "pvalue" and value not in found:
            found["pvalue"] = two_sided(found["nes"])
        result[part] = found[value]
    return result


def _weights(
    gene_weights: Any, table: pd.DataFrame, regulons: Regulons
) -> NDArray[np.float64] | None:
    """Weights of the regulons' genes in every sample."""
    if gene_weights is None:
        return None
    if not isinstance(gene_weights, pd.DataFrame | pd.Series | Mapping):
        raise InputError(
            "gene_weights must name their genes: a Series, a dict, or a DataFrame samples x genes. "
            f"Got {type(gene_weights).__name__}."
        )
    if isinstance(gene_weights, pd.DataFrame):
        given = frame(gene_weights)
        if not (table.index.is_unique and given.index.is_unique):
            raise InputError("gene_weights by sample need samples with different names.")
        given = given.reindex(index=table.index, columns=regulons.genes)
    else:
        given = frame(pd.DataFrame(pd.Series(gene_weights)).T)
        given = given.reindex(columns=regulons.genes)
    weights = np.ascontiguousarray(given.fillna(0.0).to_numpy(dtype=np.float64))
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("gene_weights must be finite numbers of at least 0.")
    if not weights.any():
        raise InputError("gene_weights are 0 for all genes that the network names.")
    return weights if len(weights) == len(table) else np.tile(weights, (len(table), 1))


def check_compat(compat: str | None, enrichment: Enrichment) -> None:
    """Refuse a form that isn't known, and one for another score than aREA."""
    check_one_of("compat", compat, (None, *get_args(Compat)))
    if compat is not None and enrichment != "area":
        raise InputError(
            f"compat={compat!r} is a form of enrichment='area' alone. Got "
            f"enrichment={enrichment!r}."
        )


def by_blocks(cells: Cells) -> Iterable[NDArray[np.float64]]:
    """Values of some cells at a time, so many that their ranks fit the memory."""
    step = block_length(24.0 * cells.n_genes, cells.n_cells)
    return (cells.block(part) for part in blocks(cells.n_cells, step))


def common_peak(signatures: Iterable[NDArray[np.float64]]) -> int:
    """Largest deviation of a rank from the middle, over all samples [samples genes]."""
    largest = 0
    for values in signatures:
        ranks = ops.average_ranks(values)
        middle = np.count_nonzero(ranks, axis=1)[:, None] + 1
        deviation = np.abs(np.where(ranks > 0, ranks - middle, 0))
        largest = max(largest, int(deviation.max(initial=0)))
    return largest
