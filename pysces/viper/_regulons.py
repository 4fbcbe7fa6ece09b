"""Regulons laid out for the kernels: targets as columns of a matrix, in one order of genes.

Genes go to the kernels sorted by name. Sums over a regulon's targets and the places of tied genes
then don't depend on the order of the genes in the data, so neither does any score.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pysces._checks import check_unique_genes
from pysces._messages import listed
from pysces.data._results import grouped_edges
from pysces.errors import InputError
from pysces.network import Network, groups_in

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("pysces")

_ORDINARY = 32  # exponents of likelihoods up to this, either way, are left alone

SizeRule = Literal["count", "squares", "sum"]


@dataclass(frozen=True)
class Regulons:
    """Regulons over the genes of one matrix.

    Attributes
    ----------
    names
        Regulators, in the order of the network.
    columns
        Columns of the matrix that take part, in the order of the gene names.
    genes
        Their names.
    indptr, targets, mode, likelihood
        Regulon r has the edges ``indptr[r] ... indptr[r + 1]``; ``targets`` index ``genes``.
    missing
        Targets of each regulator that the matrix doesn't have.
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
        """Targets of each regulator."""
        return np.diff(self.indptr)

    @property
    def owner(self) -> NDArray[np.int64]:
        """Regulon of each edge."""
        return np.repeat(np.arange(len(self.names)), self.sizes)

    def edges(self, regulon: int) -> slice:
        """Edges of one regulon."""
        return slice(int(self.indptr[regulon]), int(self.indptr[regulon + 1]))

    def arrays(self) -> dict[str, Any]:
        """What the kernels of enrichment take."""
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


def as_network(network: Any, adata: AnnData | None = None, *, group: str | None = None) -> Network:
    """A network from a `Network`, a table of edges, a path, or a key of an AnnData; of a group."""
    if isinstance(network, Network):
        if group is not None:
            raise InputError("The network is one, not those of groups. Leave out the group.")
        return network
    if isinstance(network, pd.DataFrame):
        return Network.from_dataframe(network, group=group)
    if isinstance(network, str) and adata is not None and not _is_file(network):
        if Path(network).suffix and network not in adata.uns:
            raise InputError(
                f"{network!r} is neither a file nor a key of adata.uns: {listed(adata.uns)}."
            )
        return Network.from_anndata(adata, network, group=group)
    if isinstance(network, str | os.PathLike):
        from pysces.data.read import read_network

        return read_network(network, group=group)
    raise InputError(
        f"network must be a key, a Network, a DataFrame of edges or a path. Got {network!r:.80}."
    )


def networks_of(network: Any, adata: AnnData) -> dict[str, Network]:
    """The networks that a run is given, by name; those of all groups under a key."""
    if isinstance(network, Mapping):
        named = dict(network)
    elif isinstance(network, Sequence) and not isinstance(network, str | os.PathLike):
        named = {f"network {number + 1}": one for number, one in enumerate(network)}
    else:
        named = {network if isinstance(network, str) else "network": network}
    if not named:
        raise InputError("There is no network. Give at least one.")
    found: dict[str, Network] = {}
    for name, one in named.items():
        groups = groups_in(adata, one) if isinstance(one, str) else []
        for group in groups:
            label = group if len(named) == 1 else f"{name}: {group}"
            found[label] = Network.from_anndata(adata, one, group=group)
        if not groups:
            found[str(name)] = as_network(one, adata)
    return found


def named_network(network: Any) -> str:
    """What a run record says of the network that was passed: its key or path."""
    return os.fspath(network) if isinstance(network, str | os.PathLike) else "given"


def kept_edges(network: Any, networks: Mapping[str, Network]) -> pd.DataFrame | None:
    """Edges to keep beside a result, so that plots find them; None for those under a key."""
    if isinstance(network, str) and not _is_file(network):
        return None
    if len(networks) > 1:
        return grouped_edges(networks)
    return next(iter(networks.values())).to_dataframe()


def _is_file(text: str) -> bool:
    return Path(text).suffix != "" and Path(text).exists()


def align(
    network: Network,
    genes: pd.Index,
    *,
    min_targets: int = 10,
    filter_genes: bool = True,
    size: SizeRule = "count",
    edge_likelihood: NDArray[np.float64] | None = None,
) -> Regulons:
    """Lay the regulons of a network out over the genes of a matrix.

    Parameters
    ----------
    network
        Regulons with modes and likelihoods.
    genes
        Names of the columns of the matrix.
    min_targets
        Fewest measured targets of a regulon that is kept.
    filter_genes
        Rank only genes that the network names (as target or regulator), as R's ``eset.filter``.
    size
        What counts against ``min_targets``: the targets, or the sum of (l / max l)^2 (what R's
        viper calls adaptive size) or of l / max l (what its msviper calls so).
    edge_likelihood
        Likelihood of each edge instead of the network's own.

    Raises
    ------
    InputError
        If gene names repeat, or no regulon is left.
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
    """Likelihoods whose squares are numbers; equal ones in a regulon that has none but 0.

    Only a regulon's own ratios count, so huge and tiny ones are scaled by a power of two.
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


def _nothing_left(network: Network, genes: pd.Index, sizes: NDArray[Any], min_targets: int) -> str:
    if len(network) == 0:
        return "The network has no edges. Infer one with `pysces.run_aracne(adata)`."
    if sizes.max(initial=0) == 0:
        return (
            "No target of the network is among the genes of the data. "
            f"Targets: {listed(network.targets, 3)}; genes: {listed(genes, 3)}. "
            "Use the same kind of gene names in both."
        )
    return (
        f"No regulon has at least {min_targets} measured targets; the largest has "
        f"{sizes.max():.4g}. Lower min_targets, or use a larger network."
    )


def _say(large: NDArray[np.bool_], missing: NDArray[np.int64], min_targets: int) -> None:
    if missing.any():
        log.info(
            "%d targets of %d regulons aren't among the genes; they are left out.",
            missing.sum(),
            np.count_nonzero(missing),
        )
    if not large.all():
        log.info(
            "%d of %d regulons have fewer than %d measured targets; they are left out.",
            np.count_nonzero(~large),
            len(large),
            min_targets,
        )
