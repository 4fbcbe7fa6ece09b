"""Small data with the results of every mode, each made once by running it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds

N_CELLS = 120
REGULATORS = ["MYC", "SPI1", "GATA3_with_a_name_longer_than_any_label"]
HOSTILE = [r"$\frac{1$", "<b>&amp;</b>", "HLA-DRB1"]
GROUPS = ["B", "CD4+/CD45RA+/CD25- Naive T with a long name", "NK"]

SMALL: dict[str, Any] = {"n_resamples": 10, "n_decoys": 6, "n_null": 20_000, "min_samples": 20}
# Arguments of run_aracne
NETWORKS: dict[str, dict[str, Any]] = {
    "halves": {},
    "subsample": {"resampling": "subsample"},
    "bootstrap": {"resampling": "bootstrap"},
    "all_samples": {"resampling": None},
    "linear": {"degree": 1},
    "adaptive": {"estimator": "adaptive"},
    "dyadic": {"estimator": "adaptive-dyadic", "consensus": "binomial"},
    "binned": {"estimator": "binned", "n_bins": 4, "ties": "together"},
    "miller_madow": {"estimator": "binned", "n_bins": 6, "miller_madow": True},
    "miller_madow_all_samples": {
        "estimator": "binned", "n_bins": 6, "miller_madow": True, "resampling": None,
    },
    "counts": {"counts": True},
    "groups": {"groupby": "kind"},
    "groups_all_samples": {"groupby": "kind", "resampling": None},
}  # fmt: skip


def cells(counts: bool = False) -> anndata.AnnData:
    """Three regulators with targets of both signs, three groups of cells."""
    rng = _seeds.generator(0, "plots")
    names = [*REGULATORS, *HOSTILE, *(f"gene{i}" for i in range(30))]
    group = np.arange(N_CELLS) % 3
    drivers = rng.normal(size=(N_CELLS, 3)) + (group[:, None] == np.arange(3))
    values = rng.normal(size=(N_CELLS, len(names)))
    values[:, :3] = drivers
    for target in range(3, len(names)):
        values[:, target] += 2.0 * (1 if target % 2 else -1) * drivers[:, target % 3]
    if counts:
        depth = rng.lognormal(0.0, 0.3, size=(N_CELLS, 1))
        values = rng.poisson(3.0 * depth * np.exp(0.5 * values)).astype(float)
    return anndata.AnnData(
        values,
        obs=pd.DataFrame(
            {"kind": pd.Categorical([GROUPS[g] for g in group])},
            index=[f"cell{i}" for i in range(N_CELLS)],
        ),
        var=pd.DataFrame(index=names),
    )


@functools.cache
def network_run(mode: str) -> anndata.AnnData:
    """Cells with the network, or networks, of a mode."""
    adata = cells(counts=mode == "counts")
    pysces.run_aracne(adata, REGULATORS, **SMALL, **NETWORKS[mode])
    return adata


@functools.cache
def whole_run() -> anndata.AnnData:
    """Cells with results of every kind, by default arguments."""
    adata = network_run("halves").copy()
    pysces.compute_signature(adata)
    pysces.run_viper(adata, min_targets=5)
    pysces.run_msviper(adata, "kind", "NK", min_targets=5, n_permutations=50)
    pysces.embed_regulators(adata, n_components=3)
    pysces.rank_regulators(adata, "kind")
    adata.obsm["X_umap"] = _seeds.generator(0, "places").normal(size=(N_CELLS, 2))
    return adata


@dataclass(frozen=True)
class Run:
    """What a mode left in an AnnData, and the group to draw where it has several."""

    mode: str
    adata: anndata.AnnData
    group: str | None = None


@pytest.fixture
def adata() -> anndata.AnnData:
    return whole_run().copy()


@pytest.fixture
def grouped() -> anndata.AnnData:
    """A network of each group."""
    return network_run("groups").copy()


@pytest.fixture(params=NETWORKS)
def inferred(request) -> Run:
    """A run of run_aracne in each mode."""
    group = "NK" if "groups" in request.param else None
    return Run(request.param, network_run(request.param).copy(), group)


WAYS = ["key", "object", "table", "path", "groups_key", "groups"]


def _given(way: str, folder: Path) -> tuple[anndata.AnnData, Any]:
    """Cells, and a network (or that of each group) as run_viper and run_msviper take it."""
    adata = network_run("groups" if "groups" in way else "halves").copy()
    if way in ("key", "groups_key"):
        return adata, "aracne"
    # What is not passed by its key is not in the AnnData either
    stored = adata.uns.pop("aracne")["network"]
    if way == "groups":
        edges = stored.groupby("group", observed=True)
        return adata, {g: pysces.Network(own.drop(columns="group")) for g, own in edges}
    if way == "path":
        pysces.Network(stored).write(folder / "network.tsv")
    given = {"object": pysces.Network(stored), "table": stored, "path": folder / "network.tsv"}
    return adata, given[way]


@pytest.fixture(params=WAYS)
def scored(request, tmp_path) -> Run:
    """A run of run_viper for each way of passing a network."""
    several = "groups" in request.param
    adata, network = _given(request.param, tmp_path)
    pysces.run_viper(adata, network, min_targets=5, groupby="kind" if several else None)
    pysces.compute_signature(adata)
    return Run(request.param, adata, "NK" if several else None)


@pytest.fixture(params=[way for way in WAYS if way != "groups"])
def compared(request, tmp_path) -> Run:
    """A run of run_msviper for each way of passing a network."""
    adata, network = _given(request.param, tmp_path)
    group = "B" if request.param == "groups_key" else None
    how: dict[str, Any] = {"network": network, "network_group": group, "n_permutations": 50}
    pysces.run_msviper(adata, "kind", "NK", min_targets=5, **how)
    return Run(request.param, adata, group)


@pytest.fixture(params=["key", "object", "group"])
def embedded(request) -> Run:
    """A run of embed_regulators for each way of passing a network."""
    adata = network_run("groups" if request.param == "group" else "halves").copy()
    group = "NK" if request.param == "group" else None
    network = "aracne" if request.param != "object" else pysces.Network.from_anndata(adata)
    pysces.embed_regulators(adata, network=network, group=group, n_components=3)
    return Run(request.param, adata, group)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    from matplotlib import pyplot

    pyplot.close("all")
