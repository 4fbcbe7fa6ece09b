"""The network of one matrix: what every run of ARACNe does beneath."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces._record import RunRecord
from pysces.aracne._candidates import Candidates, ScoredCandidates
from pysces.aracne._copula import Scores, facts_of, strata
from pysces.aracne._inference import infer, warn_empty
from pysces.aracne._null import N_NULL
from pysces.aracne._options import (
    AracneOptions,
    Auto,
    ConsensusName,
    Correction,
    Counts,
    Degree,
    EstimatorName,
    Pruning,
    ResamplingName,
    Ties,
)
from pysces.aracne._quality import judge
from pysces.aracne._runner import Work
from pysces.data._depth import Known, counts_of, known_of_arrays
from pysces.data._expression import Expression, constant_genes, nonzero_samples
from pysces.data._inputs import name_order
from pysces.data.regulators import resolve_regulators
from pysces.dispatch.engines import choose, use_engine
from pysces.dispatch.engines import record as engine_record
from pysces.errors import InputError
from pysces.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

log = logging.getLogger("pysces")


def infer_network(
    expression: Any,
    regulators: Any = None,
    *,
    genes: Sequence[str] | None = None,
    counts: Counts = "auto",
    size_factors: Any = None,
    batch_key: Any = None,
    min_cells: int = 10,
    estimator: EstimatorName = "copula",
    degree: Degree = "auto",
    n_bins: int = 10,
    ties: Ties = "random",
    miller_madow: bool = False,
    resampling: ResamplingName | None = "halves",
    n_resamples: int | Auto = 100,
    alpha: float = 0.05,
    correction: Correction | None = "fdr_bh",
    consensus: ConsensusName = "decoy",
    min_support: float = 0.5,
    resample_pvalue: float | Auto = "auto",
    n_decoys: int | None = None,
    dpi: Pruning = True,
    dpi_tolerance: float = 0.0,
    n_null: int = N_NULL,
    seed: int = 0,
    checkpoint: Any = None,
    client: Any = None,
    engine: str | None = None,
) -> Network:
    """Infer a network from a DataFrame or an array, as :func:`run_aracne` does from an AnnData.

    Parameters
    ----------
    expression
        Samples x genes, counts or normalised values: a DataFrame, or an array or sparse matrix
        with ``genes=``.
    regulators
        As in :func:`run_aracne`: names, the path of a file, or ``None``.
    genes
        Names of the columns of an array.
    counts
        ``"auto"``, ``True`` or ``False``: whether values are counts, as in :func:`run_aracne`.
    size_factors
        Depth of each sample (its total count, in any unit): one number per sample. ``None``: the
        unit of recovered counts, or the sum over at least 1,000 genes.
    batch_key
        Batch of each sample: one label per sample.
    min_cells
        Genes with counts in fewer samples are left out. Only used with counts.
    estimator, degree, n_bins, ties, miller_madow
        The estimator of mutual information, as in :func:`run_aracne`.
    resampling, n_resamples, alpha, correction, consensus, min_support, resample_pvalue, n_decoys
        Resamples and which edges are kept, as in :func:`run_aracne`.
    dpi, dpi_tolerance
        How indirect edges are removed, as in :func:`run_aracne`.
    n_null
        Number of simulated pairs of independent genes.
    seed
        Seed of resamples, ties and decoys.
    checkpoint, client, engine
        Where the work is done, as in :func:`run_aracne`.

    Returns
    -------
    Network
        Its edges have the columns and the order that :func:`run_aracne` writes, ``rank`` among
        them; the run record is ``network.record``.

    Raises
    ------
    InputError
        Bad data or arguments.
    EngineUnavailable
        An engine asked for by name cannot run here.

    Warns
    -----
    PyscesWarning
        If the network is empty or not to be trusted, as in :func:`run_aracne`.

    References
    ----------
    As :func:`run_aracne`: Margolin et al. 2006, Ince et al. 2017, Shah and Samworth 2013.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> data = pd.DataFrame(rng.normal(size=(150, 3)), columns=["MYC", "MAX", "CDK4"])
    >>> data["CDK4"] += 3 * data["MYC"]
    >>> network = pysces.infer_network(data, ["MYC"], n_resamples=10, n_null=100_000)
    >>> network.regulons()
    {'MYC': ['CDK4']}
    >>> network.record.facts["scores"], network.record.facts["stability"]
    ('continuous', 1.0)
    """
    options = AracneOptions.of(locals())
    work = Work(checkpoint, client)
    table = Expression.from_matrix(expression, genes=genes)
    known = known_of_arrays(table.n_samples, size_factors, batch_key, table.samples)
    prepared = Prepared.of(table, regulators, None, options, known)
    with use_engine(engine):
        return network_of(
            prepared, options, work, method="infer_network", regulators=origin(regulators, None)
        )


@dataclass(frozen=True, eq=False)
class Prepared:
    """One matrix, checked and ready: who may regulate whom, and how many genes were left out."""

    candidates: Candidates
    n_constant_genes: int
    facts: dict[str, Any]

    @classmethod
    def of(
        cls,
        expression: Expression,
        regulators: Any,
        var: pd.DataFrame | None,
        options: AracneOptions,
        known: Known,
    ) -> Prepared:
        """Regulators by name; genes that don't vary carry no information and are reported once.

        Raises
        ------
        InputError
            If no gene or no regulator varies, or no regulator is among the genes.
        """
        order = name_order(expression.samples)
        expression, known = expression.by_name(), known.take(order)
        names = pd.Index(resolve_regulators(regulators, expression.genes, var))
        constant = constant_genes(expression)
        if constant.all():
            raise InputError(
                f"All {expression.n_genes} genes are constant over the samples, so nothing can be "
                "inferred. Pass varying data (perhaps another layer=)."
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
                "Only one gene varies over the samples, so there is no pair of genes. Pass more."
            )
        if options.estimator != "copula":
            places = np.sort(expression.genes.get_indexer(names))
            candidates = Candidates(expression, places, options.decoys(len(places)), options.seed)
            return cls(candidates, int(constant.sum()), {})
        values, counts = counts_of(expression, options.counts, known)
        facts: dict[str, Any] = {}
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
        )
        facts |= facts_of(scores, counts) | {"n_strata": int(candidates.strata.max()) + 1}
        return cls(candidates, int(constant.sum()), facts)


def _without_rare(
    expression: Expression, names: pd.Index, rare: NDArray[np.bool_], min_cells: int
) -> pd.Index:
    """Regulators that are counted in enough samples; genes that are not are reported."""
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


def network_of(
    prepared: Prepared,
    options: AracneOptions,
    work: Work,
    *,
    method: str,
    regulators: str,
    group: str | None = None,
) -> Network:
    """The network of one matrix, with its run record.

    regulators: where they are from.
    """
    candidates = prepared.candidates
    n_samples = candidates.expression.n_samples
    network, found = infer(candidates, options, work)
    if len(network) == 0:
        warn_empty(candidates, options, found, group)
    log.info(
        "%s%d edges of %d regulators, from %d samples x %d genes.",
        "" if group is None else f"Group {group!r}: ",
        len(network),
        candidates.n_regulators,
        n_samples,
        candidates.n_genes,
    )
    facts = {
        "n_samples": n_samples,
        "n_genes": candidates.n_genes,
        "n_regulators": candidates.n_regulators,
        "n_constant_genes": prepared.n_constant_genes,
        "n_edges": len(network),
        **prepared.facts,
        **found,
    }
    facts = judge(network, candidates, options, facts, group)
    arguments = {"regulators": regulators, **options.record()}
    record = RunRecord(method, arguments, facts, engine_record(choose()))
    return Network(network.to_dataframe(), record)


def origin(regulators: Any, var: pd.DataFrame | None) -> str:
    """Where the regulators came from, for the run record."""
    if isinstance(regulators, str | Path):
        return str(regulators)
    if regulators is not None:
        return "given"
    return "var['regulator']" if var is not None and "regulator" in var else "built-in"
