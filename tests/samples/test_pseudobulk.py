"""Pseudobulk: sums and means of groups, their depth, what is refused."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import pysces
from pysces.errors import InputError


def _cells(n_cells: int = 240) -> anndata.AnnData:
    """Sparse counts of three types and two patients, with the totals over more genes."""
    rng = np.random.default_rng(0)
    adata = anndata.AnnData(sp.csr_matrix(rng.poisson(0.7, (n_cells, 30)).astype(np.float32)))
    adata.obs_names = [f"cell{i}" for i in range(n_cells)]
    adata.obs["type"] = pd.Categorical(rng.choice(["B", "NK", "T"], n_cells))
    adata.obs["patient"] = np.repeat(["a", "b"], n_cells // 2)
    adata.obs["total_counts"] = rng.integers(500, 3000, size=n_cells).astype(float)
    return adata


def _needs(engine: str) -> None:
    row = next(row for row in pysces.status().engines if row.engine == engine)
    if not row.available:
        pytest.skip(row.reason)


def _same(first: anndata.AnnData, second: anndata.AnnData) -> None:
    """Bit-identical."""
    pd.testing.assert_frame_equal(first.obs, second.obs)
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.layers["counts"], second.layers["counts"])
    cells = [one.uns["pseudobulk"]["cells"] for one in (first, second)]
    pd.testing.assert_frame_equal(*cells)


@pytest.mark.parametrize("engine", ["python", "numba", "mlx"])
def test_pseudobulk_sums_all_cells_of_a_group(engine: str, tmp_path: Path) -> None:
    _needs(engine)
    adata = _cells()
    pooled = pysces.pseudobulk(adata, ["patient", "type"], engine=engine)
    keys = adata.obs["patient"].astype(str) + "-" + adata.obs["type"].astype(str)
    expected = pd.DataFrame(adata.X.toarray(), index=adata.obs_names).groupby(keys).sum()
    assert pooled.obs_names.tolist() == sorted(keys.unique())
    np.testing.assert_array_equal(pooled.layers["counts"], expected.loc[pooled.obs_names])
    assert pooled.obs["n_cells"].to_dict() == keys.value_counts().to_dict()
    cells = pooled.uns["pseudobulk"]["cells"]["group"].astype(str)
    assert cells.to_dict() == keys.to_dict()
    order = np.random.default_rng(0).permutation(adata.n_obs)
    _same(pysces.pseudobulk(adata[order], ["patient", "type"]), pooled)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    _same(pysces.pseudobulk(backed, ["patient", "type"]), pooled)
    backed.file.close()


def test_pseudobulk_averages_values_and_names_the_groups_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    adata = _cells()
    adata.obs["type"] = adata.obs["type"].cat.add_categories(["rare"])
    adata.obs.loc[adata.obs_names[:4], "type"] = "rare"
    adata.obs.loc[adata.obs_names[4:9], "type"] = np.nan
    with caplog.at_level("WARNING", "pysces"):
        pooled = pysces.pseudobulk(adata, "type", func="mean")
    assert "'rare (4)'" in caplog.text
    assert pooled.obs_names.tolist() == ["B", "NK", "T"]
    expected = pd.DataFrame(adata.X.toarray()).groupby(adata.obs["type"].to_numpy()).mean()
    np.testing.assert_allclose(pooled.X, expected.loc[pooled.obs_names], rtol=1e-6)
    assert pooled.uns["pseudobulk"]["params"]["n_left_over"] == 9
    with pytest.raises(InputError, match="None of the 4 groups of 'type' has 1000 cells"):
        pysces.pseudobulk(adata, "type", min_cells=1000)
    with pytest.raises(InputError, match="groupby= is empty"):
        pysces.pseudobulk(adata, [])


@pytest.mark.parametrize("engine", ["python", "numba", "mlx"])
def test_sums_beyond_24_bits_are_exact(engine: str) -> None:
    _needs(engine)
    counts = np.random.default_rng(1).integers(2**22, 2**24, size=(240, 30))
    adata = _cells()
    adata.X = counts.astype(np.float32)
    pooled = pysces.pseudobulk(adata, "patient", engine=engine)
    exact = np.stack([counts[:120].sum(axis=0), counts[120:].sum(axis=0)])
    assert (exact > 2**24).all()
    np.testing.assert_array_equal(pooled.layers["counts"].astype(np.int64), exact)


# --- depth ----------------------------------------------------------------------------------------


def test_pseudobulk_keeps_the_depth_over_all_genes() -> None:
    adata = _cells()
    pooled = pysces.pseudobulk(adata, "patient")
    expected = adata.obs.groupby("patient")["total_counts"].sum()
    assert pooled.obs["total_counts"].to_dict() == expected.to_dict()


def test_means_and_cells_without_totals_have_no_depth() -> None:
    adata = _cells()
    assert "total_counts" not in pysces.pseudobulk(adata, "patient", func="mean").obs
    del adata.obs["total_counts"]
    assert "total_counts" not in pysces.pseudobulk(adata, "patient").obs


# --- errors ---------------------------------------------------------------------------------------


def test_pseudobulk_says_which_names_are_its_own() -> None:
    adata = _cells()
    adata.obs["n_cells"] = adata.obs["purity"] = adata.obs["type"].to_numpy()
    with pytest.raises(InputError, match=r"groupby='n_cells' .*Rename"):
        pysces.pseudobulk(adata, ["type", "n_cells"])
    assert set(pysces.pseudobulk(adata, "purity").obs["purity"]) == {"B", "NK", "T"}


@pytest.mark.parametrize("groupby", [None, 3, {"type": 1}, b"type", [None], [["type"]]])
def test_pseudobulk_wants_names_of_columns(groupby) -> None:
    with pytest.raises(InputError, match="'groupby' parameter must be a str or a list of names"):
        pysces.pseudobulk(_cells(), groupby)


def test_pseudobulk_takes_any_sequence_of_names() -> None:
    adata = _cells()
    expected = pysces.pseudobulk(adata, "type").obs
    for given in (("type",), pd.Index(["type"]), np.array(["type"])):
        pd.testing.assert_frame_equal(pysces.pseudobulk(adata, given).obs, expected)


def test_cells_that_all_miss_a_group_are_told() -> None:
    adata = _cells()
    adata.obs["type"] = pd.Categorical([None] * adata.n_obs, categories=["a"])
    with pytest.raises(InputError, match="No cell has a group"):
        pysces.pseudobulk(adata, "type")


@pytest.mark.parametrize("function", ["metacells", "pseudobulk", "run_aracne"])
def test_a_table_is_no_anndata(function) -> None:
    table = pd.DataFrame({"a": [1.0, 2.0]})
    given = {} if function == "run_aracne" else {"groupby": "a"}
    with pytest.raises(pysces.InputError, match=r"must be an AnnData\. Got DataFrame"):
        getattr(pysces, function)(table, **given)


def test_pseudobulk_wants_each_column_once() -> None:
    with pytest.raises(InputError, match="names a column twice"):
        pysces.pseudobulk(_cells(), ["type", "type"])
