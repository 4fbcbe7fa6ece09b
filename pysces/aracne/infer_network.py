"""Infer a network from a table or an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pysces._parameters import checked
from pysces.aracne._inference import network_of
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
from pysces.aracne._prepared import PreparedData, origin
from pysces.aracne._runner import Runner
from pysces.data._depth import known_of_arrays
from pysces.data._expression import Expression
from pysces.data._networks import as_network
from pysces.data.regulators import Organism
from pysces.dispatch.engines import use_engine
from pysces.network import Network
from pysces.settings import EngineName

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


@checked(AracneOptions)
def infer_network(
    expression: Any,
    regulators: Any = None,
    *,
    organism: Organism | None = None,
    genes: Sequence[str] | None = None,
    counts: Counts = "auto",
    size_factors: ArrayLike | None = None,
    batch_key: ArrayLike | None = None,
    donor_key: ArrayLike | None = None,
    min_donors: int = 2,
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
    prior: Any = None,
    resample_pvalue: float | Auto = "auto",
    n_decoys: int | None = None,
    dpi: Pruning = True,
    dpi_tolerance: float = 0.0,
    n_null: int = N_NULL,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    client: Any = None,
    engine: EngineName | None = None,
) -> Network:
    """Infer a network from a DataFrame or an array, as :func:`run_aracne` does from an AnnData.

    Parameters
    ----------
    expression
        Samples x genes, counts or normalised values: a DataFrame, or an array or sparse matrix
        with ``genes=``.
    regulators
        As in :func:`run_aracne`: names, the path of a file, ``None``, or a built-in list.
    organism
        Organism of a built-in list, as in :func:`run_aracne`.
    genes
        Names of the columns of an array.
    counts
        ``"auto"``, ``True`` or ``False``: whether values are counts, as in :func:`run_aracne`.
    size_factors
        Depth of each sample (its total count, in any unit): one number per sample. ``None``: the
        unit of recovered counts, or the sum over at least 1,000 genes.
    batch_key
        Batch of each sample: one label per sample.
    donor_key, min_donors
        Donor of each sample, one label per sample, and the number of donors that must show an
        edge, as in :func:`run_aracne`.
    min_cells
        Genes with counts in fewer samples are left out. Only used with counts.
    estimator, degree, n_bins, ties, miller_madow
        The estimator of mutual information, as in :func:`run_aracne`.
    resampling, n_resamples, alpha, correction, consensus, min_support, prior, resample_pvalue, \
    n_decoys
        Resamples and which edges are kept, as in :func:`run_aracne`.
    dpi, dpi_tolerance
        How indirect edges are removed, as in :func:`run_aracne`.
    n_null
        Number of simulated pairs of independent genes.
    seed
        Seed of resamples, ties and decoys.
    checkpoint, client, engine
        Where resamples are stored and computed, as in :func:`run_aracne`.

    Returns
    -------
    Network
        The network, whose edges have the columns and the order of :func:`run_aracne`; the run
        record is ``network.record``.

    Raises
    ------
    InputError
        If the data or an argument cannot be used.
    EngineUnavailable
        If an engine is given by name and cannot run on this machine.

    Warns
    -----
    PyscesWarning
        If the network is empty or of poor quality, as in :func:`run_aracne`.

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
    pairs = None if prior is None else as_network(prior)
    runner = Runner(checkpoint, client)
    table = Expression.from_matrix(expression, genes=genes)
    known = known_of_arrays(table.n_samples, size_factors, batch_key, table.samples, donor_key)
    with use_engine(engine):
        prepared = PreparedData.of(table, regulators, None, options, known)
        how: Any = {"method": "infer_network", "regulators": origin(regulators, None)}
        return network_of(prepared, options, runner, prior=pairs, **how)
