"""Mutual information of regulators with genes, without resampling or pruning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._parameters import checked
from pysces.aracne._candidates import RankCandidates, mi_blocks
from pysces.aracne._copula import Scores
from pysces.aracne._options import AracneOptions, Counts, Degree, EstimatorName, Ties
from pysces.data._depth import counts_of, known_of, known_of_arrays
from pysces.data._expression import Expression, constant_genes
from pysces.data._inputs import name_order
from pysces.data.regulators import Organism, resolve_regulators
from pysces.dispatch import operations as ops
from pysces.dispatch.blocks import block_length, blocks
from pysces.dispatch.engines import use_engine
from pysces.errors import InputError
from pysces.settings import EngineName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


@checked(AracneOptions)
def mutual_information(
    expression: Any,
    regulators: Any = None,
    *,
    organism: Organism | None = None,
    genes: Sequence[str] | None = None,
    layer: str | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | ArrayLike | None = None,
    estimator: EstimatorName = "copula",
    degree: Degree = "auto",
    n_bins: int = 10,
    ties: Ties = "random",
    miller_madow: bool = False,
    seed: int = 0,
    engine: EngineName | None = None,
) -> pd.DataFrame:
    """Mutual information of regulators with genes, from all samples.

    Parameters
    ----------
    expression
        Samples x genes, counts or normalised values: a DataFrame, an AnnData, or an array or
        sparse matrix with ``genes=``.
    regulators
        Names, the path of a file, ``None`` for the built-in transcription factors, or another
        built-in list, as in :func:`run_aracne`.
    organism
        Organism of a built-in list, as in :func:`run_aracne`.
    genes
        Names of the columns of an array.
    layer
        Layer of an AnnData to use instead of its ``X``.
    counts
        ``"auto"``, ``True`` or ``False``: whether values are counts, as in :func:`run_aracne`.
        Genes with few counts are not left out.
    size_factors, batch_key
        Depth and batch of each sample: a column of ``obs`` of an AnnData, or one value per sample.
    estimator, degree, n_bins, ties, miller_madow
        The estimator, as in :func:`run_aracne`.
    seed
        Seed of the order of ties. Not used with ``estimator="copula"``.
    engine
        As in :func:`run_aracne`.

    Returns
    -------
    pandas.DataFrame
        Regulators x genes, in nats; a regulator with itself is NaN, constant genes are 0. With
        ``estimator="copula"`` it is the mutual information of a Gaussian copula for continuous
        data, and a lower bound of it where a gene follows a parabola of the other's normal score;
        for counts it is a score in nats that increases with the dependence given the depth.

    Raises
    ------
    InputError
        If a regulator is not among the genes, values are missing or infinite, or an argument is
        unknown.
    EngineUnavailable
        If an engine is given by name and cannot run on this machine.

    Warns
    -----
    PyscesWarning
        If values are sparse or scaled and no counts can be recovered from them.

    References
    ----------
    Ince et al. 2017, Hum Brain Mapp 38:1541 (Gaussian copula); Lancaster 1957, Biometrika 44:289
    (expansion in Hermite polynomials); DiCiccio and Romano 2017, JASA 112:1211 (studentised
    correlation); Darbellay and Vajda 1999, IEEE Trans Inf Theory 45:1315 (adaptive partitioning);
    Lachmann et al. 2016, Bioinformatics 32:2233 (its use in ARACNe).

    Examples
    --------
    >>> import numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> data = pd.DataFrame(rng.normal(size=(500, 2)), columns=["MYC", "NCL"])
    >>> data["NCL"] = 0.8 * data["MYC"] + 0.6 * data["NCL"]  # correlation 0.8: 0.51 nats
    >>> pysces.mutual_information(data, ["MYC"]).round(2).loc["MYC", "NCL"]
    np.float64(0.51)
    >>> pysces.mutual_information(data, ["MYC"], estimator="adaptive").round(2).loc["MYC", "NCL"]
    np.float64(0.47)
    """
    options = AracneOptions(
        estimator=estimator,
        degree=degree,
        counts=counts,
        n_bins=n_bins,
        ties=ties,
        miller_madow=miller_madow,
        seed=seed,
        resampling=None,
        min_cells=0,
    )
    var = None
    if hasattr(expression, "raw"):
        known = known_of(expression, size_factors, batch_key, layer)
        var, expression = expression.var, Expression.from_anndata(expression, layer=layer)
    else:
        if layer is not None:
            raise InputError("layer= requires an AnnData. Leave it out and pass the values.")
        expression = Expression.from_matrix(expression, genes=genes)
        known = known_of_arrays(expression.n_samples, size_factors, batch_key, expression.samples)
    names = resolve_regulators(regulators, expression.genes, var, expression.samples, organism)
    order = name_order(expression.samples)
    expression, known = expression.by_name(), known.take(order)
    constant = constant_genes(expression)
    places = expression.genes.get_indexer(pd.Index(names))
    nats = np.zeros((len(places), expression.n_genes))
    with use_engine(engine):
        if constant.all():
            pass
        elif estimator == "copula":
            varying = expression.take_genes(~constant)
            values, found = counts_of(varying, counts, known)
            scores = Scores.of(values, found, known.batch, degree)
            own = np.flatnonzero(~constant[places])
            at = (np.cumsum(~constant) - 1)[places[own]]
            for rows in blocks(len(own), block_length(16 * varying.n_genes, max(1, len(own)))):
                mi = ops.copula_mi(scores.values[at[rows]], scores.values, scores.degree)
                nats[np.ix_(own[rows], np.flatnonzero(~constant))] = scores.estimator().nats(mi)
        else:
            own_estimator = options.rank_estimator(expression.n_samples)
            candidates = RankCandidates(expression, places, 0, seed, own_estimator)
            for rows, columns, mi in mi_blocks(candidates, own_estimator, *candidates.whole()):
                nats[rows, columns] = own_estimator.nats(mi)
    nats[:, constant] = 0.0
    nats[constant[places]] = 0.0
    nats[np.arange(len(places)), places] = np.nan
    return pd.DataFrame(nats, index=expression.genes[places], columns=expression.genes)
