"""The network of one matrix: what every run of ARACNe does beneath."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._version import __version__
from pysces.aracne.infer import Work, infer, warn_empty
from pysces.aracne.measure import Measure
from pysces.aracne.null import N_NULL
from pysces.aracne.options import Options
from pysces.aracne.pairs import Candidates
from pysces.data.expression import Expression, constant_genes
from pysces.data.regulators import resolve_regulators
from pysces.dispatch.engines import choose, record, use_engine
from pysces.errors import InputError
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
    options = Options(
        resampling=resampling,
        n_resamples=n_resamples,
        alpha=alpha,
        correction=correction,
        consensus=consensus,
        resample_pvalue=resample_pvalue,
        n_decoys=n_decoys,
        dpi=dpi,
        dpi_tolerance=dpi_tolerance,
        n_null=n_null,
        seed=seed,
    )
    table = Expression.from_matrix(expression, genes=genes)
    with use_engine(engine):
        network, params = network_of(
            table,
            regulators,
            var=None,
            measure=Measure(estimator, table.n_samples, n_bins, ties, miller_madow),
            options=options,
            work=Work(checkpoint, client),
        )
    return Network(network.to_dataframe(), {**params, "regulators": origin(regulators, None)})


def network_of(
    expression: Expression,
    regulators: Any,
    *,
    var: pd.DataFrame | None,
    measure: Measure,
    options: Options,
    work: Work,
    group: str | None = None,
) -> tuple[Network, dict[str, Any]]:
    """The network of one matrix, and its run record."""
    try:
        expression, constant = _varying(expression)
        names = resolve_regulators(regulators, expression.genes, var)
    except InputError as error:
        raise error if group is None else InputError(f"Group {group!r}: {error}") from error
    places = np.sort(expression.genes.get_indexer(pd.Index(names)))
    candidates = Candidates(expression, places, options.decoys(len(places)), options.seed)
    network, facts = infer(candidates, measure, options, work)
    if len(network) == 0:
        warn_empty(candidates, measure, options, facts, group)
    log.info(
        "%s%d edges of %d regulators, from %d samples x %d genes.",
        "" if group is None else f"Group {group!r}: ",
        len(network),
        len(places),
        expression.n_samples,
        expression.n_genes,
    )
    params = {
        "estimator": measure.estimator,
        "n_bins": measure.n_bins,
        "ties": measure.ties,
        "miller_madow": measure.corrected,
        **{name: getattr(options, name) for name in Options.__dataclass_fields__},
        "engine": record(choose()),
        "pysces_version": __version__,
        "n_samples": expression.n_samples,
        "n_genes": expression.n_genes,
        "n_regulators": len(places),
        "n_constant_genes": len(constant),
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


def _varying(expression: Expression) -> tuple[Expression, pd.Index]:
    """Genes that vary; the others carry no information and are reported once."""
    constant = constant_genes(expression)
    if not constant.any():
        return expression, expression.genes[:0]
    if constant.all():
        raise InputError(
            f"All {expression.n_genes} genes are constant over the samples, so nothing can be "
            "inferred. Pass varying data (perhaps another layer=)."
        )
    names = expression.genes[constant]
    log.warning(
        "%d of %d genes are constant and are left out: %s",
        len(names),
        expression.n_genes,
        ", ".join(names[:5]) + (", ..." if len(names) > 5 else ""),
    )
    return expression.take_genes(~constant), names
