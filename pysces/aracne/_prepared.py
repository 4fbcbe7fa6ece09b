"""Check and prepare data: variable genes, the regulators among them, scores or values."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces.aracne._candidates import Candidates, RankCandidates, ScoredCandidates
from pysces.aracne._copula import Scores, facts_of, strata
from pysces.aracne._donors import facts_of_donors
from pysces.aracne._options import AracneOptions
from pysces.data._depth import Known, counts_of
from pysces.data._expression import Expression, constant_genes, nonzero_samples
from pysces.data._inputs import name_order
from pysces.data.regulators import built_in_list, resolve_regulators
from pysces.dispatch.engines import Work
from pysces.dispatch.warmup import prepare
from pysces.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("pysces")


@dataclass(frozen=True, eq=False)
class PreparedData:
    """A checked matrix: its candidate edges, the number of genes left out, depths of samples."""

    candidates: Candidates
    n_constant_genes: int
    facts: dict[str, Any]
    depth: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        expression: Expression,
        regulators: Any,
        var: pd.DataFrame | None,
        options: AracneOptions,
        known: Known,
    ) -> PreparedData:
        """Find regulators by name and leave out constant genes, with one log line.

        Raises
        ------
        InputError
            If no gene or no regulator varies, or no regulator is among the genes.
        """
        order = name_order(expression.samples)
        expression, known = expression.by_name(), known.take(order)
        of_list = var, expression.samples, options.organism
        names = pd.Index(resolve_regulators(regulators, expression.genes, *of_list))
        built_in = built_in_list(regulators, expression.genes, var, options.organism)
        facts: dict[str, Any] = {} if built_in is None else {"organism": built_in[0]}
        constant = constant_genes(expression)
        if constant.all():
            raise InputError(
                f"All {expression.n_genes} genes are constant over the samples, so no network can "
                "be inferred. Pass data that vary (perhaps another layer=)."
            )
        if constant.any():
            left_out = expression.genes[constant]
            if names.isin(left_out).all():
                raise InputError(
                    f"All {len(names)} regulators are constant over the samples: "
                    f"{listed(names, 5)}. Pass regulators that vary, or another layer=."
                )
            log.warning(
                "%d of %d genes are constant and are left out (%d of them regulators): %s",
                len(left_out),
                expression.n_genes,
                names.isin(left_out).sum(),
                listed(left_out, 5),
            )
            expression, names = expression.take_genes(~constant), names.difference(left_out)
        if expression.n_genes == 1:
            raise InputError(
                "Only one gene varies over the samples, so there is no pair of genes. Pass others."
            )
        size = expression.n_genes * expression.n_samples
        prepare(options.estimator, values=size, work=Work(options.estimator, len(names) * size))
        if options.estimator != "copula":
            places = np.sort(expression.genes.get_indexer(names))
            ranked = RankCandidates(
                expression,
                places,
                options.decoys(len(places)),
                options.seed,
                options.rank_estimator(expression.n_samples),
            )
            return cls(ranked, int(constant.sum()), facts)
        values, counts = counts_of(expression, options.counts, known)
        if counts is not None:
            rare = nonzero_samples(counts.expression) < options.min_cells
            names = _without_rare(expression, names, rare, options.min_cells)
            values, counts = values.take_genes(~rare), counts.take_genes(~rare)
            facts["n_rare_genes"] = int(rare.sum())
        scores = Scores.of(values, counts, known.batch, options.degree)
        depth = known.depth if counts is None else counts.depth
        places = np.sort(values.genes.get_indexer(names))
        candidates = ScoredCandidates(
            values,
            places,
            options.decoys(len(places)),
            options.seed,
            scores,
            strata(depth, known.batch, values.n_samples),
            known.donor,
        )
        if known.donor is not None:
            facts |= facts_of_donors(known.donor, options.min_donors)
        facts |= facts_of(scores, counts) | {"n_strata": int(candidates.strata.max()) + 1}
        return cls(candidates, int(constant.sum()), facts, depth)


def _without_rare(
    expression: Expression, names: pd.Index, rare: NDArray[np.bool_], min_cells: int
) -> pd.Index:
    """Leave out genes with counts in too few samples, with one log line."""
    if not rare.any():
        return names
    left_out = expression.genes[rare]
    if names.isin(left_out).all() or rare.sum() > expression.n_genes - 2:
        raise InputError(
            f"All {len(names)} regulators, or all genes but one, have counts in fewer than "
            f"{min_cells} samples: {listed(left_out, 5)}. Lower min_cells=, or pass more samples."
        )
    log.warning(
        "%d of %d genes have counts in fewer than %d samples and are left out (%d of them "
        "regulators): %s",
        len(left_out),
        expression.n_genes,
        min_cells,
        names.isin(left_out).sum(),
        listed(left_out, 5),
    )
    return names.difference(left_out)


def origin(regulators: Any, var: pd.DataFrame | None) -> str:
    """The source of the regulators, for the run record."""
    if isinstance(regulators, str | Path):
        return str(regulators)
    if regulators is not None:
        return "given"
    return "var['regulator']" if var is not None and "regulator" in var else "built-in"
