"""Compare the networks of two groups of samples, with permuted groups as the null distribution."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._keys import ComparisonResult
from pysces._messages import listed, outside
from pysces._parameters import checked
from pysces._record import RunRecord
from pysces.aracne._candidates import ScoredCandidates
from pysces.aracne._comparison import Differences, GroupNetwork, Groups, differences
from pysces.aracne._copula import strata
from pysces.aracne._inference import Consensus
from pysces.aracne._labellings import Labellings
from pysces.aracne._options import (
    Auto,
    ComparisonOptions,
    Counts,
    Degree,
    Pruning,
    ResamplingName,
)
from pysces.aracne._prepared import PreparedData, origin
from pysces.data import _results
from pysces.data._depth import known_of
from pysces.data._expression import Expression
from pysces.data._inputs import gene_names
from pysces.data._labels import group_mask, labels_of
from pysces.dispatch.engines import Work, use_engine
from pysces.dispatch.engines import record as engine_record
from pysces.errors import InputError, PyscesWarning
from pysces.network import NetworkComparison, compare_regulons, ordered
from pysces.settings import EngineName

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

log = logging.getLogger("pysces")


@checked(ComparisonOptions)
def compare_networks(
    adata: AnnData,
    groupby: str,
    group: str | None = None,
    *,
    reference: str = "rest",
    regulators: Any = None,
    n_permutations: int = 50,
    donor_key: str | ArrayLike | None = None,
    layer: str | None = None,
    gene_symbols: str | None = None,
    mask_var: str | ArrayLike | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | ArrayLike | None = None,
    min_cells: int = 10,
    degree: Degree = "auto",
    resampling: ResamplingName | None = "halves",
    n_resamples: int = 20,
    alpha: float = 0.05,
    min_support: float = 0.5,
    resample_pvalue: float | Auto = "auto",
    n_decoys: int | None = None,
    dpi: Pruning = True,
    dpi_tolerance: float = 0.0,
    n_null: int = 1_000_000,
    seed: int = 0,
    engine: EngineName | None = None,
    key_added: str = "comparison",
    copy: bool = False,
) -> AnnData | None:
    """Compare the network of a group with that of a reference, and test each difference.

    The network of either group is inferred as :func:`run_aracne` does, with the copula estimator.
    Then the labels of the samples (or of donors) are permuted, and both networks are inferred
    again for each permutation. An edge that one network has and the other lacks need not be a
    difference: it may have barely failed. Each edge of either network is therefore tested for a
    difference of its dependence between the groups.

    Two networks without their data are compared by `Network.compare`, without p-values.

    Parameters
    ----------
    adata
        Samples (cells, metacells, patients) x genes, as for :func:`run_aracne`.
    groupby, group
        Column of ``adata.obs``, and the group to compare; ``None`` for the second of exactly two
        groups.
    reference
        The group to compare with, or ``"rest"`` for all other samples that have a label.
    regulators
        As in :func:`run_aracne`.
    n_permutations
        Number of permutations of the labels. q-values cannot be smaller than about ``1 /
        (n_permutations + 1)``.
    donor_key
        Donor of each sample: a column of ``adata.obs``, or one label per sample. Pass it if several
        samples are cells of one donor and conclusions are to hold for other donors: these cells
        are not independent, and permuted cells would give p-values that are too small. Donors
        with samples of one group are permuted as a whole. Of donors with samples of both groups,
        the two are exchanged.
    layer, gene_symbols, mask_var, counts, size_factors, batch_key, min_cells
        The data, as in :func:`run_aracne`. Levels are fitted, or values ranked, within each group
        (and donor and batch), so that a gene that is merely higher in one group makes no edge.
    degree
        Degree of the polynomial, as in :func:`run_aracne`.
    resampling, n_resamples, min_support, resample_pvalue, n_decoys, dpi, dpi_tolerance
        How both networks are inferred, as in :func:`run_aracne`, for the given groups and for each
        permutation. ``resampling=None`` is about twice as fast.
    alpha
        Largest q-value of an edge of a network, and of a significant difference.
    n_null
        Number of simulated pairs of independent genes.
    seed
        Seed of permutations, resamples and decoys.
    engine
        As in :func:`run_aracne`.
    key_added
        Key of the result in ``adata.uns``.
    copy
        Return a copy of ``adata`` with the result instead of changing it.

    Returns
    -------
    ``None``, or the copy. Sets ``adata.uns[key_added]``, which
    `NetworkComparison.from_anndata` reads:

    ``["edges"]``
        One row per edge of either network, the most different ones first: ``source``, ``target``,
        ``change`` (``"gained"``: only the group has it, ``"lost"``: only the reference,
        ``"reversed"``: both, with correlations of opposite sign, ``"shared"``),
        ``correlation_reference`` and ``correlation_group`` (of the scores), ``mi_reference`` and
        ``mi_group`` (nats), ``support_reference`` and ``support_group`` (number of resamples that
        have the edge, also where it was not called), ``qvalue_reference`` and ``qvalue_group``
        (that the edge exists, by its support and that of decoys; 1 where it was not called), and
        of the difference: ``statistic``, ``pvalue``, ``qvalue``, ``significant`` (qvalue <= alpha).
    ``["regulons"]``
        One row per regulator: ``regulator``, ``change`` (``"gained"``: targets only in the group,
        ``"lost"``: only in the reference, ``"shared"``; a shared and significant regulon is
        rewired), ``n_reference``, ``n_group`` and ``n_common`` (targets), ``jaccard``,
        ``statistic``, ``pvalue``, ``qvalue``, ``significant``.
    ``["facts"]``
        ``pvalue`` (of the networks as a whole), ``jaccard`` (common edges / edges of either) and
        ``jaccard_permuted`` (its mean over the permutations), ``n_reference``, ``n_group``,
        ``permuted`` (``"samples"``, ``"samples of similar depth"``, ``"donors"``),
        ``n_permutations_used``, ``smallest_pvalue`` (that ``pvalue`` can have).
    ``["params"]``, ``["engine"]``, ``["version"]``
        Arguments; engine and version used.

    Raises
    ------
    InputError
        If the data or an argument cannot be used; nothing is written then.

    Warns
    -----
    PyscesWarning
        If there are too few donors for a p-value of 0.05, or if no network has an edge.

    Notes
    -----
    The statistic of an edge is the difference of Fisher's z of its correlation, standardised by
    variances that hold without normality; of a regulon, the sum of the squared statistics of its
    edges, standardised by its mean and standard deviation over the permutations. p-values are ranks
    among the statistics of the edges (regulons) of all permutations, which were selected in the
    same way, and of the given groups. Without a difference, at most a share of alpha of the edges
    has a p-value of at most alpha on average.

    Samples are permuted among those of similar depth and of the same batch, as a difference of
    depth alone changes the measured dependence. If the depths of the groups do not overlap,
    there is no power.

    The cost is that of ``n_permutations + 1`` times two networks of ``n_resamples`` resamples, and
    of the statistics of their edges: with the defaults ten to twenty times that of
    ``run_aracne(groupby=...)``, with ``resampling=None`` five to ten times. Scores are computed
    once.

    References
    ----------
    Gelman and Stern 2006, Am Stat 60:328 (a difference between significant and not significant);
    Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39 (permutation p-values); DiCiccio and
    Romano 2017, JASA 112:1211 (studentised permutation tests of correlation); Benjamini and
    Hochberg 1995, J R Stat Soc B 57:289 (q-values); Zimmerman et al. 2021, Nat Commun 12:738
    (cells of a donor are not independent).

    Examples
    --------
    >>> import anndata, numpy as np, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(200, 8)))
    >>> adata.var_names = ["MYC", "SPI1", "MAX", "NCL", "CD4", "CD8A", "CDK4", "LYZ"]
    >>> adata.obs["state"] = ["well"] * 100 + ["sick"] * 100
    >>> adata.X[100:, 2] += 2 * adata.X[100:, 0]  # MYC regulates MAX in the sick only
    >>> pysces.compare_networks(
    ...     adata, "state", "sick", regulators=["MYC", "SPI1"], resampling=None, n_null=10_000
    ... )
    >>> adata.uns["comparison"]["edges"][["source", "target", "change"]].values.tolist()
    [['MYC', 'MAX', 'gained']]
    """
    _results.check_target(adata, copy)
    _results.check_free(adata, key_added, ComparisonResult)
    options = ComparisonOptions.of(locals())
    labels = labels_of(adata, groupby)
    group = _group_of(labels, groupby, group, reference)
    inside = group_mask(labels, groupby, group)
    outside_group = (
        np.asarray(labels.codes >= 0) & ~inside
        if reference == "rest"
        else group_mask(labels, groupby, reference)
    )
    _check_sizes({group: inside, reference: outside_group}, options)
    used = np.flatnonzero(inside | outside_group)

    var = adata.var.set_axis(gene_names(adata, gene_symbols), axis=0)
    known = known_of(adata, size_factors, batch_key, layer, donor_key)
    expression = Expression.from_anndata(
        adata[used], layer=layer, mask_var=mask_var, gene_symbols=gene_symbols
    )
    known = known.take(used)
    within = np.asarray(labels.codes[used], dtype=np.int64)
    names = expression.samples
    with use_engine(engine):
        prepared = PreparedData.of(
            expression, regulators, var, options.aracne, known.within(within)
        )
        candidates = prepared.candidates
        assert isinstance(candidates, ScoredCandidates)
        order = names.get_indexer(candidates.expression.samples)
        known = known.take(order)
        groups = Groups(candidates, prepared.depth, known.batch, options.aracne)
        similar = strata(prepared.depth, known.batch, candidates.expression.n_samples)
        labellings = Labellings(
            inside[used][order], similar, known.donor, options.n_permutations, options.seed
        )
        if labellings.smallest_pvalue > 0.05 and options.n_permutations >= 19:
            warnings.warn(_few_donors(labellings), PyscesWarning, stacklevel=outside())
        size = candidates.n_regulators * candidates.n_genes * len(used)
        with use_engine(None, work=Work("copula", size)) as chosen:
            found, networks = differences(groups, labellings)
    edges = _edges(groups, labellings.labels, networks, found, options.alpha)
    if len(edges) == 0:
        warnings.warn(
            f"No edge is significant at alpha = {options.alpha:g}, in neither group: "
            f"{candidates.n_regulators} regulators x {candidates.n_genes} genes, "
            f"{len(used)} samples. More samples (or metacells) or fewer genes may help.",
            PyscesWarning,
            stacklevel=outside(),
        )
    regulons = _regulons(groups, edges, found, options.alpha)
    jaccard = found.jaccard()
    permuted = "samples of similar depth" if prepared.depth is not None else "samples"
    facts = {
        "n_reference": int(outside_group.sum()),
        "n_group": int(inside.sum()),
        "n_genes": candidates.n_genes,
        "n_regulators": candidates.n_regulators,
        **prepared.facts,
        "permuted": permuted if known.donor is None else "donors",
        "n_permutations_used": len(labellings) - 1,
        "smallest_pvalue": labellings.smallest_pvalue,
        "pvalue": found.pvalue(),
        "jaccard": float(jaccard[0]),
        "jaccard_permuted": float(jaccard[1:].mean()) if len(jaccard) > 1 else float("nan"),
    }
    arguments = {
        "groupby": groupby,
        "group": group,
        "regulators": origin(regulators, var),
        **options.record(),
    }
    record = RunRecord("compare_networks", arguments, facts, engine_record(chosen))
    result = ComparisonResult(edges=edges, regulons=regulons, record=record)
    log.info("%r", NetworkComparison(edges, regulons, reference, group, record))
    target = adata.copy() if copy else adata
    _results.write(target, key_added, result)
    return target if copy else None


def _group_of(labels: pd.Categorical, groupby: str, group: str | None, reference: str) -> str:
    """The group to compare."""
    names = labels.categories
    if group is None:
        others = [name for name in names if name != reference]
        if len(names) != 2:
            raise InputError(
                f".obs[{groupby!r}] has {len(names)} groups: {listed(names)}. Pass group= and "
                "reference= with two of them."
            )
        return str(others[-1])
    if group == reference:
        raise InputError(f"group= and reference= are both {group!r}. Pass two groups.")
    return group


def _check_sizes(groups: dict[str, NDArray[np.bool_]], options: ComparisonOptions) -> None:
    fewest = Groups.fewest_samples(options.aracne)
    small = [f"{name} ({mask.sum()})" for name, mask in groups.items() if mask.sum() < fewest]
    if small:
        raise InputError(
            f"Groups with fewer than {fewest} samples cannot be compared: {listed(small)}. "
            "Merge groups, or pass others; below about 100 samples few edges are found."
        )


def _few_donors(labellings: Labellings) -> str:
    return (
        f"The donors can be labelled in {labellings.n_distinct} ways only: the p-value of the "
        f"whole networks is at least {labellings.smallest_pvalue:.2g}, and q-values hardly less. "
        "Pass data of more donors: at least four per group, or six with samples of both groups. "
        "Without donor_key= the cells are taken as independent, and differences are those between "
        "these donors alone."
    )


def _edges(
    groups: Groups,
    labels: NDArray[np.bool_],
    networks: list[GroupNetwork],
    found: Differences,
    alpha: float,
) -> pd.DataFrame:
    """The table of edges."""
    row, gene, squared, _ = found.labelled[0]
    keys = row * groups.candidates.n_genes + gene
    _, correlation = groups.statistics(labels, row, gene)
    names = groups.candidates.expression.genes
    numbers: dict[str, NDArray[np.generic]] = {}
    called = []
    sides = ("reference", "group")
    for number, (side, (candidates, consensus)) in enumerate(zip(sides, networks, strict=True)):
        assert consensus is not None  # the groups have enough samples
        place, has = _places(groups.keys(consensus.edges), keys)
        called.append(has)
        mi = candidates.pair_mi(row.astype(np.int32), gene.astype(np.int32))
        numbers[f"correlation_{side}"] = correlation[number]
        numbers[f"mi_{side}"] = candidates.estimator.nats(mi)
        numbers[f"support_{side}"] = _support(groups, consensus, keys, has)
        numbers[f"qvalue_{side}"] = np.where(has, np.append(consensus.qvalues, 1.0)[place], 1.0)
    before, after = called
    change = np.select([after & ~before, before & ~after], ["gained", "lost"], "shared")
    change = change.astype(object)
    change[(change == "shared") & (correlation[0] * correlation[1] < 0)] = "reversed"
    pvalues, qvalues = found.edge_pvalues()
    order = ["correlation", "mi", "support", "qvalue"]
    table = pd.DataFrame(
        {
            "source": np.asarray(names[groups.candidates.regulators[row]], dtype=object),
            "target": np.asarray(names[gene], dtype=object),
            "change": change,
            **{f"{name}_{side}": numbers[f"{name}_{side}"] for name in order for side in sides},
            "statistic": np.sqrt(squared),
            "pvalue": pvalues,
            "qvalue": qvalues,
            "significant": qvalues <= alpha,
        }
    )
    return ordered(table)


def _places(
    sorted_or_not: NDArray[np.int64], keys: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Position of each key among others (the number of these if it is absent), and if it is."""
    index = pd.Index(sorted_or_not).get_indexer(pd.Index(keys))
    return np.where(index < 0, len(sorted_or_not), index), index >= 0


def _support(
    groups: Groups, consensus: Consensus, keys: NDArray[np.int64], called: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Number of resamples that have each edge; without resampling, whether it was called."""
    if consensus.seen is None:
        return called.astype(np.int64)
    seen = consensus.seen.edges()
    all_keys = seen.row.astype(np.int64) * groups.candidates.n_genes + seen.gene
    place, _ = _places(all_keys, keys)
    return np.append(seen.support, 0)[place]


def _regulons(
    groups: Groups, edges: pd.DataFrame, found: Differences, alpha: float
) -> pd.DataFrame:
    """The table of regulons, the most different ones first."""
    regulators, statistic, pvalues, qvalues = found.regulon_pvalues()
    names = groups.candidates.expression.genes[groups.candidates.regulators[regulators]]
    tested = pd.DataFrame(
        {
            "regulator": np.asarray(names, dtype=object),
            "statistic": statistic,
            "pvalue": pvalues,
            "qvalue": qvalues,
            "significant": qvalues <= alpha,
        }
    )
    table = compare_regulons(edges).merge(tested, on="regulator")
    return table.sort_values(["statistic", "regulator"], ascending=[False, True], ignore_index=True)
