"""The network of one matrix: what every run of ARACNe does beneath."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._version import __version__
from pysces.aracne.infer import infer, warn_empty
from pysces.aracne.null import N_NULL
from pysces.aracne.options import Options
from pysces.aracne.pairs import Candidates
from pysces.aracne.work import Work
from pysces.data.expression import Expression, constant_genes
from pysces.data.regulators import resolve_regulators
from pysces.dispatch.engines import choose, record, use_engine
from pysces.errors import InputError
from pysces.messages import listed
from pysces.network import Network

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

log = logging.getLogger("pysces")


def infer_network(
    expression: Any,
    regulators: Any = None,
    *,
    genes: Sequence[str] | None = None,
    estimator: str = "adaptive",
    n_bins: int = 10,
    ties: str = "random",
    miller_madow: bool = False,
    resampling: str | None = "subsample",
    n_resamples: int | str = 100,
    alpha: float = 0.05,
    correction: str | None = "fdr_bh",
    consensus: str = "decoy",
    resample_pvalue: float = 1e-3,
    n_decoys: int | None = None,
    dpi: bool | str = True,
    dpi_tolerance: float = 0.0,
    n_null: int = N_NULL,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    client: Any = None,
    engine: str | None = None,
) -> Network:
    """Infer a network from a DataFrame or an array: what :func:`run_aracne` does beneath.

    Parameters
    ----------
    expression
        Samples x genes: a DataFrame, or an array or sparse matrix with ``genes=``.
    regulators
        As in :func:`run_aracne`.
    genes
        Names of the columns of an array.
    estimator, n_bins, ties, miller_madow
        The estimator of mutual information, as in :func:`run_aracne`.
    resampling, n_resamples, alpha, correction, consensus, resample_pvalue, n_decoys
        Resamples and which edges are kept, as in :func:`run_aracne`.
    dpi, dpi_tolerance, n_null, seed
        Indirect edges, p-values and chance, as in :func:`run_aracne`.
    checkpoint, client, engine
        Where the work is done, as in :func:`run_aracne`.

    Returns
    -------
    Network
        Its edges as :func:`run_aracne` writes them; the run record is ``network.params``.

    Raises
    ------
    InputError
        Bad data or arguments.
    EngineUnavailable
        An engine asked for by name can't run here.

    References
    ----------
    As :func:`run_aracne`: Margolin et al. 2006, Lachmann et al. 2016.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> data = pd.DataFrame(rng.normal(size=(150, 3)), columns=["MYC", "MAX", "CDK4"])
    >>> data["CDK4"] += 3 * data["MYC"]
    >>> network = pysces.infer_network(data, ["MYC"], resampling=None, n_null=100_000)
    >>> network.regulons()
    {'MYC': ['CDK4']}
    """
    options = Options.of(locals())
    table = Expression.from_matrix(expression, genes=genes)
    prepared = Prepared.of(table, regulators, None, options)
    with use_engine(engine):
        network, params = network_of(prepared, options, Work(checkpoint, client))
    return Network(network.to_dataframe(), {**params, "regulators": origin(regulators, None)})


@dataclass(frozen=True, eq=False)
class Prepared:
    """One matrix, checked and ready: who may regulate whom, and how many genes were left out."""

    candidates: Candidates
    n_constant_genes: int

    @classmethod
    def of(
        cls, expression: Expression, regulators: Any, var: pd.DataFrame | None, options: Options
    ) -> Prepared:
        """Regulators by name; genes that don't vary carry no information and are reported once.

        Raises
        ------
        InputError
            If no gene or no regulator varies, or no regulator is among the genes.
        """
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
        places = np.sort(expression.genes.get_indexer(names))
        candidates = Candidates(expression, places, options.decoys(len(places)), options.seed)
        return cls(candidates, int(constant.sum()))


def network_of(
    prepared: Prepared, options: Options, work: Work, group: str | None = None
) -> tuple[Network, dict[str, Any]]:
    """The network of one matrix, and its run record."""
    candidates = prepared.candidates
    n_samples = candidates.expression.n_samples
    network, facts = infer(candidates, options, work)
    if len(network) == 0:
        warn_empty(candidates, options, facts, group)
    log.info(
        "%s%d edges of %d regulators, from %d samples x %d genes.",
        "" if group is None else f"Group {group!r}: ",
        len(network),
        candidates.n_regulators,
        n_samples,
        candidates.n_genes,
    )
    params = {
        **options.record(),
        "engine": record(choose()),
        "pysces_version": __version__,
        "n_samples": n_samples,
        "n_genes": candidates.n_genes,
        "n_regulators": candidates.n_regulators,
        "n_constant_genes": prepared.n_constant_genes,
        "n_edges": len(network),
        **facts,
    }
    return network, params


def origin(regulators: Any, var: pd.DataFrame | None) -> str:
    """Where the regulators came from, for the run record."""
    if isinstance(regulators, str | Path):
        return str(regulators)
    if regulators is not None:
        return "given"
    return "var['regulator']" if var is not None and "regulator" in var else "built-in"
