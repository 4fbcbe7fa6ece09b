"""Counts, depth and batches where they could go wrong without a word."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces

# Small data: networks may be empty or unstable, which a warning says
pytestmark = pytest.mark.filterwarnings("ignore::pysces.PyscesWarning")

FAST = {"n_null": 100_000, "n_resamples": 10}


def cells(seed: int = 0, n: int = 300, genes: int = 1100) -> tuple[anndata.AnnData, np.ndarray]:
    """Counts of cells of very unlike depth; g0 represses g1 ... g29."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=n)
    level = np.zeros((n, genes))
    level[:, 0] = hidden
    level[:, 1:30] = -0.6 * hidden[:, None]
    depth = rng.lognormal(0, 1, n)
    counts = rng.poisson(depth[:, None] * np.where(np.arange(genes) < 30, 4, 0.5) * np.exp(level))
    adata = anndata.AnnData(counts.astype(np.float32))
    adata.obs_names = [f"c{i}" for i in range(n)]
    adata.var_names = [f"g{i}" for i in range(genes)]
    return adata, hidden


def test_signs_of_edges_are_given_depth() -> None:
    counts, hidden = cells()
    normalised = counts.copy()
    total = np.asarray(counts.X.sum(axis=1, keepdims=True))
    normalised.X = np.log1p(counts.X / total * 1e4)
    tables = []
    for adata in (counts, normalised):
        pysces.run_aracne(adata, ["g0", "g100"], dpi=False, **FAST)
        table = adata.uns["aracne"]["network"]
        repressed = table["target"].isin([f"g{i}" for i in range(1, 30)])
        own = table[(table["source"] == "g0") & repressed]
        assert len(own) >= 20
        assert (own["mor"] < 0).all()
        assert (own["correlation"] < 0).all()
        pysces.run_viper(adata)
        assert np.corrcoef(adata.obsm["viper"]["g0"], hidden)[0, 1] > 0.8
        tables.append(table)
    pd.testing.assert_frame_equal(*tables, check_categorical=False)


@pytest.mark.parametrize("form", ["log1p", "half"])
def test_counts_that_were_not_normalised_keep_their_depths(form: str) -> None:
    rng = np.random.default_rng(1)
    depth = rng.lognormal(0, 0.7, 300)
    counts = rng.poisson(depth[:, None] * 0.8 * np.exp(rng.normal(0, 0.7, 1100))).astype(float)
    values = np.log1p(counts) if form == "log1p" else counts / 2
    genes = [f"g{i}" for i in range(1100)]
    for given in ({}, {"size_factors": counts.sum(axis=1)}):
        with pytest.warns(pysces.PyscesWarning, match="No edge is significant"):
            network = pysces.infer_network(values, genes[:40], genes=genes, **given, **FAST)
        assert len(network) == 0
        assert network.record.facts["depth_largest"] == counts.sum(axis=1).max()


def test_series_are_taken_by_their_names() -> None:
    adata, _ = cells(n=120)
    adata.obs["depth"] = np.asarray(adata.X.sum(axis=1)).ravel().astype(float)
    adata.obs["donor"] = np.where(np.arange(120) % 3 == 0, "a", "b")
    shuffled = adata.obs.sample(frac=1, random_state=0)
    networks = []
    for given in (adata.obs, shuffled):
        pysces.run_aracne(
            adata, ["g0", "g1"], size_factors=given["depth"], batch_key=given["donor"], **FAST
        )
        networks.append(adata.uns["aracne"]["network"])
    pd.testing.assert_frame_equal(*networks)
    foreign = adata.obs["depth"].set_axis([f"x{i}" for i in range(120)])
    with pytest.raises(pysces.InputError, match="does not name the samples"):
        pysces.run_aracne(adata, ["g0"], size_factors=foreign, **FAST)


@pytest.mark.parametrize("base", ["x", [2], 0, -1, 1, np.nan])
def test_a_base_that_is_none_is_ignored(base: object) -> None:
    adata, _ = cells(n=60)
    adata.uns["log1p"] = {"base": base}
    pysces.run_aracne(adata, ["g0", "g1"], **FAST)
    assert adata.uns["aracne"]["facts"]["scores"] == "counts given depth"


@pytest.mark.parametrize(
    "given",
    [
        {"batch_key": np.zeros((60, 2))},
        {"batch_key": [(1, 2)] * 60},
        {"size_factors": np.ones(60, dtype=bool)},
        {"size_factors": np.ones(60, dtype=complex)},
        {"size_factors": np.array(["2020-01-01"] * 60, dtype="datetime64[D]")},
    ],
)
def test_odd_depths_and_batches_are_refused(given: dict) -> None:
    adata, _ = cells(n=60)
    with pytest.raises(pysces.InputError, match=r"batch_key|size_factors"):
        pysces.run_aracne(adata, ["g0", "g1"], **given, **FAST)
    assert not adata.uns


def test_raw_that_is_empty_is_no_depth() -> None:
    adata, _ = cells(n=60)
    whole = anndata.AnnData(np.zeros((60, 1200), dtype=np.float32), obs=adata.obs.copy())
    adata.raw = whole
    pysces.run_aracne(adata, ["g0", "g1"], **FAST)
    assert adata.uns["aracne"]["facts"]["depth_source"] == "sum over the genes"


def test_arrays_over_all_samples_serve_groups() -> None:
    adata, _ = cells(n=160)
    adata.obs["group"] = np.repeat(["x", "y"], 80)
    depth = np.asarray(adata.X.sum(axis=1)).ravel().astype(float)
    adata.obs["depth"] = depth
    pysces.run_aracne(adata, ["g0", "g1"], groupby="group", size_factors=depth, **FAST)
    by_array = adata.uns["aracne"]["network"]
    pysces.run_aracne(adata, ["g0", "g1"], groupby="group", size_factors="depth", **FAST)
    pd.testing.assert_frame_equal(by_array, adata.uns["aracne"]["network"])
