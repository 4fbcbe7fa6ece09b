"""Metacells: what is pooled, that nothing is lost, mixed or order-dependent."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from threadpoolctl import threadpool_limits

import pysces
from pysces.errors import InputError, PyscesWarning
from pysces.samples import _neighbours
from pysces.samples._neighbours import (
    Neighbours,
    disjoint_pools,
    neighbours_in_graph,
    neighbours_in_space,
    principal_components,
)
from pysces.samples._pools import Cells

pytest.importorskip("sklearn", reason="the extra `samples` is not installed")


def _counts(n_cells: int = 240, n_genes: int = 60, seed: int = 0) -> AnnData:
    """Sparse counts of three cell types, with types in obs and a space in which they're apart."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n_cells)
    rate = rng.gamma(0.5, 1.0, size=(3, n_genes))[kind] * rng.gamma(4, 0.25, size=(n_cells, 1))
    adata = AnnData(sp.csr_matrix(rng.poisson(rate).astype(np.float32)))
    adata.obs_names = [f"cell{i}" for i in range(n_cells)]
    adata.var_names = [f"gene{i}" for i in range(n_genes)]
    adata.var["symbol"] = [f"G{i}" for i in range(n_genes)]
    adata.obs["type"] = pd.Categorical(np.array(["B", "NK", "T"])[kind])
    adata.obsm["X_pca"] = rng.normal(size=(n_cells, 5)) + 3 * np.eye(5)[kind]
    return adata


def _needs(engine: str) -> None:
    row = next(row for row in pysces.status().engines if row.engine == engine)
    if not row.available:
        pytest.skip(row.reason)


def _dense(adata: AnnData) -> np.ndarray:
    return adata.X.toarray() if sp.issparse(adata.X) else np.asarray(adata.X)


def _same(first: AnnData, second: AnnData) -> None:
    """Bit-identical."""
    pd.testing.assert_frame_equal(first.obs, second.obs)
    np.testing.assert_array_equal(first.X, second.X)
    assert set(first.layers) == set(second.layers)
    for name in first.layers:
        np.testing.assert_array_equal(first.layers[name], second.layers[name])
    key = next(iter(first.uns))
    pd.testing.assert_frame_equal(first.uns[key]["cells"], second.uns[key]["cells"])


# --- what is pooled -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["python", "numba", "mlx"])
def test_counts_are_summed_over_the_cells_that_the_map_names(engine: str) -> None:
    _needs(engine)
    adata = _counts()
    pooled = pysces.metacells(adata, "type", n_cells=7, engine=engine)
    cells = pooled.uns["metacells"]["cells"]
    values = pd.DataFrame(_dense(adata), index=adata.obs_names)
    expected = values.loc[cells.index].groupby(cells["metacell"].astype(str)).sum()
    np.testing.assert_array_equal(pooled.layers["counts"], expected.loc[pooled.obs_names])
    assert (pooled.obs["n_cells"] == 7).all()
    assert cells["metacell"].value_counts().loc[pooled.obs_names].tolist() == [7] * pooled.n_obs
    pd.testing.assert_frame_equal(pooled.var, adata.var)


def test_no_cell_is_used_twice_and_those_left_over_are_told() -> None:
    adata = _counts()
    pooled = pysces.metacells(adata, n_cells=9)
    cells = pooled.uns["metacells"]["cells"]
    assert cells.index.is_unique
    assert len(cells) == 9 * pooled.n_obs
    assert pooled.uns["metacells"]["params"]["n_left_over"] == adata.n_obs - len(cells)
    adata.obs["metacell"] = cells["metacell"]
    assert adata.obs["metacell"].isna().sum() == adata.n_obs - len(cells)


@pytest.mark.parametrize(("n", "n_left"), [(28, 1), (27, 0), (35, 8)])
def test_where_all_cells_are_neighbours_no_pool_is_lost(n: int, n_left: int) -> None:
    """Each cell has the 27 nearest as neighbours, so only the remainder of a division is left."""
    adata = _counts(n)
    adata.obsp["distances"] = squareform(pdist(adata.obsm["X_pca"]))
    pooled = pysces.metacells(adata, n_cells=9, obsp="distances")
    assert pooled.n_obs == n // 9
    assert pooled.uns["metacells"]["params"]["n_left_over"] == n_left
    assert pysces.metacells(adata, n_cells=9).n_obs >= n // 9 - (n > 28)


def test_sums_are_renormalised() -> None:
    pooled = pysces.metacells(_counts(), n_cells=8)
    sums = pooled.layers["counts"].astype(float)
    expected = np.log1p(1e4 * sums / sums.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(pooled.X, expected, rtol=1e-6)


def test_metacells_keep_the_depth_over_all_genes() -> None:
    adata = _counts()
    adata.obs["total_counts"] = np.random.default_rng(1).integers(500, 3000, adata.n_obs) * 1.0
    pooled = pysces.metacells(adata, n_cells=5)
    member = pooled.uns["metacells"]["cells"]["metacell"]
    expected = adata.obs["total_counts"].groupby(member, observed=True).sum()
    assert pooled.obs["total_counts"].to_dict() == expected.to_dict()


def test_number_of_metacells_can_be_chosen() -> None:
    adata = _counts()
    assert pysces.metacells(adata, n_cells=5, n_metacells=12).n_obs == 12
    by_type = pysces.metacells(adata, "type", n_cells=5, n_metacells=3)
    assert by_type.obs["type"].value_counts().to_dict() == {"B": 3, "NK": 3, "T": 3}
    # the first ones founded: fewer metacells are the first of many
    more = pysces.metacells(adata, "type", n_cells=5)
    np.testing.assert_array_equal(more[by_type.obs_names].X, by_type.X)


def test_groups_are_never_mixed() -> None:
    adata = _counts()
    adata.obsm["X_pca"] = np.zeros((adata.n_obs, 2))  # all cells alike: only groupby keeps apart
    with pytest.warns(PyscesWarning, match="have the same coordinates"):
        pooled = pysces.metacells(adata, "type", n_cells=10)
    cells = pooled.uns["metacells"]["cells"]["metacell"]
    assert (
        adata.obs["type"].loc[cells.index].astype(str).to_numpy()
        == pooled.obs["type"].loc[cells].astype(str).to_numpy()
    ).all()
    assert (pooled.obs["purity"] == 1).all()
    with pytest.warns(PyscesWarning, match="have the same coordinates"):
        mixed = pysces.metacells(adata, n_cells=10, purity_of="type")
    assert mixed.obs["purity"].mean() < 0.8


def test_purity_is_the_share_of_the_most_frequent_label() -> None:
    adata = _counts()
    pooled = pysces.metacells(adata, n_cells=10, purity_of="type")
    cells = pooled.uns["metacells"]["cells"]["metacell"].astype(str)
    table = pd.crosstab(cells, adata.obs["type"].loc[cells.index].astype(str))
    table = table.loc[pooled.obs_names]
    np.testing.assert_array_equal(pooled.obs["purity"], table.max(axis=1) / 10)
    chosen = table.to_numpy()[np.arange(len(table)), pooled.obs["type"].cat.codes]
    np.testing.assert_array_equal(chosen, table.max(axis=1))


def test_cells_without_a_group_are_left_out() -> None:
    adata = _counts()
    adata.obs.loc[adata.obs_names[:50], "type"] = np.nan
    cells = pysces.metacells(adata, "type", n_cells=5).uns["metacells"]["cells"]
    assert not set(cells.index) & set(adata.obs_names[:50])


def test_values_that_are_not_counts_are_averaged_with_a_warning() -> None:
    adata = _counts()
    adata.X = _dense(adata) - 0.5
    with pytest.warns(PyscesWarning, match="are not counts"):
        pooled = pysces.metacells(adata, n_cells=6)
    cells = pooled.uns["metacells"]["cells"]["metacell"].astype(str)
    values = pd.DataFrame(adata.X, index=adata.obs_names).loc[cells.index]
    expected = values.groupby(cells).mean().loc[pooled.obs_names]
    np.testing.assert_allclose(pooled.X, expected, rtol=1e-6, atol=1e-7)
    assert "counts" not in pooled.layers
    assert pooled.uns["metacells"]["params"]["func"] == "mean"
    _same(pysces.metacells(adata, n_cells=6, func="mean"), pooled)
    with pytest.raises(InputError, match="sums are invalid"):
        pysces.metacells(adata, n_cells=6, func="sum")


# --- nothing depends on order, storage, blocks --------------------------------------------------


@settings(max_examples=10, deadline=None, phases=[Phase.generate])  # shrinking would take minutes
@given(st.integers(0, 2**31), st.sampled_from(["X_pca", "own"]), st.booleans())
def test_order_of_cells_changes_no_bit(shuffle: int, space: str, counts: bool) -> None:
    adata = _counts(250, 240)
    if space == "own":
        del adata.obsm["X_pca"]
    if not counts:
        adata.X = _dense(adata) / 3
    func = "sum" if counts else "mean"
    order = np.random.default_rng(shuffle).permutation(adata.n_obs)
    expected = pysces.metacells(adata, n_cells=6, func=func)
    _same(pysces.metacells(adata[order].copy(), n_cells=6, func=func), expected)
    _same(pysces.metacells(adata[order], n_cells=6, func=func), expected)  # a view


def test_seed_decides() -> None:
    adata = _counts()
    first, again, other = (pysces.metacells(adata, n_cells=6, seed=seed) for seed in (1, 1, 2))
    _same(first, again)
    assert not first.uns["metacells"]["cells"].index.equals(other.uns["metacells"]["cells"].index)


@pytest.mark.parametrize("own", [False, True])
def test_storage_changes_no_bit(own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adata = _counts(220, 210)
    if own:
        del adata.obsm["X_pca"]
    expected = pysces.metacells(adata, "type", n_cells=5)
    dense, by_gene = adata.copy(), adata.copy()
    dense.X, by_gene.X = _dense(adata), sp.csc_matrix(adata.X)
    in_layer = adata.copy()
    in_layer.layers["raw"], in_layer.X = adata.X, -_dense(adata)
    for stored in (dense, by_gene, adata):
        monkeypatch.setattr(pysces.settings, "_memory", 2**30)
        _same(pysces.metacells(stored, "type", n_cells=5), expected)
        stored.write_h5ad(tmp_path / "cells.h5ad")
        backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
        monkeypatch.setattr(pysces.settings, "_memory", 400_000)  # many blocks
        _same(pysces.metacells(backed, "type", n_cells=5), expected)
        _same(pysces.metacells(stored, "type", n_cells=5), expected)
        backed.file.close()
    _same(pysces.metacells(in_layer, "type", n_cells=5, layer="raw"), expected)


def test_input_is_not_changed_and_result_is_stored(tmp_path: Path) -> None:
    adata = _counts()
    before = adata.copy()
    pooled = pysces.metacells(adata, "type", n_cells=5)
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    np.testing.assert_array_equal(_dense(adata), _dense(before))
    assert list(adata.uns) == []
    pooled.write_h5ad(tmp_path / "pooled.h5ad")
    found = anndata.read_h5ad(tmp_path / "pooled.h5ad")
    found.obs_names = found.obs_names.astype(pooled.obs_names.dtype)  # pandas 3 reads strings
    _same(found, pooled)


# --- neighbours ---------------------------------------------------------------------------------


def test_neighbours_in_space_are_those_of_brute_force() -> None:
    points = np.random.default_rng(0).normal(size=(300, 4))
    found = neighbours_in_space(points, 12)
    exact = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(exact, np.inf)
    expected = np.argsort(exact, axis=1, kind="stable")[:, :12]
    np.testing.assert_array_equal(found.cells.reshape(300, 12), expected)


@pytest.mark.parametrize("n_dimensions", [4, 40])
def test_number_of_threads_changes_no_neighbour(n_dimensions: int) -> None:
    points = np.random.default_rng(2).normal(size=(1500, n_dimensions))
    points[::5] = points[3]  # ties, which threads would break by turns
    found = []
    for threads in (1, 4):
        with threadpool_limits(threads):
            found.append(neighbours_in_space(points, 15).cells)
    np.testing.assert_array_equal(*found)


def test_many_cells_are_split_into_parcels_of_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_neighbours, "PARCEL", 100)
    points = _neighbours._of_usual_size(np.random.default_rng(1).normal(size=(1003, 2)))
    parcels = list(_neighbours._parcels(points, np.arange(1003)))
    assert np.sort(np.concatenate(parcels)).tolist() == list(range(1003))  # none lost, none twice
    assert {len(parcel) for parcel in parcels} == {62, 63}
    found = neighbours_in_space(points, 5).cells.reshape(1003, 5)
    exact = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(exact, np.inf)
    for parcel in parcels:  # exact within each
        nearest = np.argsort(exact[np.ix_(parcel, parcel)], axis=1)[:, :5]
        np.testing.assert_array_equal(found[parcel], parcel[nearest])
    expected = np.argsort(exact, axis=1)[:, :5]
    shared = [len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)]
    assert np.mean(shared) > 4  # lost at the borders only


def test_neighbours_in_a_graph_nearest_first() -> None:
    graph = np.zeros((5, 5))
    graph[1, [0, 2, 4]] = 0.3, 0.9, 0.3
    graph[1, 1] = 1.0  # itself is no neighbour
    graph[4, 0] = 0.5
    order = np.array([4, 1, 0, 2])  # of five cells; ties go to the first of this order
    by_size = {"largest": [3, 0, 2], "smallest": [0, 2, 3]}
    for nearest_is, expected in by_size.items():
        found = neighbours_in_graph(sp.csr_matrix(graph), order, nearest_is)
        assert found.of(1).tolist() == expected
        assert found.of(0).tolist() == [2]
        assert found.of(3).tolist() == []


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(2, 6), st.integers(0, 2**31))
def test_pools_have_their_size_and_share_no_cell(n: int, k: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = [rng.choice(n, size=min(k, n), replace=False) for _ in range(n)]
    lists = [near[near != cell] for cell, near in enumerate(lists)]
    start = np.concatenate([[0], np.cumsum([len(near) for near in lists])])
    pool = disjoint_pools(Neighbours(start, np.concatenate(lists)), size, None)
    assert set(np.bincount(pool[pool >= 0], minlength=1).tolist()) <= {0, size}
    assert pool.max() + 1 == (pool >= 0).sum() // size


def test_a_founder_takes_the_nearest_free_cells_then_their_neighbours() -> None:
    lists = [[1, 2], [0, 3], [3], [4], [5], [4]]
    start = np.cumsum([0, *map(len, lists)])
    graph = Neighbours(start, np.concatenate(lists))
    assert disjoint_pools(graph, 4, None).tolist() == [0, 0, 0, 0, -1, -1]
    assert disjoint_pools(graph, 2, None).tolist() == [0, 0, 1, 1, 2, 2]
    assert disjoint_pools(graph, 2, 1).tolist() == [0, 0, -1, -1, -1, -1]


def test_graph_of_the_data_is_used_when_asked_for() -> None:
    adata = _counts(60)
    # a ring: neighbours by name, whatever the expression
    ring = sp.lil_matrix((60, 60))
    for i in range(60):
        ring[i, (i + 1) % 60] = ring[(i + 1) % 60, i] = 1.0
    adata.obsp["ring_distances"] = ring.tocsr()
    pooled = pysces.metacells(adata, n_cells=3, obsp="ring_distances")
    for _, names in pooled.uns["metacells"]["cells"].groupby("metacell", observed=True):
        place = np.sort([int(name.removeprefix("cell")) for name in names.index])
        assert (place[-1] - place[0] == 2) or (np.ptp((place + 30) % 60) == 2)
    assert pooled.uns["metacells"]["params"]["neighbours"] == "obsp/ring_distances"
    del adata.obsm["X_pca"]
    assert pysces.metacells(adata, n_cells=3).uns["metacells"]["params"]["neighbours"] == "pca"
    adata.obsp["connectivities"] = ring.tocsr()
    params = pysces.metacells(adata, n_cells=3).uns["metacells"]["params"]
    assert params["neighbours"] == "obsp/connectivities"
    assert params["layer"] is None


def test_components_are_those_of_the_most_variable_normalised_genes() -> None:
    rng = np.random.default_rng(0)
    size = rng.lognormal(0, 1.5, size=(40, 1))  # raw counts vary with it most in other genes
    counts = rng.poisson(size * np.linspace(9, 1, 12) * rng.gamma(1, 1, size=(40, 12)))
    values = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    top = np.argsort(-values.var(axis=0))[:4]
    assert set(top) != set(np.argsort(-counts.var(axis=0))[:4])
    adata = AnnData(counts.astype(float), obs=pd.DataFrame(index=[f"c{i}" for i in range(40)]))
    cells = Cells.of(adata, None, np.ones(40, dtype=bool))
    found = cells.components(True, 4, 4, 0)
    expected = values[cells.order][:, top]
    np.testing.assert_allclose(pdist(found), pdist(expected), rtol=1e-5)
    np.testing.assert_array_equal(cells.components(True, 2, 4, 0), found[:, :2])


def test_the_number_of_components_decides_on_neighbours() -> None:
    values = np.zeros((6, 2))
    values[:, 0] = [-20, -20, 0, 0, 20, 20]  # a and b, c and d, e and f are alike in this one
    values[:, 1] = [15, -15, -15, 15, 15, -15]
    adata = AnnData(values, obs=pd.DataFrame(index=list("abcdef")))
    found = []
    for n_pcs in (1, 2):
        pools = pysces.metacells(adata, n_cells=2, n_pcs=n_pcs, func="mean").uns["metacells"]
        groups = pools["cells"].groupby("metacell", observed=True).groups
        found.append({"".join(sorted(names)) for names in groups.values()})
    assert found[0] == {"ab", "cd", "ef"}
    assert found[1] != found[0]


@pytest.mark.parametrize("shape", [(400, 300), (300, 400), (50, 30), (5, 3)])
def test_principal_components_are_those_of_the_whole_decomposition(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(shape[0], 3)) @ (rng.normal(size=(3, shape[1])) * [[9], [5], [3]])
    values = factors + 0.1 * rng.normal(size=shape) + 2
    found = principal_components(sp.csr_array(values), 2, 0)
    u, s, vt = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    sign = np.sign(vt[np.arange(2), np.abs(vt[:2]).argmax(axis=1)])
    np.testing.assert_allclose(found, u[:, :2] * s[:2] * sign, atol=1e-8)


# --- what it is for -----------------------------------------------------------------------------


def _planted(n_cells: int = 2000, n_genes: int = 300, seed: int = 0) -> tuple[AnnData, np.ndarray]:
    """Shallow counts; pairs of genes (2i, 2i + 1), i < 20, follow one hidden program each."""
    rng = np.random.default_rng(seed)
    # cells lie along six smooth programs, so that near cells have near values of all
    position = rng.normal(size=(n_cells, 3))
    program = np.tanh(position @ rng.normal(size=(3, 20)))
    log_rate = np.full((n_cells, n_genes), -1.5)
    log_rate[:, 0:40:2] += program
    log_rate[:, 1:40:2] += program
    depth = rng.gamma(5, 0.2, size=(n_cells, 1))
    adata = AnnData(sp.csr_matrix(rng.poisson(np.exp(log_rate) * depth).astype(np.float32)))
    adata.var_names = [f"gene{i}" for i in range(n_genes)]
    return adata, np.arange(0, 40, 2)


def _correlations(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    rho = stats.spearmanr(values).statistic
    return rho[first, second]


def test_planted_correlation_shows_in_metacells_and_noise_stays_noise() -> None:
    adata, first = _planted()
    in_cells = _dense(adata) / np.maximum(1, _dense(adata).sum(axis=1, keepdims=True))
    pooled = pysces.metacells(adata, n_cells=10)
    assert pooled.n_obs > 150
    assert pooled.uns["metacells"]["params"]["neighbours"] == "pca"
    cells, meta = (_correlations(x, first, first + 1) for x in (in_cells, pooled.X))
    assert cells.mean() < 0.2
    assert meta.mean() > 2 * cells.mean()
    noise = np.arange(100, 298, 2)
    noise_meta = _correlations(pooled.X, noise, noise + 1)
    # of independent genes: as spread as chance makes it among so many samples
    assert np.abs(noise_meta.mean()) < 3 / np.sqrt(pooled.n_obs * len(noise))
    assert noise_meta.std() < 1.25 / np.sqrt(pooled.n_obs - 1)


def test_mutual_information_of_planted_pairs_is_higher_in_metacells() -> None:
    adata, first = _planted()
    genes = adata.var_names[first]
    pooled = pysces.metacells(adata, n_cells=10)
    cells = pysces.mutual_information(AnnData(_dense(adata), var=adata.var), list(genes))
    meta = pysces.mutual_information(pooled, list(genes))
    of_pairs = [table.to_numpy()[np.arange(20), first + 1] for table in (cells, meta)]
    noise = [table.to_numpy()[:, 100:].mean() for table in (cells, meta)]
    assert of_pairs[1].mean() - noise[1] > 2 * (of_pairs[0].mean() - noise[0])


def test_blood_cells_stay_with_their_kind() -> None:
    sc = pytest.importorskip("scanpy")
    adata = sc.datasets.pbmc68k_reduced()
    pooled = pysces.metacells(adata, n_cells=10, purity_of="bulk_labels", func="mean")
    assert pooled.n_obs >= 60
    by_chance = adata.obs["bulk_labels"].value_counts(normalize=True).max()
    assert pooled.obs["purity"].mean() > 0.7 > 1.5 * by_chance
    graph = pysces.metacells(
        adata, n_cells=10, purity_of="bulk_labels", obsp="distances", func="mean"
    )
    assert graph.obs["purity"].mean() > 0.7
    large = adata[adata.obs["louvain"].isin(["0", "1", "2"])]
    by_cluster = pysces.metacells(large, "louvain", n_cells=10, func="mean")
    assert (by_cluster.obs["purity"] == 1).all()


# --- errors -------------------------------------------------------------------------------------


def test_small_groups_are_refused_by_name_and_size() -> None:
    adata = _counts()
    adata.obs["type"] = adata.obs["type"].cat.add_categories(["rare"])
    adata.obs.loc[adata.obs_names[:4], "type"] = "rare"
    with pytest.raises(InputError, match=r"1 of 4 groups have too few cells.*'rare \(4\)'"):
        pysces.metacells(adata, "type", n_cells=5)
    with pytest.raises(InputError, match=r"4 of 4 groups.* 50 metacells of 5 cells, .*require 250"):
        pysces.metacells(adata, "type", n_cells=5, n_metacells=50)
    with pytest.raises(InputError, match="require 300 cells; there are 240"):
        pysces.metacells(adata, n_cells=300)


def test_fewer_metacells_than_asked_for_are_warned_about() -> None:
    adata = _counts(40)
    graph = np.zeros((40, 40))
    graph[:6, :6] = 1.0
    adata.obsp["connectivities"] = sp.csr_matrix(graph)
    with pytest.warns(PyscesWarning, match="Only 1 of 2 metacells could be made"):
        pooled = pysces.metacells(adata, n_cells=5, n_metacells=2, obsp="connectivities")
    assert pooled.shape == (1, adata.n_vars)


def test_errors_say_what_to_do() -> None:
    adata = _counts(40)
    with pytest.raises(InputError, match=r"'n_cells' parameter must be an int in the range \[2"):
        pysces.metacells(adata, n_cells=1)
    with pytest.raises(InputError, match=r"Did not find \.obs\['kind'\].*'type'"):
        pysces.metacells(adata, "kind")
    with pytest.raises(InputError, match=r"Did not find \.obsm\['X_umap'\]"):
        pysces.metacells(adata, use_rep="X_umap")
    with pytest.raises(InputError, match="both sources of neighbours"):
        pysces.metacells(adata, use_rep="X_pca", obsp="distances")
    with pytest.raises(InputError, match="'func' parameter must be one of"):
        pysces.metacells(adata, func="median")
    adata.obs_names = ["cell"] * 40
    with pytest.raises(InputError, match="Cell names occur more than once"):
        pysces.metacells(adata)
