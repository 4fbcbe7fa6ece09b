"""Extract activities as a separate AnnData: :func:`activity`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import pandas as pd

from pysces._keys import ActivityResult, read, slots
from pysces._parameters import checked

if TYPE_CHECKING:
    from anndata import AnnData

PLACES = {"nes": "X"} | {name: f"layers/{name}" for name in ("pvalues", "qvalues", "pes", "sd")}
"""Place of each score in an AnnData of activities."""


@checked()
def activity(adata: AnnData, key: str = "viper") -> AnnData:
    """Extract activities as a separate AnnData, cells x regulators.

    The result can be passed to Scanpy's tools and plots: ``sc.pp.neighbors(act, use_rep="X")``,
    ``sc.tl.leiden``, ``sc.pl.umap(act, color="MYC")``.

    Parameters
    ----------
    adata
        Data with activities from :func:`run_viper`, or what it wrote with ``output=``, which is
        returned as a copy in memory.
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
    uns = getattr(adata, "uns", {})
    if str(uns.get("method")) == ActivityResult.method and key not in uns:
        return adata.to_memory() if adata.isbacked else adata.copy()
    found = read(ActivityResult, adata, key)
    nes = found.nes
    regulators = found.regulators
    if regulators is None:
        regulators = pd.DataFrame(index=nes.columns.astype(str))
    result = without_scores(adata, regulators.reindex(nes.columns.astype(str)), key)
    for name, place in PLACES.items():
        if (table := getattr(found, name)) is not None:
            layer = place.removeprefix("layers/")
            if place == "X":
                result.X = table.to_numpy(copy=True)
            else:
                result.layers[layer] = table.to_numpy(copy=True)
    result.uns.update(found.record.entries())
    return result


def without_scores(adata: AnnData, regulators: pd.DataFrame, key: str) -> AnnData:
    """Everything about cells and regulators that an AnnData of activities has beside scores."""
    own = {place for attribute, place, _ in slots(ActivityResult, key).values()}
    return ad.AnnData(
        obs=adata.obs.copy(),
        var=regulators.rename_axis(None),
        obsm={name: value.copy() for name, value in adata.obsm.items() if name not in own},
        uns={name: value for name, value in adata.uns.items() if name.endswith("_colors")},
    )
