"""Embed the regulators and targets of a network, with the result in an AnnData."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysces._checks import check_one_of
from pysces._keys import EmbeddingResult
from pysces._messages import listed
from pysces._parameters import Range, checked
from pysces._record import RunRecord
from pysces.data import _results
from pysces.embedding.embed_network import Embedding, as_network, embed
from pysces.errors import InputError
from pysces.network import Network
from pysces.settings import EngineName

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("pysces")


@checked(n_components=Range(1, 10_000), regularisation=Range(0, 1e9))
def embed_regulators(
    adata: AnnData,
    *,
    network: str | Network | pd.DataFrame = "aracne",
    group: str | None = None,
    n_components: int = 16,
    regularisation: float = 1.0,
    seed: int = 0,
    engine: EngineName | None = None,
    key_added: str = "regulon_embedding",
    copy: bool = False,
) -> AnnData | None:
    """Embed the regulators and targets of a network in a few dimensions by their effects.

    Regulators with the same effect on the same targets have the same direction; an activator and a
    repressor of the same targets have opposite directions. See :func:`pysces.embed_network` for the
    method, and :func:`pysces.regulator_neighbours` and ``pysces.pl.embedding`` for its use.

    Parameters
    ----------
    adata
        Cells x genes. Its expression is not used.
    network
        Key of a network in ``adata.uns``, a `Network`, or a DataFrame of edges.
    group
        Group of the network, if the key holds one per group (``run_aracne(groupby=...)``).
    n_components
        Number of dimensions.
    regularisation
        Shrinks genes with few and weak edges towards the origin; 0 for none.
    seed
        Seed of the start vectors of the iteration.
    engine
        ``"mlx"``, ``"numba"`` or ``"python"``; ``None`` for the fastest that is available.
    key_added
        Key of the result.
    copy
        Return a copy of ``adata`` with the result instead of changing it.

    Returns
    -------
    ``None``, or the copy. Sets:

    ``adata.varm[key_added]``
        Coordinates, an array genes x components (float64, without unit); NaN for a gene that is not
        in the network.
    ``adata.uns[key_added]``
        ``["eigenvalues"]`` and ``["residuals"]`` of the components; ``["regulons"]``, a table of
        the regulators with ``n_targets`` and ``n_targets_positive`` (those activated);
        ``["params"]``: arguments, engine, version.

    Raises
    ------
    InputError
        If an argument is invalid, or the network has no edges or no gene of the data; nothing is
        written then.
    MissingKeyError
        If there is no network under the key.
    EngineUnavailable
        If an engine is given by name and cannot run on this machine.

    References
    ----------
    Kunegis et al. 2010, Spectral analysis of signed graphs for clustering, prediction and
    visualization (SIAM Data Mining). Qin and Rohe 2013 (NeurIPS): the regularisation.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.ones((2, 5)))
    >>> adata.var_names = ["TF1", "TF2", "A", "B", "C"]
    >>> edges = {"source": ["TF1"] * 2 + ["TF2"] * 2, "target": ["A", "B"] * 2}
    >>> pysces.embed_regulators(adata, network=pd.DataFrame(edges), n_components=2)
    >>> adata.varm["regulon_embedding"].shape
    (5, 2)
    >>> bool(np.isnan(adata.varm["regulon_embedding"][4]).all())
    True
    """
    _results.check_target(adata, copy)
    _results.check_free(adata, key_added, EmbeddingResult)
    named = network if isinstance(network, str) else None
    if named is None:
        check_one_of("group", group, [None])
        used = as_network(network)
    else:
        used = Network.from_anndata(adata, named, group=group)
    arguments = {
        "n_components": n_components,
        "regularisation": regularisation,
        "seed": seed,
    }
    _check_genes(used, adata.var_names)
    found = embed(used, engine=engine, **arguments)  # type: ignore[arg-type]
    options = {
        **arguments,
        "network": "given" if named is None else named,
        "group": group,
    }
    record = RunRecord("embed_regulators", options, {}, found.engine)
    result = EmbeddingResult(
        coordinates=_of_genes(found, adata.var_names),
        eigenvalues=found.spectrum.values,
        residuals=found.spectrum.residuals,
        regulons=_regulons(used, adata.var_names),
        record=record,
    )
    target = adata.copy() if copy else adata
    _results.write(target, key_added, result)
    return target if copy else None


def _check_genes(network: Network, genes: pd.Index) -> None:
    """Raise InputError unless the genes of an AnnData are unique and some are in the network."""
    if not genes.is_unique:
        repeated = genes[genes.duplicated()].unique()
        raise InputError(
            f"{len(repeated)} gene names occur more than once: {listed(repeated)}. "
            "Make them unique first, with `adata.var_names_make_unique()` or by merging the genes."
        )
    names = network.regulators.append(network.targets).unique()
    absent = names[~names.isin(genes)]
    if len(network) and len(absent) == len(names):
        raise InputError(
            f"No gene of the network is in .var_names. The network has {listed(names, 5)}, "
            f".var_names {listed(genes, 5)}. Use the same kind of names in both."
        )
    if len(absent):
        log.info(
            "Embedding: %d of %d genes of the network are not in .var_names and have no row in "
            ".varm: %s.",
            len(absent),
            len(names),
            listed(absent, 5),
        )


def _of_genes(found: Embedding, genes: pd.Index) -> np.ndarray[Any, Any]:
    """Coordinates of the genes of an AnnData; NaN for those not in the network."""
    at = found.nodes.get_indexer(genes)
    result = np.full((len(genes), found.coordinates.shape[1]), np.nan)
    result[at >= 0] = found.coordinates[at[at >= 0]]
    return result


def _regulons(network: Network, genes: pd.Index) -> pd.DataFrame:
    """Regulators among the genes, with the number of their targets."""
    mode, _ = network.mode_and_likelihood()
    owner = network.to_dataframe()["source"].cat.codes.to_numpy()
    number = len(network.regulators)
    facts = pd.DataFrame(
        {
            "n_targets": np.bincount(owner, minlength=number),
            "n_targets_positive": np.bincount(owner[mode > 0], minlength=number),
        },
        index=network.regulators.astype(str),
    )
    return facts[facts.index.isin(genes)]
