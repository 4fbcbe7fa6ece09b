"""The depth of pooled cells: the sum of the cells' totals, over all of their genes."""

from __future__ import annotations

import anndata
import numpy as np

import pysces


def _cells() -> anndata.AnnData:
    rng = np.random.default_rng(0)
    adata = anndata.AnnData(rng.poisson(2.0, size=(60, 30)).astype(np.float32))
    adata.obs["patient"] = np.repeat(["a", "b"], 30)
    adata.obs["total_counts"] = rng.integers(500, 3000, size=60).astype(float)
    return adata


def test_pseudobulk_keeps_the_depth_over_all_genes() -> None:
    adata = _cells()
    pooled = pysces.pseudobulk(adata, "patient")
    expected = adata.obs.groupby("patient")["total_counts"].sum()
    assert pooled.obs["total_counts"].to_dict() == expected.to_dict()


def test_metacells_keep_the_depth_over_all_genes() -> None:
    adata = _cells()
    pooled = pysces.metacells(adata, n_cells=5, n_pcs=5, n_top_genes=20)
    member = pooled.uns["metacells"]["cells"]["metacell"]
    expected = adata.obs["total_counts"].groupby(member, observed=True).sum()
    assert pooled.obs["total_counts"].to_dict() == expected.to_dict()


def test_means_and_cells_without_totals_have_no_depth() -> None:
    adata = _cells()
    assert "total_counts" not in pysces.pseudobulk(adata, "patient", func="mean").obs
    del adata.obs["total_counts"]
    assert "total_counts" not in pysces.pseudobulk(adata, "patient").obs
