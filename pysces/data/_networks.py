"""Networks as they are passed to a function: objects, tables, gene sets, files, keys."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pandas as pd

from pysces._messages import listed
from pysces.data.read import read_network
from pysces.errors import InputError
from pysces.network import Network

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("pysces")

_COLLECTIONS = (list, tuple, set, frozenset, pd.Index, pd.Series, np.ndarray)


def as_network(network: Any, adata: AnnData | None = None, *, group: str | None = None) -> Network:
    """A network from a `Network`, a table, gene sets, a path, or a key of an AnnData (and group).

    Raises
    ------
    InputError
        If it is none of these, or a group is given for a single network.

    Examples
    --------
    >>> as_network({"MYC": ["MAX", "NCL"]}).targets_of("MYC")
    ['MAX', 'NCL']
    """
    if isinstance(network, Network) or are_gene_sets(network):
        if group is not None:
            raise InputError("This is a single network, not one per group. Leave out the group.")
        return network if isinstance(network, Network) else _of_gene_sets(network)
    if isinstance(network, pd.DataFrame):
        return Network.from_dataframe(network, group=group)
    if isinstance(network, str) and adata is not None and not is_file(network):
        if Path(network).suffix and network not in adata.uns:
            raise InputError(
                f"{network!r} is neither a file nor a key of adata.uns: {listed(adata.uns)}."
            )
        return Network.from_anndata(adata, network, group=group)
    if isinstance(network, str | os.PathLike):
        return read_network(network, group=group)
    raise InputError(
        "network must be a key, a Network, a DataFrame of edges, a dict of gene sets or a path. "
        f"Got {network!r:.80}."
    )


def are_gene_sets(network: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether this is a dict of lists of genes, by the name of their regulator or set."""
    if not isinstance(network, Mapping) or not network:
        return False
    return all(
        isinstance(genes, _COLLECTIONS) and all(isinstance(gene, str) for gene in genes)
        for genes in network.values()
    )


def _of_gene_sets(sets: Mapping[str, Any]) -> Network:
    """One edge from each name to each of its genes, without sign or weight."""
    unique = {str(name): list(dict.fromkeys(genes)) for name, genes in sets.items()}
    if empty := [name for name, genes in unique.items() if not genes]:
        log.warning("Gene sets without genes: %s.", listed(empty))
    source = [name for name, genes in unique.items() for _ in genes]
    target = [str(gene) for genes in unique.values() for gene in genes]
    return Network(pd.DataFrame({"source": source, "target": target}))


def named_network(network: Any) -> str:
    """Description of a network for the run record: its key or path."""
    return os.fspath(network) if isinstance(network, str | os.PathLike) else "given"


def is_file(text: str) -> bool:
    """Whether a text is the path of a file, not a key."""
    return Path(text).suffix != "" and Path(text).exists()
