"""Barcode plot of the results of msVIPER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysces._keys import MastersResult, read
from pysces._parameters import checked
from pysces.pl._style import label, network_of_run
from pysces.pl.barcode import barcode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

    from pysces.network import Network


@checked()
def msviper_barcode(
    adata: AnnData,
    regulators: str | Sequence[str] | None = None,
    *,
    key: str = "msviper",
    network: Network | pd.DataFrame | str | None = None,
    group: str | None = None,
    n_regulators: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw the master regulators of a difference between groups in its signature.

    Parameters
    ----------
    adata
        Data with master regulators from `pysces.run_msviper`.
    regulators
        Regulators from top to bottom; by default the first ones of the results.
    key
        Key of the result (``key_added``).
    network
        The network or its key; ``None`` for the network of the run.
    group
        Group whose network to draw, if it differs from that of the run (``network_group``).
    n_regulators, ax
        As in `pysces.pl.barcode`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingKeyError
        If there are no master regulators under the key, or if their network was deleted.
    InputError
        If a regulator is not in the network.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(20, 12)))
    >>> adata.var_names = [f"gene{number}" for number in range(12)]
    >>> adata.obs["arm"] = ["treated", "control"] * 10
    >>> edges = pd.DataFrame({"source": "gene0", "target": adata.var_names[1:]})
    >>> pysces.run_msviper(adata, "arm", "treated", network=edges, n_permutations=0)
    >>> pysces.pl.msviper_barcode(adata, network=pysces.Network(edges)).get_title()
    'treated against rest'
    """
    found = read(MastersResult, adata, key)
    signature = found.signature.set_index("gene")["z"]
    scores = found.results.set_index("regulator")["nes"]
    scores.index = scores.index.astype(str)
    network = network_of_run(adata, found, network, group)
    if regulators is None:  # the results are ordered by significance
        order = scores.iloc[:n_regulators].sort_values(ascending=False)
        regulators = order.index.tolist()
    ax = barcode(signature, network, regulators, scores=scores, ax=ax)
    options = found.record.options
    title = f"{label(options['group'], 30)} against {label(options['reference'], 30)}"
    ax.set_title(title, fontsize=11)
    return ax
