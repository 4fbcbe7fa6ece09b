"""Infer a network from an AnnData, or one network per group of its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pysces._checks import check_column
from pysces._keys import NetworkResult
from pysces._parameters import checked
from pysces._record import RunRecord
from pysces.aracne._groups import groups_of, usable
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
from pysces.aracne._prior import Prior
from pysces.aracne._quality import Problem, warn_of_groups
from pysces.aracne._runner import Runner
from pysces.data import _results
from pysces.data._depth import known_of
from pysces.data._expression import Expression
from pysces.data._inputs import gene_names
from pysces.data._networks import as_network
from pysces.data.regulators import Organism
from pysces.dispatch.blocks import progress
from pysces.dispatch.engines import use_engine
from pysces.settings import EngineName

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from numpy.typing import ArrayLike


@checked(AracneOptions)
def run_aracne(
    adata: AnnData,
    regulators: Any = None,
    *,
    organism: Organism | None = None,
    layer: str | None = None,
    gene_symbols: str | None = None,
    mask_var: str | ArrayLike | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | ArrayLike | None = None,
    donor_key: str | ArrayLike | None = None,
    min_donors: int = 2,
    min_cells: int = 10,
    estimator: EstimatorName = "copula",
    degree: Degree = "auto",
    n_bins: int = 10,
    ties: Ties = "random",
    miller_madow: bool = False,
    groupby: str | None = None,
    min_samples: int = 50,
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
    key_added: str = "aracne",
    copy: bool = False,
) -> AnnData | None:
    """Infer a gene regulatory network with ARACNe.

    The mutual information of every regulator with every gene is measured in many resamples of the
    samples, and compared with its distribution under independence. In each resample indirect
    edges are removed by the data processing inequality. Edges are kept if they occur in enough
    resamples, and in more than the edges of decoy regulators do.

    Parameters
    ----------
    adata
        Samples (cells, metacells, patients) x genes: counts, or normalised values. From values as
        ``scanpy.pp.normalize_total`` and ``scanpy.pp.log1p`` leave them the counts are recovered.
    regulators
        Names of regulators, the path of a text file with one name per line, or ``None``:
        ``adata.var["regulator"]`` if present, else the built-in transcription factors. Another
        built-in list is chosen by its kind, ``"cofactor"``, ``"chromatin"``, ``"signalling"`` or
        ``"surface"`` (:func:`pysces.regulators`).
    organism
        Organism of a built-in list, ``"human"`` or ``"mouse"``; ``None`` for the one whose symbols
        match best.
    layer
        Layer to use instead of ``adata.X``. Pass the layer of raw counts if there is one.
    gene_symbols
        Column of ``adata.var`` with the names of genes; by default ``adata.var_names``. Genes
        without a symbol, or with one that occurs more than once, keep their ``var_names``.
    mask_var
        Genes to use: a boolean mask, or the name of a boolean column of ``adata.var``.
    counts
        Whether the values are counts, whose scores are computed given the depth of their sample.
        ``"auto"``: integers are counts, and counts are recovered from normalised values
        (the log and ``counts_recovered`` say so). ``True``: the same, but an error if there are
        no counts. ``False``: values are ranked as they are.
    size_factors
        Depth of each sample (its total count, in any unit): a column of ``adata.obs``, or one
        number per sample. ``None``: ``obs["total_counts"]``, else the sums of ``adata.raw`` where
        it has more genes and holds counts, else the unit of recovered counts, else the sum over
        the genes. The sum of fewer than 1,000 genes is not used, unless ``counts=True``: such
        counts are divided by their sum and ranked.
    batch_key
        Batch (donor, run) of each sample: a column of ``adata.obs``, or one label per sample.
        Levels of genes are fitted, or values ranked, within batches, and decoys are permuted
        within them, so that differences between batches do not cause edges.
    donor_key
        Donor of each sample, as a replicate: a column of ``adata.obs``, or one label per sample.
        Donors are batches, too, and an edge must be found in ``min_donors`` of them. Cells of one
        donor are not independent samples of the population, so that an edge of a single donor may
        not be found in another one.
    min_donors
        Number of donors whose samples alone must show an edge. Only used with ``donor_key``.
        Edges of regulators and of decoys that fewer donors show are left out. Each donor is tested
        at 0.05 / (donors - ``min_donors`` + 1), so that an edge present in fewer donors is kept
        with a probability of at most 0.05 (Benjamini and Heller 2008). With ``degree=1`` a donor
        whose correlation has the opposite sign does not count, and neither does one with fewer
        than 12 samples.
    min_cells
        Genes with counts in fewer samples are left out. Only used with counts.
    estimator
        ``"copula"``: Gaussian copula, on normal scores and their squares (Ince et al. 2017).
        ``"adaptive"``: adaptive partitioning, as in ARACNe-AP; ``"adaptive-dyadic"``: as in
        ARACNe3. ``"binned"``: ``n_bins`` equal-frequency bins.
    degree
        Only used with ``estimator="copula"``. 1: linear in the normal scores. 2: also a parabola,
        so that dependence need not be monotone. ``"auto"``: 1 if more than half of the values are
        0, else 2.
    n_bins
        Number of bins, at least 2. Only used with ``estimator="binned"``.
    ties
        Only used with ``estimator="binned"``. ``"random"``: equal values are put in random order,
        a new one in each resample. ``"together"``: equal values share a bin, so that zeros are not
        ordered at random; p-values are then conservative.
    miller_madow
        Subtract the Miller-Madow bias, so that genes with few occupied bins are comparable with
        others. Only used with ``estimator="binned"``.
    groupby
        Column of ``adata.obs``: one network per group (cell type, for example), from its samples
        alone. :func:`run_viper` can use all of them together.
    min_samples
        Groups with fewer samples get no network; a warning names them and their sizes.
    resampling
        ``"halves"``: complementary halves of the samples, two resamples per random split (Shah
        and Samworth 2013). ``"subsample"``: about 63.2 % of the samples, without replacement.
        ``"bootstrap"``: as many samples as there are, with replacement. ``None``: all samples
        once.
    n_resamples
        Number of resamples (each half counts as one). ``"auto"``: until ten more change at most
        2 % of the edges, 200 at most.
    alpha
        Largest q-value of an edge, in (0, 1].
    correction
        Correction of the p-values over all pairs, only used with ``resampling=None``:
        ``"fdr_bh"``, ``"bonferroni"`` or ``None``.
    consensus
        How edges are chosen from resamples. ``"decoy"``: q-values by comparison with decoy
        regulators. ``"poisson"`` (ARACNe-AP) and ``"binomial"`` (ARACNe3): p-values of the support
        with Bonferroni correction; these treat resamples as independent and return false edges on
        noise.
    min_support
        Smallest share of the resamples that must have an edge, in [0, 1]. Only used with
        ``consensus="decoy"``. Below 0.5 the error bounds of stability selection do not hold
        (Meinshausen and Buehlmann 2010).
    prior
        Known or motif-based pairs (CollecTRI, DoRothEA, targets of motifs): a `Network`, a
        DataFrame (source, target and, if known, weight), a dict of targets or a path. Edges of
        these pairs pass with less support: the p-value of an edge is divided by a weight that is
        larger for these pairs (in proportion to the size of their ``weight`` or ``likelihood``)
        and is 1 on average. Decoys have the weights of their regulators, so that ``qvalue`` holds
        also for a wrong prior. Requires ``consensus="decoy"``. Resamples do not depend on it, so
        that a checkpoint serves runs with any prior.
    resample_pvalue
        p-value of an edge within one resample. ``"auto"``: with ``estimator="copula"`` 500 divided
        by the number of pairs, but between 5e-4 and 1e-2; else 1e-3. The run record has the value
        used.
    n_decoys
        Number of decoys; ``None`` for as many as regulators, but between 200 and 500.
    dpi
        Whether indirect edges are removed; ``"maxent"`` for the rule of ARACNe3.
    dpi_tolerance
        An edge is removed if it is weaker than ``(1 - dpi_tolerance)`` times both others of a
        triangle. In [0, 1).
    n_null
        Number of simulated pairs of independent genes that p-values are computed from. Each new
        number of samples (of a resample, of all, of each group) requires one simulation, which is
        stored in ``settings.cache_dir``. 100,000 is enough for a quick look.
    seed
        Seed of resamples, ties and decoys. Random numbers depend on the names of samples and
        genes, not on their order.
    checkpoint
        Folder where finished resamples are stored. An interrupted run continues from them; a run
        with another ``alpha``, ``correction``, ``consensus``, ``min_support`` or ``dpi`` reuses
        them.
    client
        A ``dask.distributed.Client``, or ``"local"`` for one on this machine (``"gpus"``: with one
        worker per NVIDIA GPU): resamples are computed on its workers, with bit-identical results.
        The kernels use all cores without a client, and workers take seconds to start: runs of a
        few minutes or less are slower with ``"local"``.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"``; ``None`` for the fastest that is available. The
        network is bit-identical on every engine.
    key_added
        Key of the result in ``adata.uns``.
    copy
        Return a copy of ``adata`` with the result instead of changing it.

    Returns
    -------
    ``None``, or the copy. Sets ``adata.uns[key_added]``:

    ``["network"]``
        A DataFrame, one row per edge: ``source``, ``target``, ``mi`` (nats, from all samples; for
        counts a score in nats that grows with the dependence), ``correlation`` (Spearman),
        ``mor`` (mode of regulation, -1 to 1), ``likelihood`` (0 to 1), ``support`` (number of
        resamples that have the edge), ``donors`` (number of donors that show it, with
        ``donor_key``), ``pvalue`` (of ``mi``, not adjusted for the choice of
        edges), ``qvalue`` (by ``support``; without resampling by ``correction``) and ``rank``. The
        most certain edges come first: by decreasing support, then by decreasing mean mutual
        information over the resamples that have the edge. ``rank`` is that order from 1; edges
        that tie share it. Do not order edges by ``likelihood``, which is relative to the regulon,
        nor by ``qvalue``, which many edges share. With ``prior`` there is a column ``prior``, the
        weight of the pair in it (negative for repression, 0 for other pairs), and the support
        counts for the order as much as its weighted p-value.
    ``["params"]``
        The arguments.
    ``["facts"]``
        What was left out, and facts. Facts of the data: ``scores``
        (``"continuous"`` or ``"counts given depth"``), ``degree`` and ``studentised`` as used,
        ``counts_recovered``, ``depth_source``, ``n_strata`` (within which decoys are permuted),
        ``n_rare_genes``, ``resample_pvalue_used``. Facts to judge the network by:
        ``share_of_pairs`` (edges per possible pair), ``n_regulators_kept``, ``median_regulon``,
        ``median_support``, ``least_support``, ``decoy_share`` (edges of decoys for each edge at
        the least support, scaled to the number of regulators) and ``stability`` (edges that the
        odd and the even resamples have in common, divided by those of either). With ``prior``:
        ``n_prior_pairs`` (among the candidates), ``n_prior_edges``, ``prior_digest`` and
        ``prior_enrichment`` (how many times as often as other pairs they have enough support).
    ``["engine"]``, ``["version"]``
        The engine (name, version, device, precision), and the version of PySCES.
    ``["groups"]``
        With ``groupby``: these facts for each group, a DataFrame indexed by group; the edges then
        have a column ``group``, and ranks within it. ``pysces.Network.from_anndata(adata,
        group="B")`` is the network of one group.

    Raises
    ------
    InputError
        If the data or an argument cannot be used; nothing is written then.
    EngineUnavailable
        If an engine is given by name and cannot run on this machine.

    Warns
    -----
    PyscesWarning
        If no edge is significant, or groups are too small; if values are sparse or scaled and no
        counts can be recovered from them; and if the network is of poor quality: it has more than
        10 % of all pairs, decoys have more than 0.3 edges for each edge, half of the edges
        have a support below half of the resamples, or its ``stability`` is below 0.5.

    References
    ----------
    Margolin et al. 2006, BMC Bioinformatics 7(S1):S7 (ARACNe); Lachmann et al. 2016,
    Bioinformatics 32:2233 (adaptive partitioning); Ince et al. 2017, Hum Brain Mapp 38:1541
    (Gaussian copula); Lancaster 1957, Biometrika 44:289 (expansion in Hermite polynomials);
    DiCiccio and Romano 2017, JASA 112:1211 (studentised correlation); Benjamini and Heller 2008,
    Biometrics 64:1215 (tests of partial conjunctions, for donors); Shah and Samworth 2013,
    J R Stat Soc B 75:55 (complementary halves); Meinshausen and Buehlmann 2010, J R Stat Soc B
    72:417 (stability selection); Genovese et al. 2006, Biometrika 93:509 (weights of p-values);
    Elias and Gygi 2007, Nat Methods 4:207 (decoys).

    Examples
    --------
    >>> import numpy as np, anndata, pysces
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(150, 20))
    >>> x[:, 3] = x[:, 0] + 0.3 * rng.normal(size=150)
    >>> adata = anndata.AnnData(x)
    >>> adata.var_names = [f"gene{i}" for i in range(20)]
    >>> pysces.run_aracne(adata, ["gene0", "gene1"], n_resamples=10, n_null=100_000)
    >>> adata.uns["aracne"]["network"][["source", "target", "support", "rank"]].values.tolist()
    [['gene0', 'gene3', 10, 1]]
    """
    _results.check_target(adata, copy)
    _results.check_free(adata, key_added, NetworkResult)
    options = AracneOptions.of(locals())
    if groupby is not None:
        check_column(adata, groupby)
    target = adata.copy() if copy else adata

    var = adata.var.set_axis(gene_names(adata, gene_symbols), axis=0)
    known = known_of(adata, size_factors, batch_key, layer, donor_key)

    def prepared(part: AnnData) -> PreparedData:
        expression = Expression.from_anndata(
            part, layer=layer, mask_var=mask_var, gene_symbols=gene_symbols
        )
        own = known
        if part is not adata and adata.obs_names.is_unique:  # repeated names raise an error below
            own = known.take(adata.obs_names.get_indexer(part.obs_names))
        found = PreparedData.of(expression, regulators, var, options, own)
        if how["prior"] is not None:
            Prior.of(how["prior"], found.candidates)  # an error before anything is computed
        return found

    how: Any = {"method": "run_aracne", "regulators": origin(regulators, var)}
    how["prior"] = None if prior is None else as_network(prior)
    runner = Runner(checkpoint, client)
    with use_engine(engine):
        if groupby is None:
            network = network_of(prepared(adata), options, runner, **how)
            result = NetworkResult(network=network.to_dataframe(), record=network.record)
        else:
            parts = usable(groups_of(adata, groupby, min_samples), prepared)
            problems: dict[str, list[Problem]] = {name: [] for name in parts}
            networks = {
                name: network_of(
                    part,
                    options,
                    runner.of_group(name),
                    group=name,
                    problems=problems[name],
                    **how,
                )
                for name, part in progress(parts.items(), "groups", total=len(parts), unit="group")
            }
            records = {name: network.record for name, network in networks.items()}
            warn_of_groups(problems)
            result = NetworkResult(
                network=_results.grouped_edges(networks),
                record=RunRecord.of_groups(records),
            )
    _results.write(target, key_added, result)
    return target if copy else None
