"""Metacells where spaces, graphs, columns or arguments are unusual."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

import pysces
from pysces.errors import InputError, PyscesWarning
from pysces.samples import _neighbours
from pysces.samples._neighbours import neighbours_in_space, principal_components

pytest.importorskip("sklearn", reason="the extra `samples` is not installed")


def _cells(n_cells: int = 300, seed: int = 0) -> AnnData:
    """Counts, a type in obs, and coordinates that are multiples of 2^-16 (shifts are exact)."""
    rng = np.random.default_rng(seed)
    adata = AnnData(rng.poisson(0.7, size=(n_cells, 20)).astype(np.float32))
    adata.obs_names = [f"cell{i}" for i in range(n_cells)]
    adata.var_names = [f"gene{i}" for i in range(20)]
    adata.obs["type"] = pd.Categorical(rng.choice(["a", "b"], n_cells))
    adata.obsm["Z"] = np.rint(rng.normal(size=(n_cells, 4)) * 2**16) / 2**16
    return adata


def _pools(adata: AnnData, **given) -> pd.Series:
    return pysces.metacells(adata, use_rep="Z", **given).uns["metacells"]["cells"]["metacell"]


def _brute(points: np.ndarray, k: int) -> np.ndarray:
    exact = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(exact, np.inf)
    return np.argsort(exact, axis=1, kind="stable")[:, :k]


# --- spaces -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [2.0**10, 1e5, 2.0**20, -(2.0**30), 1e9])
def test_a_shift_changes_no_pool(shift: float) -> None:
    adata = _cells()
    expected = _pools(adata)
    adata.obsm["Z"] = adata.obsm["Z"] + shift
    pd.testing.assert_series_equal(_pools(adata), expected)


@pytest.mark.parametrize("scale", [2.0**-600, 2.0**-40, 2.0**40, 2.0**600])
def test_units_change_no_pool(scale: float) -> None:
    adata = _cells()
    expected = _pools(adata)
    adata.obsm["Z"] = adata.obsm["Z"] * scale
    pd.testing.assert_series_equal(_pools(adata), expected)


@pytest.mark.parametrize("far", [1e6, 1e12, 1e100])
def test_cells_far_off_do_not_blur_the_others(far: float) -> None:
    points = _cells().obsm["Z"]
    rest = _brute(points[4:], 10) + 4
    points[0, 0], points[1, 0], points[2:4, 1] = far, 2 * far, -far
    found = neighbours_in_space(points, 10).cells.reshape(300, 10)
    np.testing.assert_array_equal(found[4:], rest)
    assert found[2, 0] == 3
    assert found[3, 0] == 2


def test_one_cell_far_off_changes_pools_of_no_others() -> None:
    adata = _cells()
    far = adata.copy()
    far.obsm["Z"][7, 0] = 1e6

    def spread(pools: pd.Series) -> float:
        points = pd.DataFrame(adata.obsm["Z"], index=adata.obs_names).drop("cell7")
        pools = pools.drop("cell7", errors="ignore").astype(str)
        return float(points.loc[pools.index].groupby(pools).var(ddof=0).mean().sum())

    assert spread(_pools(far)) < 1.05 * spread(_pools(adata)) < 2


@pytest.mark.parametrize("kind", ["plain", "ties", "same", "shifted", "wide", "two places"])
def test_neighbours_are_those_of_exact_distances(kind: str) -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(200, 7))
    if kind == "ties":
        points = rng.integers(0, 3, size=(200, 2)).astype(float)
    if kind == "same":
        points[:] = 5.0
    if kind == "shifted":
        points = points + 1e7
    if kind == "wide":
        points = points * 10.0 ** rng.integers(-20, 20, size=(200, 1))
    if kind == "two places":  # far from their middle, where a product of matrices is inexact
        points[:100] += 1e8
    found = neighbours_in_space(points, 9).cells.reshape(200, 9)
    assert not (found == np.arange(200)[:, None]).any()
    both = (found, _brute(points, 9))  # of neighbours at the same distance, either may be told
    distances = [np.linalg.norm(points[near] - points[:, None], axis=2) for near in both]
    np.testing.assert_allclose(*distances, rtol=1e-9)


def test_a_cell_far_off_does_not_decide_where_many_cells_are_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_neighbours, "PARCEL", 100)
    points = np.random.default_rng(1).normal(size=(1000, 2)) * [100.0, 1.0]
    points[0, 1] = 1e9
    parcels = list(_neighbours._parcels(points, np.arange(1000)))
    assert np.sort(np.concatenate(parcels)).tolist() == list(range(1000))  # none lost, none twice
    assert max(len(parcel) for parcel in parcels) <= 100
    usual = [parcel for parcel in parcels if 0 not in parcel]
    assert max(np.ptp(points[parcel, 1]) for parcel in usual) > 2  # split along the other axis
    found = neighbours_in_space(points, 5).cells.reshape(1000, 5)
    shared = [len(set(a) & set(b)) for a, b in zip(found, _brute(points, 5), strict=True)]
    assert np.mean(shared) > 4


def test_last_bits_of_a_decomposition_are_rounded_away() -> None:
    """Equal cells get equal components, whatever order a library adds in."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=(60, 30)), 5, axis=0)
    found = principal_components(sp.csr_array(values), 4, 0)
    np.testing.assert_array_equal(found, np.repeat(found[::5], 5, axis=0))


def test_coordinates_too_coarse_to_tell_neighbours_are_warned_about() -> None:
    adata = _cells()
    adata.obsm["Z"] = (adata.obsm["Z"] + 2e7).astype(np.float32)
    with pytest.warns(PyscesWarning, match=r"\.obsm\['Z'\] .* float32 .*Centre"):
        _pools(adata)
    adata.obsm["Z"] = (_cells().obsm["Z"] + 1e3).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _pools(adata)


def test_cells_that_are_all_at_one_place_are_warned_about() -> None:
    adata = _cells()
    adata.obsm["Z"] = np.full((300, 2), 3.0)
    told = pytest.warns(PyscesWarning, match=r"have the same coordinates in \.obsm\['Z'\]")
    with told as warned:
        pysces.metacells(adata, use_rep="Z")
    assert warned[0].filename == __file__  # the line of the call


@pytest.mark.parametrize("far", [1e200, np.finfo(np.float64).max])
def test_distances_that_cannot_be_told_are_refused(far: float) -> None:
    adata = _cells()
    adata.obsm["Z"][:2, 0] = far, -far
    with pytest.raises(InputError, match="span more than 140 orders of magnitude"):
        _pools(adata)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"x": ["q"] * 300}),
        pd.DataFrame({"x": [None] * 300}),
        np.full((300, 2), np.nan),
        np.full((300, 2), 1 + 2j),
        np.zeros((300, 0)),
    ],
    ids=["text", "None", "nan", "complex", "no column"],
)
def test_what_is_no_table_of_numbers_is_refused(table) -> None:
    adata = _cells()
    adata.obsm["Z"] = table.set_index(adata.obs_names) if hasattr(table, "columns") else table
    with pytest.raises(InputError, match=r"\.obsm\['Z'\] must be a table of numbers"):
        _pools(adata)


# --- graphs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("nearest", ["connectivities", "distances"])
def test_a_graph_without_edges_is_refused(nearest: str) -> None:
    adata = _cells()
    adata.obsp[nearest] = sp.csr_matrix((300, 300))
    with pytest.raises(InputError, match=rf"\.obsp\['{nearest}'\] connects no two .*scanpy\.pp"):
        pysces.metacells(adata, obsp=nearest)
    adata.obsp[nearest] = sp.eye(300, format="csr")  # only to themselves
    with pytest.raises(InputError, match="connects no two cells"):
        pysces.metacells(adata, obsp=nearest)


def test_a_graph_that_joins_only_cells_of_different_groups_is_refused() -> None:
    adata = _cells()
    a, b = (np.flatnonzero(adata.obs["type"] == label) for label in "ab")
    adata.obsp["between"] = sp.csr_matrix((np.ones(50), (a[:50], b[:50])), shape=(300, 300))
    with pytest.raises(InputError, match="connects no two cells"):
        pysces.metacells(adata, "type", obsp="between")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("whole", [True, False])
def test_a_graph_with_missing_or_infinite_values_is_refused(wrong: float, whole: bool) -> None:
    adata = _cells()
    graph = np.full((300, 300), wrong if whole else 1.0)
    graph[3, 4] = wrong
    adata.obsp["connectivities"] = sp.csr_matrix(graph)
    with pytest.raises(InputError, match=r"\.obsp\['connectivities'\] has missing or infinite"):
        pysces.metacells(adata)


def test_a_graph_of_negative_distances_is_refused() -> None:
    adata = _cells()
    adata.obsp["distances"] = -np.ones((300, 300))
    with pytest.raises(InputError, match=r"\.obsp\['distances'\] has negative"):
        pysces.metacells(adata, obsp="distances")


def test_pools_that_cannot_be_made_at_all_are_refused() -> None:
    adata = _cells()
    pairs = np.arange(0, 300, 2)
    adata.obsp["pairs"] = sp.csr_matrix((np.ones(150), (pairs, pairs + 1)), shape=(300, 300))
    with pytest.raises(InputError, match="No metacell of 5 cells could be made"):
        pysces.metacells(adata, n_cells=5, obsp="pairs")
    assert pysces.metacells(adata, n_cells=2, obsp="pairs").n_obs == 150


def test_a_group_without_a_metacell_is_warned_about() -> None:
    adata = _cells()
    a, b = (np.flatnonzero(adata.obs["type"] == label) for label in "ab")
    graph = sp.lil_matrix((300, 300))
    graph[np.ix_(a, a)] = 1.0
    graph[b[0], b[1]] = 1.0
    adata.obsp["g"] = graph.tocsr()
    with pytest.warns(PyscesWarning, match="No metacell could be made in the group 'b'"):
        pooled = pysces.metacells(adata, "type", n_cells=5, obsp="g")
    assert set(pooled.obs["type"]) == {"a"}


# --- columns and arguments ----------------------------------------------------------------------


@pytest.mark.parametrize("column", ["purity", "n_cells"])
@pytest.mark.parametrize("argument", ["groupby", "purity_of"])
def test_columns_of_the_result_cannot_be_groups(column: str, argument: str) -> None:
    adata = _cells()
    adata.obs[column] = adata.obs["type"].to_numpy()
    with pytest.raises(InputError, match=rf"{argument}='{column}' .*Rename .*\.rename\(columns"):
        pysces.metacells(adata, **{argument: column})
    renamed = adata.obs.rename(columns={column: f"{column}_label"})
    adata.obs = renamed  # as the message says
    assert pysces.metacells(adata, **{argument: f"{column}_label"}).n_obs > 0


def test_cells_that_all_miss_a_group_are_told() -> None:
    adata = _cells()
    adata.obs["type"] = pd.Categorical([None] * 300, categories=["a"])
    with pytest.raises(InputError, match="No cell has a group"):
        pysces.metacells(adata, "type")
