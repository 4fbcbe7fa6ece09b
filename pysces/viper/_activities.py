"""Activities of one network in all cells, computed in blocks of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces.dispatch.blocks import blocks, progress
from pysces.viper._cells import by_blocks, by_name, stored_per_cell
from pysces.viper._depth_scores import activities_given_depth
from pysces.viper._enrichment import (
    cells_of_block,
    common_rank_deviation,
    score_block,
    takes_sparse,
)
from pysces.viper._nulls import (
    against_null,
    bootstrap_draws,
    bootstrap_plan,
    bootstrapped_area,
    null_signature,
)
from pysces.viper._options import ViperOptions
from pysces.viper._pleiotropy import correct, shared_pairs
from pysces.viper._regulons import Regulons, align
from pysces.viper._signatures import Signature, fit
from pysces.viper._statistics import two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._count_data import CountData
    from pysces.data._expression import Expression
    from pysces.network import Network

_MOST_REFERENCE = 1000  # cells from which null samples are drawn


_TABLES = {
    "area": ["nes"],
    "narnea": ["nes", "pes", "pvalue"],
    "mean": ["nes"],
    "score": ["nes"],
}


@dataclass(frozen=True)
class Activities:
    """Scores of all cells: one table (cells x regulators) per score (nes, pvalue, pes, sd)."""

    regulons: Regulons
    tables: dict[str, NDArray[np.float64]]

    def frame(self, name: str, cells: pd.Index) -> pd.DataFrame:
        """One of the tables as a DataFrame with names of cells and regulators."""
        return pd.DataFrame(self.tables[name], index=cells, columns=self.regulons.names)


def activities(
    source: Expression,
    names: pd.Index,
    network: Network,
    options: ViperOptions,
    *,
    counts: CountData | None,
    reference: NDArray[np.intp] | None,
) -> Activities:
    """Score one network in all cells.

    source: cells x genes. names: names of the cells. options: signature and enrichment must be
    resolved (not "auto"). counts: if given, counts are scored given the depth of their cell.
    reference: rows of the cells to compare with.
    """
    if counts is not None:
        return Activities(*activities_given_depth(counts, names, network, options, reference))
    sizes: Any = {"min_targets": options.min_targets, "filter_genes": options.filter_genes}
    regulons = align(network, source.genes, **sizes)
    cells = source.take_genes(regulons.columns)
    if options.n_bootstraps:
        draws = by_name(names)[bootstrap_draws(cells.n_samples, options.n_bootstraps, options.seed)]
        nes, sd = bootstrapped_area(cells, regulons, draws)
        return Activities(regulons, {"nes": nes, "sd": sd})
    return Activities(regulons, _by_blocks(cells, names, regulons, options, reference))


def _by_blocks(
    cells: Expression,
    names: pd.Index,
    regulons: Regulons,
    options: ViperOptions,
    reference: NDArray[np.intp] | None,
) -> dict[str, NDArray[np.float64]]:
    method: Any = options.signature
    fitted = fit(cells, method, reference)
    scoring, pleiotropy = options.scoring, options.pleiotropic
    kind = scoring.enrichment
    null, null_scores, max_rank_deviation = None, None, -1
    if options.compat == "r-matrix":
        max_rank_deviation = common_rank_deviation(fitted.of(values) for values in by_blocks(cells))
    if options.n_permutations and kind != "gsea":
        null = _null_signatures(cells, names, options, fitted, reference)
        null_deviation = -1 if options.compat is None else common_rank_deviation([null])
        null_scores = _raw(
            score_block(null, regulons, scoring, max_rank_deviation=null_deviation), kind
        )
    wanted = _TABLES.get(kind)
    if wanted is None:
        wanted = ["nes", "pvalue"] if scoring.n_permutations else ["nes"]
    found = {
        name: np.empty((cells.n_samples, len(regulons.names)))
        for name in dict.fromkeys([*wanted, *(["pvalue"] if null is not None else [])])
    }
    pairs = None
    if pleiotropy is not None:
        pairs = shared_pairs(regulons, pleiotropy.targets)
    zero = fitted.of(np.zeros((1, cells.n_genes)))[0]
    stored = None
    if pleiotropy is None and takes_sparse(scoring):
        stored = stored_per_cell(cells)
    step = cells_of_block(cells.n_samples, cells.n_genes, regulons, stored)
    for part in progress(list(blocks(cells.n_samples, step)), "activity", unit="block"):
        values: Any
        if (rows := cells.sparse_block(part)) is None:
            values = fitted.of(cells.sample_block(part, copy=False))
        else:
            values = fitted.of_rows(rows, zero)
            values = values.dense() if stored is None else values
        scores = score_block(
            values, regulons, scoring, cell_names=names[part], max_rank_deviation=max_rank_deviation
        )
        nes = scores["nes"]
        if null_scores is not None:
            nes = against_null(_raw(scores, kind), null_scores)
        if pleiotropy is not None:
            nes = correct(values, nes, regulons, pleiotropy, null=null, pairs=pairs)
        scores["nes"] = nes
        if null is not None:
            scores["pvalue"] = two_sided(nes)
        for name, table in found.items():
            table[part] = scores[name]
    return found


def _raw(scores: dict[str, Any], kind: str) -> NDArray[np.float64]:
    """The score that is compared with null scores."""
    return scores["es"] if kind == "area" else scores["nes"]


def _null_signatures(
    cells: Expression,
    names: pd.Index,
    options: ViperOptions,
    fitted: Signature,
    reference: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Signatures of reference cells against bootstraps of the others [nulls genes].

    At most 1,000 cells of the reference are used, evenly spaced in the order of their names.
    """
    rows = np.arange(cells.n_samples) if reference is None else reference
    rows = rows[by_name(names[rows])]
    if len(rows) > _MOST_REFERENCE:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_REFERENCE).astype(np.intp)]
    values = fitted.near_zero(cells.sample_block(rows))
    method: Any = options.signature
    plans = bootstrap_plan(len(rows), options.n_permutations, options.seed)
    shuffled = progress(plans, "null", unit="sample")
    return np.array([null_signature(values, resample, method) for resample in shuffled])
