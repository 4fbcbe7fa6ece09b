"""Score the enrichment of regulons in given signatures: :func:`enrich`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pysces._parameters import SIZE, checked
from pysces.data._networks import as_network
from pysces.dispatch import engines
from pysces.dispatch.blocks import blocks, progress
from pysces.errors import InputError
from pysces.settings import EngineName
from pysces.viper._cells import by_blocks, cells_of, frame
from pysces.viper._enrichment import (
    Compat,
    Enrichment,
    EnrichmentOptions,
    cells_of_block,
    check_compat,
    common_rank_deviation,
    score_block,
)
from pysces.viper._regulons import Regulons, align
from pysces.viper._statistics import two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pysces.data._expression import Expression


Value = Literal["nes", "es", "pes", "pvalue"]
VALUES: dict[str, tuple[str, ...]] = {
    "score": ("nes", "pvalue"),
    "area": ("nes", "es", "pvalue"),
    "narnea": ("nes", "pes", "pvalue"),
    "gsea": ("nes", "es", "pvalue"),
    "mean": ("nes",),
}


@checked(n_permutations=SIZE)
def enrich(
    signature: Any,
    network: Any,
    *,
    enrichment: Enrichment = "area",
    value: Value = "nes",
    min_targets: int = 10,
    filter_genes: bool = True,
    adaptive_size: bool = False,
    gene_weights: Any = None,
    n_permutations: int = 1000,
    seed: int = 0,
    compat: Compat | None = None,
    engine: EngineName | None = None,
) -> pd.DataFrame:
    """Score the enrichment of each regulon in the signature of each sample.

    Parameters
    ----------
    signature
        Samples x genes: a DataFrame, or an AnnData (its ``X``). NaN is a missing value; infinite
        values have the most extreme ranks.
    network
        `Network`, DataFrame of edges (source, target, and mor, weight, likelihood), gene sets (a
        dict of lists of genes), or path.
    enrichment
        ``"area"``: analytic rank-based enrichment analysis (Alvarez et al. 2016).
        ``"narnea"``: nonparametric analytical rank-based enrichment analysis (Griffin et al.
        2023). ``"gsea"``: weighted running sum with permutation NES (Subramanian et al. 2005);
        modes and likelihoods are not used. ``"mean"``: mean weighted by mode x likelihood.
        ``"score"``: with w = mode x likelihood, ``sum w z / sqrt(sum w^2)`` of a signature of
        standard normal scores z (Stouffer et al. 1949).
    value
        What to return: ``"nes"``; ``"es"`` (area, gsea); ``"pes"`` (narnea); ``"pvalue"``.
    min_targets
        Minimum number of measured targets of a regulon; smaller regulons are left out.
    filter_genes
        Rank only genes that occur in the network.
    adaptive_size
        Compare ``min_targets`` with the sum of (likelihood / largest)^2 instead of the number of
        targets.
    gene_weights
        Only used with ``enrichment="area"``. Weight of each gene (a Series), or of each gene in
        each sample (samples x genes); 0 for genes that are not named.
    n_permutations
        Number of permutations of the genes. Only used with ``enrichment="gsea"``; 0 returns the
        unnormalised running sum.
    seed
        Seed of the permutations of ``"gsea"`` and of the order of zeros in ``"narnea"``.
    compat
        Only used with ``enrichment="area"``. ``"r-matrix"``: use the largest one-tail rank over all
        samples of the call, as the matrix form of R's aREA does, instead of that of each sample. A
        score then depends on the other samples if the extreme genes of a sample are tied.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"`` for this call.

    Returns
    -------
    Samples x regulators. A sample's score depends on that sample alone.

    Raises
    ------
    InputError
        If names are not unique, no regulon is left, or an argument is invalid.

    References
    ----------
    Alvarez et al. 2016, Nature Genetics 48:838 (aREA); Griffin et al. 2023, Entropy 25:542
    (NaRnEA); Subramanian et al. 2005, PNAS 102:15545 (running sum).

    Examples
    --------
    >>> table = pd.DataFrame([[2.0, 1.0, -1.0, -2.0]], columns=["A", "B", "C", "D"])
    >>> edges = pd.DataFrame({"source": "TF", "target": ["A", "D"], "mor": [1.0, -1.0]})
    >>> round(enrich(table, edges, min_targets=1, filter_genes=False).loc[0, "TF"], 4)
    np.float64(1.1902)
    """
    check_compat(compat, enrichment)
    options = EnrichmentOptions(enrichment, n_permutations, seed)
    if gene_weights is not None and enrichment != "area":
        raise InputError(f"gene_weights requires enrichment='area'. Got enrichment={enrichment!r}.")
    if enrichment == "gsea" and value == "pvalue" and n_permutations == 0:
        raise InputError("value='pvalue' with enrichment='gsea' requires n_permutations > 0.")
    if value not in VALUES[enrichment]:
        raise InputError(
            f"value must be one of {VALUES[enrichment]} for enrichment={enrichment!r}. "
            f"Got {value!r}."
        )
    source, names = cells_of(signature, allow_infinite=True)
    regulons = align(
        as_network(network),
        source.genes,
        min_targets=min_targets,
        filter_genes=filter_genes,
        size="squares" if adaptive_size else "count",
    )
    weights = _weights(gene_weights, names, regulons)
    cells = source.take_genes(regulons.columns)
    with engines.use_engine(engine):
        max_rank_deviation = common_rank_deviation(by_blocks(cells)) if compat == "r-matrix" else -1
        scores = score_table(
            cells,
            regulons,
            options,
            names,
            value,
            weights=weights,
            max_rank_deviation=max_rank_deviation,
        )
    return pd.DataFrame(scores, index=names, columns=regulons.names)


def score_table(
    cells: Expression,
    regulons: Regulons,
    options: EnrichmentOptions,
    names: pd.Index,
    value: Value = "nes",
    *,
    weights: NDArray[np.float64] | None = None,
    max_rank_deviation: int = -1,
) -> NDArray[np.float64]:
    """One kind of score for all cells of a signature, computed in blocks."""
    result = np.empty((cells.n_samples, len(regulons.names)))
    step = cells_of_block(cells.n_samples, cells.n_genes, regulons)
    for part in progress(list(blocks(cells.n_samples, step)), "enrichment", unit="block"):
        own = options if weights is None else replace(options, gene_weights=weights[part])
        found = score_block(
            cells.sample_block(part, copy=False),
            regulons,
            own,
            cell_names=names[part],
            max_rank_deviation=max_rank_deviation,
        )
        if value == "pvalue" and value not in found:
            found["pvalue"] = two_sided(found["nes"])
        result[part] = found[value]
    return result


def _weights(gene_weights: Any, names: pd.Index, regulons: Regulons) -> NDArray[np.float64] | None:
    """Weights of the regulons' genes in every sample."""
    if gene_weights is None:
        return None
    if not isinstance(gene_weights, pd.DataFrame | pd.Series | Mapping):
        raise InputError(
            "gene_weights must name their genes: a Series, a dict, or a DataFrame samples x genes. "
            f"Got {type(gene_weights).__name__}."
        )
    if isinstance(gene_weights, pd.DataFrame):
        given = frame(gene_weights)
        if not (names.is_unique and given.index.is_unique):
            raise InputError("gene_weights by sample require unique sample names. Rename samples.")
        given = given.reindex(index=names, columns=regulons.genes)
    else:
        given = frame(pd.DataFrame(pd.Series(gene_weights)).T)
        given = given.reindex(columns=regulons.genes)
    weights = np.ascontiguousarray(given.fillna(0.0).to_numpy(dtype=np.float64))
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("gene_weights must be finite numbers of at least 0.")
    if not weights.any():
        raise InputError(
            "gene_weights are 0 for all genes of the network. Pass weights of its genes."
        )
    return weights if len(weights) == len(names) else np.tile(weights, (len(names), 1))
