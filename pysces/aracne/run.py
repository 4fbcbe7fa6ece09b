"""What users of Scanpy call: a network from an AnnData, or one of each group of its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pysces.aracne.grouped import checkpoint_of, groups_of, usable
from pysces.aracne.null import N_NULL
from pysces.aracne.options import Options
from pysces.aracne.single import Prepared, network_of, origin
from pysces.aracne.work import Work
from pysces.data import storage
from pysces.data.depth import known_of
from pysces.data.expression import Expression
from pysces.dispatch.chunks import progress
from pysces.dispatch.engines import use_engine

if TYPE_CHECKING:
    import os

    from anndata import AnnData

# What a run record says of every group alike; the rest are facts about the data and the result.
_PARAMETERS = (*Options().record(), "engine", "pysces_version")


def run_aracne(
    adata: AnnData,
    regulators: Any = None,
    *,
    layer: str | None = None,
    mask_var: str | Any | None = None,
    counts: bool | str = "auto",
    size_factors: Any = None,
    batch_key: Any = None,
    min_cells: int = 10,
    estimator: str = "copula",
    degree: int | str = "auto",
    n_bins: int = 10,
    ties: str = "random",
    miller_madow: bool = False,
    groupby: str | None = None,
    min_samples: int = 50,
    resampling: str | None = "halves",
    n_resamples: int | str = 100,
    alpha: float = 0.05,
    correction: str | None = "fdr_bh",
    consensus: str = "decoy",
    min_support: float = 0.5,
    resample_pvalue: float | str = "auto",
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
    ties
        Of ``estimator="binned"``: ``"random"`` (equal values are put in order by chance, anew in
        each resample) or ``"together"`` (equal values share a bin: for zero-inflated counts, whose
        zeros then hold no invented order). p-values are at most conservative with ``"together"``.
    miller_madow
        Of ``estimator="binned"``: subtract the bias of Miller and Madow, so that genes with few
        occupied bins compare with others.
    groupby
        Column of ``adata.obs``: one network for each of its groups (cell types, say), each as if
        only its samples were there. :func:`run_viper` then takes all of them together.
    min_samples
        Groups with fewer samples get no network; a warning names them and their sizes.
    resampling
        ``"subsample"`` (about 63.2 % of the samples, without replacement), ``"bootstrap"`` (as many
        samples as there are, with replacement) or ``None`` (all samples once).
    n_resamples
        Number of resamples; ``"auto"``: until ten more change at most 2 % of the significant
        edges, 200 at most.
    alpha
        Largest q-value of an edge.
    correction
        Without resampling, of the p-values over all pairs: ``"fdr_bh"``, ``"bonferroni"``, or
        ``None``. (With resampling, decoys or the rule of the earlier program take its place.)
    consensus
        With resampling: ``"decoy"`` (q-values by comparison with decoy regulators), or the rules of
        ARACNe-AP, ``"poisson"``, and ARACNe3, ``"binomial"``, both with the correction of
        Bonferroni; these take resamples for independent and do not hold on noise.
    resample_pvalue
        p-value of an edge within one resample. With 0.01 more triangles are seen and pruned: up to
        half as many indirect edges, fewer weak regulons, more work.
    n_decoys
        Number of decoys; ``None`` for as many as regulators, but between 200 and 500.
    dpi
        Whether indirect edges are removed; ``"maxent"`` for the rule of ARACNe3.
    dpi_tolerance
        An edge is removed if it's weaker than ``(1 - dpi_tolerance)`` times both others of a
        triangle.
    n_null
        Simulated pairs of independent genes behind the p-values. What they give depends on the
        estimator and the number of samples alone, so each new number of samples (of a resample
        and of all, of each group) costs a simulation once: seconds, or half a minute for very
        many samples. It is kept in ``settings.cache_dir``. For a try, 100,000 do.
    seed
        Fixes resamples, ties and decoys.
    checkpoint
        Folder where each resample is kept as it is done. A run that was interrupted goes on there;
        another ``alpha``, ``correction``, ``consensus`` or ``dpi`` reuses what is there.
    client
        A ``dask.distributed.Client``, or ``"local"`` for one on this machine: resamples are
        computed on its workers, with the same result to the bit. The kernels use all cores without
        it, and starting the workers of ``"local"`` takes some seconds: runs of less than a few
        minutes are slower with it.
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
        edges), ``qvalue`` (the p-value itself with ``correction=None`` and no resampling). By
        group, by the name of the regulator, then by decreasing ``mi``; for the strongest edges of
        all, ``network.nlargest(10, "mi")``.
    ``["params"]``
        The arguments, the engine, the version, what was dropped. Arguments that are ``None`` are
        left out, since files hold no None: ``params.get("layer")`` gives None again.
    ``["groups"]``
        With ``groupby``: facts about the network of each group, a DataFrame indexed by group; the
        edges then have a column ``group``. ``pysces.Network.from_anndata(adata, group="B")`` is
        the network of one group.

    Raises
    ------
    InputError
        Bad data or arguments; nothing is written then.
    EngineUnavailable
        An engine asked for by name can't run here.

    Warns
    -----
    PyscesWarning
        If no edge is significant, or groups are too small.

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
    storage.check_target(adata, copy)
    storage.check_free(adata, key_added, "network")
    target = adata.copy() if copy else adata
    options = Options.of(locals())

    def prepared(part: AnnData) -> Prepared:
        expression = Expression.from_anndata(part, layer=layer, mask_var=mask_var)
        known = known_of(part, size_factors, batch_key, layer)
        return Prepared.of(expression, regulators, adata.var, options, known)

    mask = mask_var if isinstance(mask_var, str | None) else "given"
    given: dict[str, Any] = {
        "regulators": origin(regulators, adata.var),
        "layer": layer,
        "mask_var": mask,
        "groupby": groupby,
        "size_factors": size_factors if isinstance(size_factors, str | None) else "given",
        "batch_key": batch_key if isinstance(batch_key, str | None) else "given",
    }
    with use_engine(engine):
        if groupby is None:
            network, params = network_of(prepared(adata), options, Work(checkpoint, client))
            storage.write_network(target, key_added, network, {**params, **given})
        else:
            parts = usable(groups_of(adata, groupby, min_samples), prepared)
            networks = {
                name: network_of(part, options, Work(checkpoint_of(checkpoint, name), client), name)
                for name, part in progress(parts.items(), "groups", total=len(parts), unit="group")
            }
            _, first = next(iter(networks.values()))
            asked = {name: first[name] for name in _PARAMETERS}
            given |= {"min_samples": min_samples}
            storage.write_networks(target, key_added, networks, {**asked, **given})
    return target if copy else None
