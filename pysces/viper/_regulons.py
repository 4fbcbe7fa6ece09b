"""Align regulons with the genes of a matrix, in the form that the kernels take.

Genes are sorted by name. Sums over a regulon's targets and the ranks of tied genes therefore do
not depend on the order of the genes in the data, and neither does any score.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pysces._checks import check_unique_genes
from pysces._messages import listed
from pysces.data._networks import are_gene_sets, as_network, is_file
from pysces.data._results import grouped_edges
from pysces.errors import InputError
from pysces.network import Network, groups_in, groups_of

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("pysces")

SMALLEST_MODE = 1e-6  # of the largest mode of a regulon

_ORDINARY = 32  # likelihoods within 2^-32 ... 2^32 are not rescaled

SizeRule = Literal["count", "squares", "sum"]


@dataclass(frozen=True)
class Regulons:
    """Regulons over the genes of one matrix.

    Attributes
    ----------
    names
        Regulators, in the order of the network.
    columns
        Columns of the matrix that are used, in the order of the gene names.
    genes
        Their names.
    indptr, targets, mode, likelihood
        Regulon r has the edges ``indptr[r] ... indptr[r + 1]``; ``targets`` index ``genes``.
    missing
        Number of targets of each regulator that the matrix does not have.
    """

    names: pd.Index
    columns: NDArray[np.intp]
    genes: pd.Index
    indptr: NDArray[np.int64]
    targets: NDArray[np.int32]
    mode: NDArray[np.float64]
    likelihood: NDArray[np.float64]
    missing: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of targets of each regulator."""
        return np.diff(self.indptr)

    @property
    def owner(self) -> NDArray[np.int64]:
        """Regulon of each edge."""
        return np.repeat(np.arange(len(self.names)), self.sizes)

    def edges(self, regulon: int) -> slice:
        """Edges of one regulon."""
        return slice(int(self.indptr[regulon]), int(self.indptr[regulon + 1]))

    def arrays(self) -> dict[str, Any]:
        """Arguments of the kernels of enrichment."""
        return {
            "indptr": self.indptr,
            "targets": self.targets,
            "mode": self.mode,
            "likelihood": self.likelihood,
        }

    def take(self, edges: NDArray[np.bool_], likelihood: NDArray[np.float64]) -> Regulons:
        """The same regulons with some of the edges and other likelihoods."""
        sizes = np.bincount(self.owner[edges], minlength=len(self.names))
        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            targets=self.targets[edges],
            mode=self.mode[edges],
            likelihood=likelihood[edges],
        )


def networks_of(network: Any, adata: AnnData) -> dict[str, Network]:
    """The networks passed to a run, by name; a key may hold one network per group."""
    if isinstance(network, Mapping) and not are_gene_sets(network):
        named = dict(network)
    elif isinstance(network, Sequence) and not isinstance(network, str | os.PathLike):
        named = {f"network {number + 1}": one for number, one in enumerate(network)}
    else:
        named = {network if isinstance(network, str) else "network": network}
    if not named:
        raise InputError("There is no network. Give at least one.")
    found: dict[str, Network] = {}
    for name, one in named.items():
        parts = _by_group(one, adata)
        for group, part in parts.items():
            if len(parts) < 2:
                label = str(name)
            else:
                label = str(group) if len(named) == 1 else f"{name}: {group}"
            found[label] = part
    return found


def _by_group(network: Any, adata: AnnData) -> dict[str | None, Network]:
    """The networks of a key, a table or a file by group; of None if there are no groups."""
    if isinstance(network, str | os.PathLike) and (
        not isinstance(network, str) or is_file(network)
    ):
        from pysces.data.read import networks_of_file

        return networks_of_file(network)
    groups: list[str] = []
    if isinstance(network, pd.DataFrame):
        groups = groups_of(network)
    elif isinstance(network, str):
        groups = groups_in(adata, network)
    return {group: as_network(network, adata, group=group) for group in groups or (None,)}


def kept_edges(network: Any, networks: Mapping[str, Network]) -> pd.DataFrame | None:
    """Edges to store with a result, for plots; None if the network is stored under a key."""
    if isinstance(network, str) and not is_file(network):
        return None
    if len(networks) > 1:
        return grouped_edges(networks)
    return next(iter(networks.values())).to_dataframe()


def align(
    network: Network,
    genes: pd.Index,
    *,
    min_targets: int = 10,
    filter_genes: bool = True,
    size: SizeRule = "count",
    edge_likelihood: NDArray[np.float64] | None = None,
) -> Regulons:
    """Align the regulons of a network with the genes of a matrix.

    Parameters
    ----------
    network
        Regulons with modes and likelihoods.
    genes
        Names of the columns of the matrix.
    min_targets
        Minimum number of measured targets of a regulon; smaller regulons are left out.
    filter_genes
        Rank only genes that the network names (as target or regulator), as R's ``eset.filter``.
    size
        Size that is compared with ``min_targets``: the number of targets, or the sum of
        (l / max l)^2 (adaptive size in R's viper) or of l / max l (adaptive size in R's msviper).
    edge_likelihood
        Likelihood of each edge, instead of that in the network.

    Raises
    ------
    InputError
        If gene names are not unique, or no regulon is left.
    """
    check_unique_genes(genes)
    edges = network.to_dataframe()
    mode, likelihood = network.mode_and_likelihood()
    if edge_likelihood is not None:
        likelihood = edge_likelihood
    names = network.regulators
    named = genes.isin(network.targets) | genes.isin(names)
    columns = np.flatnonzero(named) if filter_genes else np.arange(len(genes))
    columns = columns[np.argsort(genes[columns].to_numpy().astype(str), kind="stable")]
    kept_genes = genes[columns]
    owner = edges["source"].cat.codes.to_numpy().astype(np.int64)
    at = kept_genes.get_indexer(edges["target"].cat.categories)
    target = at[edges["target"].cat.codes.to_numpy()]
    measured = target >= 0
    missing = np.bincount(owner[~measured], minlength=len(names))
    sizes = _sizes(owner[measured], likelihood[measured], len(names), size)
    large = sizes >= max(min_targets, 1 if size == "count" else 1e-300)
    if not large.any():
        raise InputError(_nothing_left(network, genes, sizes, min_targets))
    kept = measured & large[owner]
    _check_sizes(np.abs(mode[kept]), owner[kept], names)
    order = np.lexsort((target[kept], owner[kept]))
    counts = np.bincount(owner[kept], minlength=len(names))[large]
    likelihood = _usable(likelihood[kept], owner[kept], len(names))
    _say(large, missing, min_targets)
    return Regulons(
        names=names[large],
        columns=columns,
        genes=kept_genes,
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        targets=target[kept][order].astype(np.int32),
        mode=mode[kept][order],
        likelihood=likelihood[order],
        missing=missing[large],
    )


def _usable(
    likelihood: NDArray[np.float64], owner: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Likelihoods whose squares do not overflow; 1 if all likelihoods of a regulon are 0.

    Only ratios within a regulon matter, so very large or small ones are scaled by a power of two.
    """
    largest = np.zeros(n)
    np.maximum.at(largest, owner, likelihood)
    exponent = np.frexp(largest)[1]
    extreme = np.where(np.abs(exponent) > _ORDINARY, exponent, 0)
    return np.where(largest[owner] > 0, np.ldexp(likelihood, -extreme[owner]), 1.0)


def _sizes(
    owner: NDArray[np.int64], likelihood: NDArray[np.float64], n: int, rule: SizeRule
) -> NDArray[Any]:
    """Size of each regulon."""
    if rule == "count":
        return np.bincount(owner, minlength=n)
    largest = np.zeros(n)
    np.maximum.at(largest, owner, likelihood)
    share = np.divide(likelihood, largest[owner], where=largest[owner] > 0, out=0 * likelihood)
    return np.bincount(owner, weights=share**2 if rule == "squares" else share, minlength=n)


def _check_sizes(size: NDArray[np.float64], owner: NDArray[np.int64], names: pd.Index) -> None:
    """Raise InputError for regulons with modes so small that their digits are lost."""
    largest = np.zeros(len(names))
    np.maximum.at(largest, owner, size)
    tiny = (largest > 0) & (largest < SMALLEST_MODE)
    if tiny.any():
        raise InputError(
            f"All modes of regulation (mor) of {tiny.sum()} of {len(names)} regulators are smaller "
            f"than {SMALLEST_MODE:g}: {listed(names[tiny], 3)}. Modes lie between -1 and 1: divide "
            "them by their largest size, or set them to 0 if the direction is unknown."
        )


def _nothing_left(network: Network, genes: pd.Index, sizes: NDArray[Any], min_targets: int) -> str:
    if len(network) == 0:
        return "The network has no edges. Infer one with `pysces.run_aracne(adata)`."
    if sizes.max(initial=0) == 0:
        return (
            "No target of the network is among the genes of the data. "
            f"Targets: {listed(network.targets, 3)}; genes: {listed(genes, 3)}. "
            "Use the same kind of gene names in both; if those of the network are in a column of "
            ".var, pass it as gene_symbols=."
        )
    return (
        f"No regulon has at least {min_targets} measured targets; the largest has "
        f"{sizes.max():.4g}. Lower min_targets, or use a larger network."
    )


def _say(large: NDArray[np.bool_], missing: NDArray[np.int64], min_targets: int) -> None:
    if missing.any():
        log.info(
            "%d targets of %d regulons are not among the genes; ignoring them.",
            missing.sum(),
            np.count_nonzero(missing),
        )
    if not large.all():
        log.info(
            "%d of %d regulons have fewer than %d measured targets; ignoring them.",
            np.count_nonzero(~large),
            len(large),
            min_targets,
        )
