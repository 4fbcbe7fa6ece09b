"""Convert expression and activity to a MuData of two modalities."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING

from pysces._parameters import checked
from pysces.errors import PyscesError
from pysces.viper.activity import activity

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData


@checked()
def to_mudata(adata: AnnData, key: str = "viper") -> MuData:
    """Convert expression and activity to two modalities of one MuData, e.g. for muon.

    Parameters
    ----------
    adata
        Cells x genes, with activities from :func:`run_viper`.
    key
        Key of the activities (``key_added`` of :func:`run_viper`).

    Returns
    -------
    mudata.MuData
        Modality ``"rna"`` is ``adata`` itself (no copy). The other modality, named after the key,
        is the result of :func:`activity` (cells x regulators, NES).

    Raises
    ------
    MissingKeyError
        If there are no activities under the key.
    PyscesError
        If mudata is not installed.

    References
    ----------
    Bredikhin, Kats and Stegle 2022, Genome Biology 23:42 (MuData).

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd, pysces
    >>> rng = np.random.default_rng(0)
    >>> adata = anndata.AnnData(rng.normal(size=(20, 40)))
    >>> adata.var_names = [f"gene{i}" for i in range(40)]
    >>> edges = pd.DataFrame({"source": ["A"] * 12 + ["B"] * 12, "target": adata.var_names[:24]})
    >>> pysces.run_viper(adata, edges)
    >>> pysces.to_mudata(adata)["viper"].shape  # needs the package mudata
    (20, 2)
    """
    second = activity(adata, key)
    try:
        mudata = importlib.import_module("mudata")
    except ImportError as error:
        raise PyscesError(
            f"to_mudata needs the package mudata ({error}). Install it with: pip install mudata"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about future defaults of MuData
        return mudata.MuData({"rna": adata, "rna activity" if key == "rna" else key: second})
