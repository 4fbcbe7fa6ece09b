"""Barcode plot of the regulators of a single cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pysces._keys import ActivityResult, SignatureResult, read
from pysces._messages import listed
from pysces._parameters import checked
from pysces.data._inputs import gene_names
from pysces.errors import InputError
from pysces.pl._style import label, network_of_run
from pysces.pl.barcode import barcode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from pysces._record import RunRecord
    from pysces.network import Network


@checked()
def viper_barcode(
    adata: AnnData,
    cell: str,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = "viper",
    layer: str = "signature",
    network: Network | pd.DataFrame | str | None = None,
    group: str | None = None,
    n_regulators: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw the targets of the regulators of one cell in the signature of the cell.

    Parameters
    ----------
    adata
        Data with results of `pysces.run_viper` and `pysces.compute_signature`.
    cell
        Name of the cell.
    regulators
        Regulators from top to bottom; by default those with the largest absolute activities.
    key
        Key of the activities.
    layer
        Layer of the signature.
    network
        The network or its key; ``None`` for the network of the run.
    group
        Group whose network to draw, if there are several; by default that of the cell's group, if
        the run scored each cell by the network of its group.
    n_regulators, ax
        As in `pysces.pl.barcode`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingKeyError
        If the activities, the signature or the network does not exist.
    InputError
        If the cell or a regulator does not exist.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.compute_signature(adata)
    >>> pysces.pl.viper_barcode(adata, "7", network=pysces.Network(edges)).get_title()
    'cell 7'
    """
    found = read(ActivityResult, adata, key)
    layers = read(SignatureResult, adata, layer).values
    if cell not in adata.obs_names:
        raise InputError(
            f"Did not find the cell {cell!r}. Cells: {listed(adata.obs_names, most=3)}."
        )
    row = adata.obs_names.get_loc(cell)
    values = layers[[row]]
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    names = gene_names(adata, found.record.options.get("gene_symbols"))
    signature = pd.Series(values.ravel(), index=names.astype(str))
    scores = found.nes.iloc[row]
    if group is None and network is None:
        group = _own_group(adata, cell, found.record)
    network = network_of_run(adata, found, network, group)
    ax = barcode(signature, network, regulators, scores=scores, n_regulators=n_regulators, ax=ax)
    ax.set_title(f"cell {label(cell, 40)}", fontsize=11)
    return ax


def _own_group(adata: AnnData, cell: str, record: RunRecord) -> str | None:
    """The group whose network the run used for a cell; None if it used one network for all."""
    column, networks = record.options.get("groupby"), list(record.facts.get("networks", ()))
    if column not in adata.obs or len(networks) < 2:
        return None
    own = str(adata.obs.at[cell, column])
    return own if own in networks else None
