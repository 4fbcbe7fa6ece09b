"""`run_viper(output=)` and `client=`: results as in memory, written completely or not at all."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import pysces
from pysces.data._sources import read_ahead
from pysces.errors import InputError

N_CELLS, N_GENES = 90, 1100
GENES = [f"G{i:04d}" for i in range(N_GENES)]
KINDS: dict[str, dict[str, Any]] = {
    "score": {},
    "area": {"counts": False, "signature": "zscore"},
    "null": {"counts": False, "signature": "zscore", "n_permutations": 20},
    "residuals": {"enrichment": "narnea", "n_draws": 2},
    "bootstraps": {"counts": False, "signature": "zscore", "n_bootstraps": 3},
    "pleiotropy": {"counts": False, "signature": "none", "pleiotropy": True},
    "matrix": {"counts": False, "compat": "r-matrix"},
    "rank": {"counts": False, "signature": "rank"},
}


def cells(seed: int = 0) -> ad.AnnData:
    rng = np.random.default_rng(seed)
    adata = ad.AnnData(sp.csr_matrix(rng.poisson(0.3, (N_CELLS, N_GENES)).astype(np.float32)))
    adata.var_names = GENES
    adata.obs_names = [f"cell{i:03d}" for i in range(N_CELLS)]
    adata.obs["type"] = pd.Categorical(np.where(np.arange(N_CELLS) % 3, "a", "b"))
    adata.obsm["X_pca"] = rng.normal(size=(N_CELLS, 2))
    adata.uns["type_colors"] = np.array(["red", "blue"], dtype=object)
    return adata


def network(seed: int = 0, regulators: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "source": np.repeat([f"TF{i}" for i in range(regulators)], 30),
            "target": np.concatenate(
                [rng.choice(GENES, 30, replace=False) for _ in range(regulators)]
            ),
            "mor": rng.choice([-1.0, 1.0], 30 * regulators),
        }
    )


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several windows of several blocks each."""
    for module in ("_activities", "_depth_scores"):
        monkeypatch.setattr(f"pysces.viper.{module}.cells_of_block", lambda *_: 7)
    monkeypatch.setattr("pysces.viper._activities.PASS_BYTES", 21 * 12 * N_GENES // 4)


def assert_same(written: ad.AnnData, expected: ad.AnnData) -> None:
    np.testing.assert_array_equal(written.X, expected.X)
    assert set(written.layers) == set(expected.layers)
    for name, table in expected.layers.items():
        np.testing.assert_array_equal(written.layers[name], table)
    pd.testing.assert_frame_equal(written.obs, expected.obs)
    pd.testing.assert_frame_equal(written.var, expected.var)
    np.testing.assert_array_equal(written.obsm["X_pca"], expected.obsm["X_pca"])
    assert {"method", "params", "facts", "engine", "version", "type_colors"} <= set(written.uns)


def lazy(path: Path) -> ad.AnnData:
    """Cells of a zarr store whose matrix stays on disk."""
    import zarr

    group = zarr.open_group(path, mode="r")
    read = {name: ad.io.read_elem(group[name]) for name in ("obs", "var", "obsm", "uns")}
    return ad.AnnData(ad.io.sparse_dataset(group["X"]), **read)


# anndata announces a change of the default zarr format.
ZARR = pytest.mark.filterwarnings("ignore:zarr v3 autosharding", "ignore:Writing zarr v2")


@ZARR
@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("ending", ["h5ad", "zarr"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_file_holds_the_activities(kind: str, ending: str, tmp_path: Path) -> None:
    adata, options = cells(), KINDS[kind]
    data = tmp_path / f"data.{ending}"
    if ending == "h5ad":
        adata.write_h5ad(data)
        backed = ad.read_h5ad(data, backed="r")
    else:
        adata.write_zarr(data)
        backed = lazy(data)
    pysces.run_viper(adata, network(), **options)
    before = set(threading.enumerate())
    path = tmp_path / f"activities.{ending}"
    assert pysces.run_viper(backed, network(), output=path, **options) is None
    assert set(threading.enumerate()) <= before
    assert "viper" not in backed.obsm
    assert "viper" not in backed.uns
    written = ad.read_h5ad(path) if ending == "h5ad" else ad.read_zarr(path)
    assert_same(written, pysces.activity(adata))
    assert_same(pysces.activity(written), pysces.activity(adata))
    assert len(written.uns["network"]) == len(network())
    if ending == "h5ad":
        again = ad.read_h5ad(path, backed="r")
        assert_same(pysces.activity(again), pysces.activity(adata))
        again.file.close()
        backed.file.close()


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("kind", ["groups", "combined", "narnea"])
def test_several_networks_are_joined_window_by_window(kind: str, tmp_path: Path) -> None:
    adata = cells()
    networks: dict[str, pd.DataFrame] = {"a": network(1), "b": network(2, 5)}
    options: dict[str, Any] = {
        "groups": {"groupby": "type", "enrichment": "narnea", "n_draws": 2},
        "combined": {},
        "narnea": {"enrichment": "narnea", "counts": False},
    }[kind]
    pysces.run_viper(adata, networks, output=tmp_path / "a.h5ad", **options)
    assert "viper" not in adata.uns
    pysces.run_viper(adata, networks, **options)
    assert_same(ad.read_h5ad(tmp_path / "a.h5ad"), pysces.activity(adata))


@pytest.mark.parametrize("ending", [pytest.param("zarr", marks=ZARR), "h5ad"])
def test_a_failed_run_leaves_the_earlier_file(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"activities.{ending}"
    read = ad.read_h5ad if ending == "h5ad" else ad.read_zarr
    pysces.run_viper(cells(), network(), output=path)
    first = read(path)
    pysces.run_viper(cells(1), network(), output=path)
    second = read(path)
    assert (second.X != first.X).any()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("stopped")

    monkeypatch.setattr("pysces.viper._depth_scores.DepthScores.nes", fail)
    with pytest.raises(RuntimeError, match="stopped"):
        pysces.run_viper(cells(), network(), output=path)
    np.testing.assert_array_equal(read(path).X, second.X)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    adata = cells()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    (tmp_path / "folder.zarr").mkdir()
    for data, path, options, message in (
        (adata, "a.csv", {}, "ends in .h5ad or .zarr"),
        (adata, 3, {}, "must be a path"),
        (adata, tmp_path / "none" / "a.h5ad", {}, "There is no folder"),
        (adata, tmp_path / "folder.zarr", {}, "no zarr store"),
        (backed, tmp_path / "cells.h5ad", {}, "is the file of the data"),
        (adata, tmp_path / "a.h5ad", {"copy": True}, "Leave out copy=True"),
    ):
        with pytest.raises(InputError, match=message):
            pysces.run_viper(data, network(), output=path, **options)  # type: ignore[arg-type]
    backed.file.close()


def test_reading_ahead_keeps_order_raises_in_place_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    started: list[int] = []

    def read(part: slice) -> int:
        started.append(part.start)
        if part.start == 3:
            raise OSError("the disk is gone")
        return part.start

    parts = [slice(i, i + 1) for i in range(6)]
    values = read_ahead(read, parts)
    for value in range(3):
        assert next(values) == value
        assert len(started) <= value + 2
    with pytest.raises(OSError, match="the disk is gone"):
        next(values)
    assert set(threading.enumerate()) <= before
    abandoned = read_ahead(read, parts[:3])
    assert next(abandoned) == 0
    abandoned.close()
    assert set(threading.enumerate()) <= before
    assert list(read_ahead(read, [])) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, when workers come and go
@pytest.mark.usefixtures("small_windows")
def test_workers_give_the_same_activities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    monkeypatch.setattr("pysces.viper._activities._SENT_BYTES", 21 * 12 * N_GENES // 4)
    cells().write_h5ad(tmp_path / "cells.h5ad")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        for kind, options in KINDS.items():
            adata = cells()
            pysces.run_viper(adata, network(), **options)
            backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
            path = tmp_path / "activities.h5ad"
            pysces.run_viper(backed, network(), client=client, output=path, **options)
            assert_same(ad.read_h5ad(path), pysces.activity(adata))
            distant = cells()
            pysces.run_viper(distant, network(), client=client, **options)
            pd.testing.assert_frame_equal(distant.obsm["viper"], adata.obsm["viper"], obj=kind)
            backed.file.close()
