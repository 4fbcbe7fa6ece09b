"""Infer the protein activity of every cell: :func:`run_viper`."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_column
from pysces._keys import ActivityResult
from pysces._messages import listed, outside
from pysces._parameters import checked
from pysces._record import RunRecord
from pysces.data import _results
from pysces.data._count_data import CountData, Counts
from pysces.data._expression import Expression
from pysces.data._labels import labels_of
from pysces.data._networks import named_network
from pysces.data._output import check_output, row_file
from pysces.dispatch import engines
from pysces.dispatch.warmup import prepare
from pysces.errors import InputError, PyscesWarning
from pysces.network import Network
from pysces.settings import EngineName
from pysces.viper._activities import Join, Scorer, Tables, scored, scorer
from pysces.viper._enrichment import Compat, Enrichment
from pysces.viper._inputs import chosen_signature, reference_of, source_of
from pysces.viper._options import Auto, ViperOptions
from pysces.viper._regulons import kept_edges, networks_of
from pysces.viper._signatures import Choice
from pysces.viper.activity import PLACES, without_scores

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

log = logging.getLogger("pysces")


@checked(ViperOptions)
def run_viper(
    adata: AnnData,
    network: Any = "aracne",
    *,
    layer: str | None = None,
    gene_symbols: str | None = None,
    signature: Choice = "auto",
    reference: ArrayLike | str | None = None,
    groupby: str | None = None,
    enrichment: Enrichment | Auto = "auto",
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | None = None,
    min_targets: int = 10,
    filter_genes: bool = True,
    weighting: float | tuple[float, float] | str = 1.0,
    pleiotropy: bool | Mapping[str, Any] = False,
    n_permutations: int = 0,
    n_bootstraps: int = 0,
    n_draws: int = 8,
    seed: int = 0,
    compat: Compat | None = None,
    client: Any = None,
    engine: EngineName | None = None,
    key_added: str = "viper",
    copy: bool = False,
    output: str | os.PathLike[str] | None = None,
) -> AnnData | None:
    """Infer the activity of regulators in every cell from the expression of their targets.

    The score of a cell depends only on the cell and on the reference: not on other cells of its
    block, nor on the order of cells or genes, nor on the engine (to 1e-5). Permutations and
    bootstraps draw cells in the order of their names.

    Parameters
    ----------
    adata
        Cells x genes: counts, or normalised and logarithmised; in memory, sparse or backed.
    network
        Key of a network in ``adata.uns``, a `Network`, a DataFrame of edges (source, target, and
        mor, weight, likelihood), gene sets (a dict of lists of genes, whose names stand for
        regulators) or the path of a network or GMT file. The activities of a list or dict of these
        are combined (metaVIPER). With a dict whose keys are groups of ``groupby``, each cell is
        scored by the network of its group.
    layer
        Layer to use instead of ``adata.X``.
    gene_symbols
        Column of ``adata.var`` with the names of genes that the network uses; by default
        ``adata.var_names``.
    signature
        ``"counts"``: scores of counts given the depth of their cell, so that cells which differ
        only in depth do not differ in activity. ``"zscore"``, ``"mad"``, ``"rank"``, ``"ttest"``
        or ``"mean"`` against the reference; ``"none"`` if the data are signatures already. See
        :func:`pysces.signature`. ``"auto"``: ``"counts"`` if there are counts or they can be
        recovered, otherwise ``"zscore"``; also ``"zscore"`` with ``compat``, with
        ``n_bootstraps``, and with ``n_permutations`` unless ``enrichment="gsea"``.
    reference
        Cells to compare with: a mask, positions, names, or a group of ``groupby``. All cells by
        default. For ``"counts"``, the cells from which expected shares of genes are estimated.
    groupby
        Column of ``adata.obs`` that ``reference`` and the keys of ``network`` refer to.
    enrichment
        ``"score"``, ``"area"``, ``"narnea"``, ``"gsea"`` or ``"mean"``. See
        :func:`pysces.enrich`. With ``signature="counts"``, ``"score"`` is the weighted sum of the
        targets' scores, minus the shift that all genes of the cell share, divided by its standard
        deviation given the depth (``filter_genes`` has no effect); the other methods are averaged
        over draws of randomised quantile residuals. ``"auto"``: ``"score"`` with
        ``signature="counts"`` (``"area"`` with ``pleiotropy``), otherwise ``"area"``.
    counts
        ``"auto"``: integers are treated as counts, and counts are recovered from values that
        ``sc.pp.normalize_total`` and ``sc.pp.log1p`` have transformed, if possible. True: as
        ``"auto"``, but raise an error if there are no counts. False: do not use counts.
    size_factors
        Depth of each cell: a column of ``adata.obs``, or numbers. By default
        ``obs["total_counts"]``, else the depth found with recovered counts, else the sum over all
        genes (of ``adata.raw``, if that has more). If depth is known only as the sum of fewer than
        1,000 genes, scores given depth require ``counts=True``.
    batch_key
        Column of ``adata.obs``; each gene has a separate expected share in each of its groups.
    min_targets
        Minimum number of measured targets of a regulon; smaller regulons are left out.
    filter_genes
        Rank only genes that occur in the network.
    weighting
        Weights of several networks: a power of ``|NES|``, the two numbers (middle, slope) of a
        sigmoid, or ``"best"`` to use the best network of each cell.
    pleiotropy
        Correct the scores of regulators that seem active because of targets shared with another
        regulator: True, or a dict with ``regulators``, ``shadow``, ``targets``, ``penalty``,
        ``method``.
    n_permutations
        Number of null samples: bootstraps of the reference (``"area"``, ``"mean"``), or
        permutations of the genes (``"gsea"``, where 0 means 1,000). 0 uses the analytic null.
    n_bootstraps
        Number of bootstraps of the reference; the result is the mean NES over them.
    n_draws
        Number of draws of quantile residuals; the result is the mean NES over them. Only used with
        ``signature="counts"`` and an enrichment other than ``"score"``.
    seed
        Seed of null samples, bootstraps, draws and the order of zeros.
    compat
        Only used with ``enrichment="area"``, not for counts. ``"r-matrix"``: use the largest
        one-tail rank over all cells (and over all null samples, for their scores), as the matrix
        form of R's aREA does, instead of that of each cell. A score then depends on the other cells
        if the extreme genes of a cell are tied.
    client
        A ``dask.distributed.Client``, or ``"local"`` for one on this machine (``"gpus"``: with one
        worker per NVIDIA GPU): blocks of cells are scored by its workers, with the same results.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"``; ``None`` for the fastest available one.
    key_added
        Key of the result in ``obsm`` and ``uns``.
    copy
        Return a copy of ``adata`` with the result instead of changing it.
    output
        Path of an ``.h5ad`` or ``.zarr`` file to which the result is written block by block,
        instead of to ``adata``: an AnnData cells x regulators as :func:`pysces.activity` returns
        it. The memory needed does not grow with the cells. The file appears when it is complete,
        and replaces an earlier one.

    Returns
    -------
    ``None``, or the copy. Without ``output=``, sets:

    ``adata.obsm[key_added]``
        Normalised enrichment scores, a DataFrame cells x regulators.
    ``adata.obsm[key_added + "_pvalues"]``, ``adata.obsm[key_added + "_qvalues"]``
        With a null distribution (``n_permutations``, ``"gsea"``, ``"narnea"``): p-values, and false
        discovery rates within each cell. Not available if several networks are combined into one
        score (metaVIPER), since the null distribution depends on the unknown correlation between
        the networks. If each cell is scored by the network of its group, the p-values are those of
        that network; a regulator that is not in it has the score 0 and the p-value 1.
    ``adata.obsm[key_added + "_pes"]``, ``adata.obsm[key_added + "_sd"]``
        Proportional scores of ``"narnea"``; standard deviations over bootstraps or draws (not for
        combined networks).
    ``adata.uns[key_added]``
        ``["params"]``: arguments. ``["facts"]``: the ``signature`` and ``enrichment`` used, and
        properties of the counts. ``["engine"]``, ``["version"]``: engine and version used.
        ``["regulators"]``: numbers of targets of each regulator. ``["network"]``: the edges, if
        ``network`` is not a key.

    Raises
    ------
    InputError
        If data or arguments are invalid; ``adata`` is then unchanged.
    EngineUnavailable
        If the requested engine is not available.

    Warns
    -----
    PyscesWarning
        If some of several networks have no regulon with ``min_targets`` measured targets; they are
        left out.

    References
    ----------
    Alvarez et al. 2016 (VIPER); Ding et al. 2018 (metaVIPER); Griffin et al. 2023 (NaRnEA).

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(5, 40)))
    >>> adata.var_names = [f"gene{i}" for i in range(40)]
    >>> edges = pd.DataFrame({"source": "TF", "target": adata.var_names[:12]})
    >>> pysces.run_viper(adata, edges)
    >>> adata.obsm["viper"].shape
    (5, 1)
    """
    path = None
    if output is None:
        _results.check_target(adata, copy)
        _results.check_free(adata, key_added, ActivityResult)
    else:
        _results.check_anndata(adata)
        path = check_output(output, adata)
        if copy:
            raise InputError("With output=, adata is not changed. Leave out copy=True.")
    options = ViperOptions.of(locals())
    if groupby is not None:
        check_column(adata, groupby)
    networks = networks_of(network, adata)
    method, counted = chosen_signature(
        adata,
        signature,
        layer=layer,
        counts=counts,
        size_factors=size_factors,
        batch_key=batch_key,
        gene_symbols=gene_symbols,
        resampled=options.resampled,
    )
    if enrichment == "auto":
        enrichment = "score" if counted is not None and not pleiotropy else "area"
    used = replace(
        options, signature=method if counted is None else "counts", enrichment=enrichment
    )
    source = source_of(adata, layer, gene_symbols) if counted is None else counted.expression
    several = len(networks) > 1
    networks = _usable(networks, source, min_targets)
    assignment = _assignment(adata, networks, groupby) if several else None
    given = {"counts": counted, "reference": reference_of(adata, reference, groupby)}
    values = adata.n_obs * adata.n_vars
    by_counts = counted is not None and enrichment == "score"
    needed = ("counts score",) if by_counts else (used.signature, enrichment)
    with engines.use_engine(engine, work=engines.Work("viper", values)) as chosen:
        prepare(*needed, values=values)
        scorers = [
            scorer(source, adata.obs_names, one, used, **given)  # type: ignore[arg-type]
            for one in networks.values()
        ]
        join = Join([one.regulons.names for one in scorers], used, assignment)
        record = RunRecord(
            "run_viper",
            {"network": named_network(network), **options.record()},
            _facts(used, counted, networks),
            engines.record(chosen),
        )
        regulators = _regulator_facts(scorers).reindex(join.regulators.astype(str))
        edges = kept_edges(network, networks)
        finite = _Finite()
        with contextlib.closing(scored(source, scorers, client)) as scores:
            joined = map(finite, map(join, scores))
            if path is not None:
                shell = without_scores(adata, regulators, key_added)
                kept = {"network": edges} if edges is not None else {}
                shell.uns.update(_results.plain(record.entries() | kept))
                with row_file(path, shell) as write_rows:
                    for part, tables in joined:
                        write_rows(part, {PLACES[name]: table for name, table in tables.items()})
            else:
                tables = _collected(source.n_samples, joined)
    finite.warn()
    log.info("Activity of %d regulators in %d cells.", len(join.regulators), adata.n_obs)
    if path is not None:
        return None
    frames: dict[str, Any] = {
        name: pd.DataFrame(table, index=adata.obs_names, columns=join.regulators)
        for name, table in tables.items()
    }
    result = ActivityResult(**frames, regulators=regulators, network=edges, record=record)
    target = adata.copy() if copy else adata
    _results.write(target, key_added, result)
    return target if copy else None


def _facts(
    used: ViperOptions, counted: CountData | None, networks: Mapping[str, Network]
) -> dict[str, Any]:
    """Facts about the data and the scores, for the run record."""
    facts: dict[str, Any] = {
        "signature": used.signature,
        "enrichment": used.enrichment,
        "counts": None if counted is None else counted.facts,
        "networks": list(networks),
    }
    if used.enrichment == "gsea":
        facts["n_permutations"] = used.scoring.n_permutations
    return facts


def _usable(
    networks: dict[str, Network], source: Expression, min_targets: int
) -> dict[str, Network]:
    """The networks that have a large enough regulon; a warning names the others.

    If none has one, all are returned, and scoring says why.

    Raises
    ------
    InputError
        If names of regulators cannot be stored as columns.
    """
    names = {
        key: network.filter(min_targets, targets=source.genes).regulators
        for key, network in networks.items()
    }
    for name in (name for own in names.values() for name in own):
        _results.check_column_name(name, f"The name of a regulator ({name!r})")
    without = [key for key, own in names.items() if not len(own)]
    if not without or len(without) == len(networks):
        return networks
    warnings.warn(
        f"{len(without)} of {len(networks)} networks have no regulon of at least {min_targets} "
        f"measured targets and are left out: {listed(without)}. Lower min_targets=, or use larger "
        "networks.",
        PyscesWarning,
        stacklevel=outside(),
    )
    return {key: network for key, network in networks.items() if key not in without}


class _Finite:
    """Counts the activities that are not finite, as they pass."""

    def __init__(self) -> None:
        self.unknown = self.total = 0

    def __call__(self, block: tuple[slice, Tables]) -> tuple[slice, Tables]:
        nes = block[1]["nes"]
        self.unknown += int((~np.isfinite(nes)).sum())
        self.total += nes.size
        return block

    def warn(self) -> None:
        """Say how many there were, if any."""
        if self.unknown:
            log.warning(
                "%d of %d activities are not finite (NaN or infinite): no target of the regulator "
                "has a value in the cell, or the genes of the cell do not vary. Plots and "
                "statistics leave them out.",
                self.unknown,
                self.total,
            )


def _collected(
    n_cells: int, blocks: Iterable[tuple[slice, Tables]]
) -> dict[str, NDArray[np.float64]]:
    """Tables of all cells."""
    tables: dict[str, NDArray[np.float64]] = {}
    for part, found in blocks:
        for name, table in found.items():
            tables.setdefault(name, np.empty((n_cells, table.shape[1])))[part] = table
    return tables


def _assignment(
    adata: AnnData, networks: Mapping[str, Network], groupby: str | None
) -> NDArray[np.intp] | None:
    """Index of the network of each cell, if networks are named after groups of cells."""
    if groupby is None:
        return None
    labels = pd.Series(labels_of(adata, groupby), dtype=object)
    if not set(networks) & set(labels.dropna()):
        return None
    if missing := int(labels.isna().sum()):
        raise InputError(
            f"{missing} cells have no label in .obs[{groupby!r}] and therefore no network. "
            "Leave them out, or leave groupby out to combine the networks."
        )
    if left := sorted(set(labels) - set(networks)):
        raise InputError(
            f"Groups of .obs[{groupby!r}] without a network: {listed(left)}. "
            "Pass a network for each group, or leave groupby out to combine the networks."
        )
    return pd.Index(list(networks)).get_indexer(pd.Index(labels))


def _regulator_facts(scorers: Sequence[Scorer]) -> pd.DataFrame:
    """Measured and missing targets of each regulator (in the network with most of them)."""
    tables = []
    for regulons in (one.regulons for one in scorers):
        positive = np.bincount(
            regulons.owner, weights=regulons.mode >= 0, minlength=len(regulons.names)
        )
        tables.append(
            pd.DataFrame(
                {
                    "n_targets": regulons.sizes,
                    "n_targets_missing": regulons.missing,
                    "n_targets_positive": positive.astype(np.int64),
                },
                index=regulons.names.astype(str),
            )
        )
    joined = pd.concat(tables)
    return joined.groupby(level=0, sort=False).max()
