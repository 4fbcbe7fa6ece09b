"""Expression and activity side by side: a MuData of two modalities."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING

from pysces.errors import PyscesError
from pysces.viper.activity import activity

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData


def to_mudata(adata: AnnData, key: str = "viper") -> MuData:
    """Expression and activity as two modalities of one MuData, for muon and its relatives.

    Parameters
    ----------
    adata
        Cells x genes, on which :func:`run_viper` ran.
    key
        Its ``key_added``.

    Returns
    -------
    mudata.MuData
        Modality ``"rna"`` is ``adata`` itself (no copy), the other, named after the key, is
        :func:`activity` (cells x regulators, NES).

    Raises
    ------
    MissingKeyError
        If there is no activity under the key.
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
        warnings.simplefilter("ignore", FutureWarning)  # of MuData's coming defaults
        return mudata.MuData({"rna": adata, "rna activity" if key == "rna" else key: second})
