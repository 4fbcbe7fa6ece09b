"""What users call: a network from an AnnData, a DataFrame or an array."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._version import __version__
from pysces.aracne.infer import Work, infer
from pysces.aracne.measure import Measure
from pysces.aracne.null import N_NULL
from pysces.aracne.options import Options
from pysces.aracne.pairs import Candidates
from pysces.data import storage
from pysces.data.expression import Expression, constant_genes
from pysces.data.regulators import resolve_regulators
from pysces.dispatch.engines import record, use_engine
from pysces.errors import InputError
from pysces.network import Network

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData

log = logging.getLogger("pysces")


def run_aracne(
    adata: AnnData,
    regulators: Any = None,
    *,
    layer: str | None = None,
    mask_var: str | Any | None = None,
    estimator: str = "adaptive",
    n_bins: int = 10,
    resampling: str | None = "subsample",
    n_resamples: int = 100,
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
    key_added: str = "aracne",
    copy: bool = False,
) -> AnnData | None:
    """Infer a gene regulatory network with ARACNe.

    Mutual information of every regulator with every gene is compared with its distribution under
    independence, over many resamples of the samples; indirect edges are removed by the data
    processing inequality; edges are kept whose support beats that of decoy regulators.

    Parameters
    ----------
    adata
        Samples (cells, metacells, patients) x genes; normalised or not, since only ranks matter.
    regulators
        Names of regulators, a path of a text file with one name a line, or ``None``:
        ``adata.var["regulator"]`` if there is one, else the transcription factors of the organism
        whose symbols match best (:func:`pysces.regulators`).
    layer
        Layer to use instead of ``adata.X``.
    mask_var
        Genes to use: a boolean mask, or the name of a boolean column of ``adata.var``.
    estimator
        ``"adaptive"`` (adaptive partitioning, as in ARACNe-AP), ``"adaptive-dyadic"`` (as in
        ARACNe3) or ``"binned"`` (``n_bins`` equal-frequency bins; for very many cells).
    n_bins
        Bins of ``estimator="binned"``.
    resampling
        ``"subsample"`` (about 63.2 % of the samples, without replacement), ``"bootstrap"`` (as many
        samples as there are, with replacement) or ``None`` (all samples once).
    n_resamples
        Number of resamples.
    alpha
        Largest q-value of an edge.
    correction
        Without resampling, of the p-values over all pairs: ``"fdr_bh"``, ``"bonferroni"``, or
        ``None``.
    consensus
        With resampling: ``"decoy"`` (q-values by comparison with decoy regulators) or
        ``"poisson"`` (the rule of ARACNe-AP, which does not hold on noise).
    resample_pvalue
        p-value of an edge within one resample.
    n_decoys
        Number of decoys; ``None`` for as many as regulators, but between 200 and 500.
    dpi
        Whether indirect edges are removed; ``"maxent"`` for the rule of ARACNe3.
    dpi_tolerance
        An edge is removed if it's weaker than ``(1 - dpi_tolerance)`` times both others of a
        triangle.
    n_null
        Simulated pairs of independent genes behind the p-values.
    seed
        Fixes resamples, ties and decoys.
    checkpoint
        Folder where each resample is kept as it is done. A run that was interrupted goes on there;
        another ``alpha``, ``correction``, ``consensus`` or ``dpi`` reuses what is there.
    client
        A ``dask.distributed.Client``, or ``"local"`` for one on this machine: resamples are
        computed on its workers, with the same result to the bit.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"``; ``None`` for the best one here. The network is the
        same to the bit on every engine.
    key_added
        Where the result goes in ``adata.uns``.
    copy
        Return a copy of ``adata`` with the result instead of changing it.

    Returns
    -------
    ``None``, or the copy. Sets ``adata.uns[key_added]``:

    ``["network"]``
        Edges as a DataFrame: ``source``, ``target``, ``mi`` (nats, all samples), ``correlation``
        (Spearman), ``mor`` (mode of regulation, -1 ... 1), ``likelihood`` (0 ... 1), ``support``
        (resamples that have the edge), ``pvalue`` (of ``mi``, not adjusted for the choice of
        edges), ``qvalue`` (the p-value itself with ``correction=None`` and no resampling).
    ``["params"]``
        The arguments, the engine, the version, what was dropped.

    Raises
    ------
    InputError
        Bad data or arguments; nothing is written then.
    EngineUnavailable
        An engine asked for by name can't run here.

    References
    ----------
    Margolin et al. 2006 (ARACNe); Lachmann et al. 2016 (adaptive partitioning);
    Elias and Gygi 2007 (target-decoy competition).

    Examples
    --------
    >>> import numpy as np, anndata, pysces
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(150, 20))
    >>> x[:, 3] = x[:, 0] + 0.3 * rng.normal(size=150)
    >>> adata = anndata.AnnData(x)
    >>> adata.var_names = [f"gene{i}" for i in range(20)]
    >>> pysces.run_aracne(adata, ["gene0", "gene1"], n_resamples=10, n_null=100_000)
    >>> adata.uns["aracne"]["network"][["source", "target", "support"]].values.tolist()
    [['gene0', 'gene3', 10]]
    """
    storage.check_free(adata, key_added, "network")
    target = adata.copy() if copy else adata
    expression = Expression.from_anndata(adata, layer=layer, mask_var=mask_var)
    network, params = _infer(
        expression,
        regulators,
        var=adata.var,
        estimator=estimator,
        n_bins=n_bins,
        engine=engine,
        options=Options(
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
        ),
        work=Work(checkpoint, client),
    )
    mask = mask_var if isinstance(mask_var, str | None) else "given"
    params |= {"layer": layer, "mask_var": mask}
    storage.write_network(target, key_added, network, params)
    return target if copy else None


def infer_network(
    expression: Any,
    regulators: Any = None,
    *,
    genes: Sequence[str] | None = None,
    estimator: str = "adaptive",
    n_bins: int = 10,
    checkpoint: str | os.PathLike[str] | None = None,
    client: Any = None,
    engine: str | None = None,
    **options: Any,
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
    estimator, n_bins, checkpoint, client, engine
        As in :func:`run_aracne`.
    **options
        ``resampling``, ``n_resamples``, ``alpha``, ``correction``, ``consensus``,
        ``resample_pvalue``, ``n_decoys``, ``dpi``, ``dpi_tolerance``, ``n_null``, ``seed``,
        as in :func:`run_aracne`.

    Returns
    -------
    Network
        Its edges as :func:`run_aracne` writes them; the run record is ``network.params``.

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
    unknown = sorted(set(options) - set(Options.__dataclass_fields__))
    if unknown:
        raise TypeError(
            f"infer_network got unknown parameters: {', '.join(unknown)}. "
            f"Known ones: {', '.join(Options.__dataclass_fields__)}."
        )
    network, params = _infer(
        Expression.from_matrix(expression, genes=genes),
        regulators,
        var=None,
        estimator=estimator,
        n_bins=n_bins,
        engine=engine,
        options=Options(**options),
        work=Work(checkpoint, client),
    )
    return Network(network.to_dataframe(), params)


def _infer(
    expression: Expression,
    regulators: Any,
    *,
    var: pd.DataFrame | None,
    estimator: str,
    n_bins: int,
    engine: str | None,
    options: Options,
    work: Work,
) -> tuple[Network, dict[str, Any]]:
    measure = Measure(estimator, expression.n_samples, n_bins)
    expression, constant = _varying(expression)
    names = resolve_regulators(regulators, expression.genes, var)
    places = np.sort(expression.genes.get_indexer(pd.Index(names)))
    with use_engine(engine) as chosen:
        candidates = Candidates(expression, places, options.decoys(len(places)), options.seed)
        network, facts = infer(candidates, measure, options, work)
        engine_record = record(chosen)
    params = {
        "estimator": estimator,
        "n_bins": n_bins,
        "regulators": _origin(regulators, var),
        **{name: getattr(options, name) for name in Options.__dataclass_fields__},
        "engine": engine_record,
        "pysces_version": __version__,
        "n_samples": expression.n_samples,
        "n_genes": expression.n_genes,
        "n_regulators": len(places),
        "n_constant_genes": len(constant),
        "n_edges": len(network),
        **facts,
    }
    return network, params


def _origin(regulators: Any, var: pd.DataFrame | None) -> str:
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
