"""Metacells where scikit-learn is absent."""

from __future__ import annotations

import sys

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

import pysces
from pysces.errors import PyscesError


@pytest.fixture
def adata(monkeypatch: pytest.MonkeyPatch) -> anndata.AnnData:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    rng = np.random.default_rng(0)
    return anndata.AnnData(rng.poisson(0.7, size=(40, 20)).astype(np.float32))


@pytest.mark.parametrize("use_rep", [None, "X_pca"])
def test_the_error_names_the_extra(adata, use_rep) -> None:
    adata.obsm["X_pca"] = np.random.default_rng(1).normal(size=(40, 3))
    if use_rep is None:
        del adata.obsm["X_pca"]
    with pytest.raises(PyscesError, match=r"scikit-learn .*pip install 'pysces-grn\[samples\]'"):
        pysces.metacells(adata, n_cells=4, use_rep=use_rep)


def test_a_graph_of_neighbours_is_enough(adata) -> None:
    ring = sp.diags_array([1.0, 1.0], offsets=[1, -1], shape=(40, 40))
    adata.obsp["connectivities"] = sp.csr_matrix(ring)
    assert pysces.metacells(adata, n_cells=2, obsp="connectivities").n_obs > 10
