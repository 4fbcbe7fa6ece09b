"""Activities of one network in all cells: signature, enrichment, nulls, corrections, by blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_whole
from pysces.dispatch.blocks import blocks, progress
from pysces.errors import InputError
from pysces.viper._bootstraps import bootstrap_draws, bootstrapped_area
from pysces.viper._cells import Read, Table, by_name
from pysces.viper._depth_scores import activities_given_depth
from pysces.viper._enrichment import (
    Compat,
    Options,
    by_blocks,
    cells_of_block,
    check_compat,
    common_peak,
    score_block,
)
from pysces.viper._normal_scores import two_sided
from pysces.viper._nulls import against_null, bootstrap_plan, null_signature
from pysces.viper._pleiotropy import Pleiotropy, correct, shared_pairs
from pysces.viper._regulons import Regulons, align
from pysces.viper._signatures import Method, Signature, fit
from pysces.viper._units import from_units, in_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._count_data import CountData
    from pysces.data._expression import Expression
    from pysces.network import Network

_MOST_REFERENCE = 1000  # cells from which null samples are drawn


@dataclass(frozen=True)
class Plan:
    """What a run of VIPER computes."""

    signature: Method = "zscore"
    reference: NDArray[np.intp] | None = None
    min_targets: int = 10
    filter_genes: bool = True
    pleiotropy: Pleiotropy | None = None
    n_permutations: int = 0
    n_bootstraps: int = 0
    seed: int = 0
    options: Options = field(default_factory=Options)
    compat: Compat | None = None
    counts: CountData | None = None
    n_draws: int = 8

    def check(self) -> None:
        """Refuse combinations that mean nothing."""
        kind = self.options.enrichment
        check_whole("n_permutations", self.n_permutations, 0)
        check_whole("n_bootstraps", self.n_bootstraps, 0)
        check_whole("n_draws", self.n_draws, 1)
        if self.n_permutations == 1 or self.n_bootstraps == 1:
            raise InputError("One permutation or bootstrap has no spread. Use 0, or 2 or more.")
        check_compat(self.compat, kind)
        if self.compat is not None and self.n_bootstraps:
            raise InputError(
                f"compat={self.compat!r} can't be combined with n_bootstraps. Leave one out."
            )
        if self.compat is not None and self.counts is not None:
            raise InputError(
                f"compat={self.compat!r} is of signatures that R has, so signature='counts' can't "
                "be combined with it. Leave one out."
            )
        if self.pleiotropy is not None and kind != "area":
            raise InputError("pleiotropy corrects aREA only; use enrichment='area'.")
        if self.n_permutations and kind == "score":
            raise InputError(
                "The null of enrichment='score' is analytic; use n_permutations=0 with it."
            )
        if self.n_permutations and kind == "narnea":
            raise InputError(
                "NaRnEA has an analytic null; use n_permutations=0 with enrichment='narnea'."
            )
        if self.n_permutations and kind != "gsea" and self.signature not in _WITH_NULL:
            raise InputError(
                f"n_permutations needs signature= one of {_WITH_NULL}. Got {self.signature!r}."
            )
        if self.n_bootstraps and (kind != "area" or self.signature != "zscore"):
            raise InputError(
                "n_bootstraps needs enrichment='area' and signature='zscore', "
                "the signature that bootstraps are made for."
            )
        if self.n_bootstraps and (self.n_permutations or self.pleiotropy is not None):
            raise InputError("n_bootstraps can't be combined with n_permutations or pleiotropy.")


_TABLES = {
    "area": ["nes"],
    "narnea": ["nes", "pes", "pvalue"],
    "mean": ["nes"],
    "score": ["nes"],
}
_WITH_NULL = ("zscore", "ttest", "mean")


@dataclass(frozen=True)
class Activities:
    """Scores of all cells: tables cells x regulators by name (nes, pvalue, pes, sd)."""

    regulons: Regulons
    tables: dict[str, NDArray[np.float64]]

    def frame(self, name: str, cells: pd.Index) -> pd.DataFrame:
        """One of the tables with names."""
        return pd.DataFrame(self.tables[name], index=cells, columns=self.regulons.names)


def activities(
    source: Expression | pd.DataFrame, names: pd.Index, network: Network, plan: Plan
) -> Activities:
    """Score one network in all cells.

    source: cells x genes. names: of the cells.
    """
    if plan.counts is not None:
        found = activities_given_depth(
            plan.counts,
            names,
            network,
            plan.options,
            reference=plan.reference,
            min_targets=plan.min_targets,
            filter_genes=plan.filter_genes,
            pleiotropy=plan.pleiotropy,
            n_draws=plan.n_draws,
            seed=plan.seed,
        )
        return Activities(*found)
    genes = source.columns if isinstance(source, pd.DataFrame) else source.genes
    regulons = align(network, genes, min_targets=plan.min_targets, filter_genes=plan.filter_genes)
    cells: Table | Read
    if isinstance(source, pd.DataFrame):
        cells = Table(source.to_numpy(), regulons.columns)
    else:
        cells = Read(source.take_genes(regulons.columns))
    if plan.n_bootstraps:
        draws = by_name(names)[bootstrap_draws(cells.n_cells, plan.n_bootstraps, plan.seed)]
        nes, sd = bootstrapped_area(cells, regulons, draws)
        return Activities(regulons, {"nes": nes, "sd": sd})
    return Activities(regulons, _by_blocks(cells, names, regulons, plan))


def _by_blocks(
    cells: Table | Read, names: pd.Index, regulons: Regulons, plan: Plan
) -> dict[str, NDArray[np.float64]]:
    fitted = fit(cells, plan.signature, plan.reference)
    kind = plan.options.enrichment
    null, null_scores, peak = None, None, -1
    if plan.compat == "r-matrix":
        peak = common_peak(fitted.of(values) for values in by_blocks(cells))
    if plan.n_permutations and kind != "gsea":
        null = _null_signatures(cells, names, plan, fitted)
        null_peak = -1 if plan.compat is None else common_peak([null])
        null_scores = _raw(score_block(null, regulons, plan.options, peak=null_peak), kind)
    wanted = _TABLES.get(kind)
    if wanted is None:
        wanted = ["nes", "pvalue"] if plan.options.n_permutations else ["nes"]
    found = {
        name: np.empty((cells.n_cells, len(regulons.names)))
        for name in dict.fromkeys([*wanted, *(["pvalue"] if null is not None else [])])
    }
    pairs = None
    if plan.pleiotropy is not None:
        pairs = shared_pairs(regulons, plan.pleiotropy.targets)
    step = cells_of_block(cells.n_cells, cells.n_genes, regulons)
    for part in progress(list(blocks(cells.n_cells, step)), "activity", unit="block"):
        values = fitted.of(cells.block(part))
        scores = score_block(values, regulons, plan.options, cell_names=names[part], peak=peak)
        nes = scores["nes"]
        if null_scores is not None:
            nes = against_null(_raw(scores, kind), null_scores)
        if plan.pleiotropy is not None:
            nes = correct(values, nes, regulons, plan.pleiotropy, null=null, pairs=pairs)
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
    cells: Table | Read, names: pd.Index, plan: Plan, fitted: Signature
) -> NDArray[np.float64]:
    """Signatures of reference cells against bootstraps of the others [nulls genes].

    From at most 1,000 cells of the reference, evenly spaced in the order of their names.
    """
    rows = np.arange(cells.n_cells) if plan.reference is None else plan.reference
    rows = rows[by_name(names[rows])]
    if len(rows) > _MOST_REFERENCE:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_REFERENCE).astype(np.intp)]
    reference = in_units(cells.block(rows), fitted.exponent)
    method: Any = plan.signature
    plans = bootstrap_plan(len(rows), plan.n_permutations, plan.seed)
    shuffled = progress(plans, "null", unit="sample")
    null = np.array([null_signature(reference, resample, method) for resample in shuffled])
    return from_units(null, fitted.exponent) if method == "mean" else null
