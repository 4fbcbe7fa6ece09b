"""Extract activities as a separate AnnData: :func:`activity`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import pandas as pd

from pysces._keys import ActivityResult, read, slots

if TYPE_CHECKING:
    from anndata import AnnData


def activity(adata: AnnData, key: str = "viper") -> AnnData:
    """Extract activities as a separate AnnData, cells x regulators.

    The result can be passed to Scanpy's tools and plots: ``sc.pp.neighbors(act, use_rep="X")``,
    ``sc.tl.leiden``, ``sc.pl.umap(act, color="MYC")``.

    Parameters
    ----------
    adata
        Data with activities from :func:`run_viper`.
    key
        Key of the activities (``key_added`` of :func:`run_viper`).

    Returns
    -------
    AnnData
        ``X``: NES. ``layers``: ``"pvalues"``, ``"qvalues"``, ``"pes"``, ``"sd"``, if computed.
        ``var``: numbers of targets of the regulators. ``obs`` and other ``obsm`` are copied.

    Raises
    ------
    MissingKeyError
        If there are no activities under the key.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(20, 40)))
    >>> adata.var_names = [f"gene{i}" for i in range(40)]
    >>> edges = pd.DataFrame({"source": ["A"] * 12 + ["B"] * 12, "target": adata.var_names[:24]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.activity(adata).shape
    (20, 2)
    """
    found = read(ActivityResult, adata, key)
    nes = found.nes
    var = pd.DataFrame(index=nes.columns.astype(str))
    if found.regulators is not None:
        var = found.regulators.reindex(var.index)
    own = {place for attribute, place, _ in slots(ActivityResult, key).values()}
    result = ad.AnnData(
        X=nes.to_numpy(copy=True),
        obs=adata.obs.copy(),
        var=var,
        obsm={name: value.copy() for name, value in adata.obsm.items() if name not in own},
        uns={name: value for name, value in adata.uns.items() if name.endswith("_colors")},
    )
    for name in ("pvalues", "qvalues", "pes", "sd"):
        if (table := getattr(found, name)) is not None:
            result.layers[name] = table.to_numpy(copy=True)
    result.uns.update(found.record.entries())
    return result
