"""Find the master regulators of a difference between groups of cells (msVIPER)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_column
from pysces._keys import MastersResult
from pysces._parameters import checked
from pysces._record import RunRecord
from pysces.data import _results
from pysces.dispatch import engines
from pysces.errors import InputError, MissingKeyError
from pysces.viper._inputs import chosen_signature
from pysces.viper._options import MsviperOptions
from pysces.viper._pleiotropy import Pleiotropy, corrected_scores, pleiotropy_of
from pysces.viper._regulons import align, as_network, kept_edges, named_network
from pysces.viper.groups._contrast import contrast
from pysces.viper.groups._masters import Combine, Masters, leading_edge, master_regulators
from pysces.viper.groups._synergy import (
    combinations,
    shadow_pairs,
    synergy_pvalues,
    without_shadows,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from pysces.data._count_data import Counts


@checked(MsviperOptions)
def run_msviper(
    adata: AnnData,
    groupby: str,
    group: str | float,
    *,
    reference: str | float = "rest",
    network: Any = "aracne",
    network_group: str | None = None,
    layer: str | None = None,
    gene_symbols: str | None = None,
    counts: Counts = "auto",
    size_factors: str | ArrayLike | None = None,
    batch_key: str | None = None,
    min_targets: int = 10,
    filter_genes: bool = True,
    adaptive_size: bool = False,
    n_permutations: int = 1000,
    n_bootstraps: int = 0,
    combine: Combine = "mean",
    pleiotropy: bool | Mapping[str, Any] = False,
    shadow: float | None = None,
    synergy: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    engine: str | None = None,
    key_added: str = "msviper",
    copy: bool = False,
) -> AnnData | None:
    """Find the master regulators of the difference between a group of cells and a reference.

    Parameters
    ----------
    adata
        Cells (or pseudobulk samples) x genes: counts, or normalised and logarithmised.
    groupby, group
        Column of ``adata.obs``, and the group whose master regulators are searched.
    reference
        Another group, or ``"rest"`` for all other cells that have a label.
    network
        Key of a network in ``adata.uns``, a `Network`, a DataFrame of edges or a path.
    network_group
        Group whose network is used, if there is one network per group.
    layer
        Layer to use instead of ``adata.X``.
    gene_symbols
        Column of ``adata.var`` with the names of genes that the network uses; by default
        ``adata.var_names``.
    counts, size_factors, batch_key
        As in :func:`run_viper`. Counts, given or recovered, are compared by their scores given
        depth and Welch's t, so that a difference of depth does not result in master regulators.
    min_targets
        Minimum number of measured targets of a regulon; smaller regulons are left out.
    filter_genes
        Rank only genes that occur in the network.
    adaptive_size
        Compare ``min_targets`` with the sum of likelihood / largest likelihood instead of the
        number of targets.
    n_permutations
        Number of permutations of the cells' groups, from which the null distribution of the NES is
        estimated; 0 for the analytic NES.
    n_bootstraps
        Number of bootstraps of the signature; the NES are combined over them.
    combine
        How the NES of bootstraps are combined: ``"mean"``, ``"median"`` or ``"mode"``.
    pleiotropy
        Correct the NES for targets shared with other regulators: True, or a dict as in
        :func:`run_viper`.
    shadow
        Regulators to test for shadows, i.e. for significance only through targets shared with
        another regulator: a largest p-value, or the number of most significant regulators.
        Shadowed regulators lose the shared targets.
    synergy
        Regulators (as for ``shadow``) whose pairs are tested for synergy, i.e. for shared targets
        that are more enriched than the targets of either regulator.
    alpha
        Largest q-value of a significant regulator; significant regulators come first in the
        results.
    seed
        Seed of permutations and bootstraps.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"``; ``None`` for the fastest available one.
    key_added
        Key of the result in ``adata.uns``.
    copy
        Return a copy of ``adata`` with the result instead of changing it.

    Returns
    -------
    ``None``, or the copy. Sets ``adata.uns[key_added]``:

    ``["results"]``
        One row per regulator: regulator, n_targets, n_leading_edge (number of targets in the
        leading edge), effect, es, nes, pvalue, qvalue, significant (qvalue <= alpha). Significant
        regulators come first, by decreasing ``|effect|``, followed by the others by p-value.
        ``es`` is the weighted mean normal score of the targets, in the direction of their modes.
        ``effect`` is the same for the ``min_targets`` targets of largest likelihood (ties share
        the remaining weight), so it uses the same number of targets for every regulator. Ordered
        by ``es``, small regulons would come first, since networks contain the strongest targets of
        each regulator and the average target of a large regulon is weaker. Ordered by ``nes``,
        which grows with the number of targets, large regulons with a slight shift of all targets
        would come first.
    ``["leading_edge"]``
        The targets of the leading edges: regulator, target, in the order of the results and of
        names.
    ``["signature"]``
        Normal score of each gene between the groups.
    ``["shadow"]``, ``["synergy"]``
        Pairs of regulators, if requested.
    ``["params"]``, ``["facts"]``, ``["engine"]``, ``["version"]``
        Arguments; properties of the data; engine and version used.
    ``["network"]``
        The edges, if ``network`` is not a key.

    Raises
    ------
    InputError
        If data or arguments are invalid; ``adata`` is then unchanged.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838; Lefebvre et al. 2010 (shadow, synergy).

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(20, 40)))
    >>> adata.var_names = [f"gene{i}" for i in range(40)]
    >>> adata.obs["cell_type"] = ["NK"] * 8 + ["T"] * 12
    >>> adata.X[:8, :12] += 2  # targets of A
    >>> edges = pd.DataFrame({"source": ["A"] * 12 + ["B"] * 12, "target": adata.var_names[:24]})
    >>> pysces.run_msviper(adata, "cell_type", "NK", network=edges, n_permutations=100)
    >>> adata.uns["msviper"]["results"]["regulator"].tolist()
    ['A', 'B']
    """
    _results.check_target(adata, copy)
    _results.check_free(adata, key_added, MastersResult)
    options = MsviperOptions.of(locals())
    corrected = pleiotropy_of(pleiotropy)
    check_column(adata, groupby)
    try:
        grn = as_network(network, adata, group=network_group)
    except (InputError, MissingKeyError) as error:  # they name the parameter of Network
        raise type(error)(str(error).replace("group=", "network_group=")) from error
    _, data = chosen_signature(
        adata,
        "auto",
        layer=layer,
        counts=counts,
        size_factors=size_factors,
        batch_key=batch_key,
        gene_symbols=gene_symbols,
    )
    between = contrast(adata, groupby, str(group), str(reference), layer, data, gene_symbols)
    regulons = align(
        grn,
        between.expression.genes,
        min_targets=min_targets,
        filter_genes=filter_genes,
        size="sum" if adaptive_size else "count",
    )
    between = between.of_genes(regulons.columns)
    plain = between.signature()
    with engines.use_engine(engine) as used:
        null = between.permuted(n_permutations, seed) if n_permutations else None
        signatures = between.bootstrapped(n_bootstraps, seed) if n_bootstraps else plain[None]
        how: Any = {"combine": combine, "n_strongest": min_targets}
        masters = master_regulators(signatures, regulons, null, **how)
        extra: dict[str, Any] = {}
        if shadow is not None:
            extra["shadow"] = shadow_pairs(plain, masters, regulators=shadow, seed=seed)
            left = without_shadows(regulons, extra["shadow"])
            masters = master_regulators(signatures, left, null, **how)
        if corrected is not None:
            masters = _corrected(plain, masters, null, corrected)
        if synergy is not None:
            extra["synergy"] = _synergy(plain, masters, synergy, min_targets, seed)
        computed_by = engines.record(used)
    results, leading = _with_leading_edges(masters, plain, alpha)
    facts = {
        "signature": "zscore" if data is None else "counts",
        "counts": None if data is None else data.facts,
        "n_cells_group": between.n_group,
        "n_cells_reference": between.n_reference,
        "n_cells_unlabelled": between.n_unlabelled,
    }
    arguments = {
        "groupby": groupby,
        "group": str(group),
        "network": named_network(network),
        **options.record(),
    }
    result = MastersResult(
        results=results,
        leading_edge=leading,
        signature=pd.DataFrame({"gene": regulons.genes.to_numpy(), "z": plain}),
        shadow=extra.get("shadow"),
        synergy=extra.get("synergy"),
        network=kept_edges(network, {"": grn}),
        record=RunRecord("run_msviper", arguments, facts, computed_by),
    )
    target = adata.copy() if copy else adata
    _results.write(target, key_added, result)
    return target if copy else None


def _corrected(
    signature: NDArray[np.float64],
    masters: Masters,
    null: NDArray[np.float64] | None,
    options: Pleiotropy,
) -> Masters:
    es, nes = corrected_scores(
        signature[None], masters.es[None], masters.nes[None], masters.regulons, options, null=null
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.where(masters.es != 0, es[0] / masters.es, 1.0)
    return Masters(
        masters.regulons, es[0], nes[0], masters.effect * left, None, masters.standard_error
    )


def _synergy(
    signature: NDArray[np.float64],
    masters: Masters,
    regulators: float,
    min_targets: int,
    seed: int,
) -> pd.DataFrame:
    found = combinations(signature, masters, regulators=regulators, min_targets=min_targets)
    return pd.DataFrame(
        {
            "regulators": np.asarray(found.regulons.names, dtype=object),
            "n_targets": found.regulons.sizes,
            "nes": found.nes,
            "pvalue": found.pvalues,
            "synergy_pvalue": synergy_pvalues(signature, masters, found, seed=seed),
        }
    )


def _with_leading_edges(
    masters: Masters, signature: NDArray[np.float64], alpha: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of results with the size of each leading edge, and a table of leading edges."""
    regulons = masters.regulons
    known = np.where(np.isnan(signature), 0.0, signature)
    leading = {}
    for number, regulator in enumerate(regulons.names):
        edges = regulons.edges(number)
        found = leading_edge(known, regulons.targets[edges], regulons.mode[edges])
        leading[regulator] = sorted(regulons.genes[found.targets])
    table = masters.to_dataframe(alpha)
    sizes = [len(leading[regulator]) for regulator in table["regulator"]]
    table.insert(table.columns.tolist().index("n_targets") + 1, "n_leading_edge", sizes)
    pairs = [(r, target) for r in table["regulator"] for target in leading[r]]
    return table, pd.DataFrame(pairs, columns=["regulator", "target"], dtype=object)
