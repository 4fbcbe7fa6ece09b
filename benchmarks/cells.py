"""Counts of cells: simulated with unequal depth, or read from a file, as AnnData for a run."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

import pysces
from pysces.errors import PyscesWarning

DISPERSION = 0.5  # of negative binomial noise: variance = mean + 0.5 mean^2
BATCH_DEPTH, BATCH_LEVEL = 0.6, 0.4  # of a second batch, standard deviations of logarithms


def read_counts(path: Path) -> anndata.AnnData:
    """Counts of an .npz: csr (data, indices, indptr, shape), genes, total_counts over all genes."""
    with np.load(path) as f:
        parts = (f["data"], f["indices"].astype(np.int64), f["indptr"].astype(np.int64))
        counts = sp.csr_matrix(parts, shape=tuple(f["shape"])).astype(np.float32)
        cells = anndata.AnnData(counts)
        cells.var_names = f["genes"].astype(str)
        cells.obs["total_counts"] = f["total_counts"].astype(float)
    cells.obs_names = [f"cell{i}" for i in range(cells.n_obs)]
    return cells


def expressed(cells: anndata.AnnData, share: float = 0.1) -> anndata.AnnData:
    """The genes with a count in at least this share of the cells."""
    n_cells = np.asarray((cells.X > 0).sum(axis=0)).ravel()
    return cells[:, n_cells >= share * cells.n_obs].copy()


def depths(n_cells: int, rng: np.random.Generator, given: np.ndarray | None = None) -> np.ndarray:
    """Depths of cells: drawn from those given, else log-normal with median 5,000."""
    if given is not None:
        return rng.choice(given, n_cells)
    return 5000 * rng.lognormal(0.0, 0.6, size=n_cells)


def levels(n_genes: int, rng: np.random.Generator) -> np.ndarray:
    """Shares of the genes in a cell's counts, log-normal; they sum to 1."""
    level = rng.lognormal(0.0, 1.2, size=n_genes)
    return level / level.sum()


def counted(mean: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Counts about a mean: ``"poisson"`` or ``"negative binomial"``."""
    if kind == "negative binomial":
        mean = mean * rng.gamma(1 / DISPERSION, DISPERSION, size=mean.shape)
    return rng.poisson(mean)


def as_cells(counts: np.ndarray, total: np.ndarray | None = None, *,
             batch: np.ndarray | None = None) -> anndata.AnnData:  # fmt: skip
    """Counts as AnnData; genes without a count are left out. ``total``: depth, where known."""
    seen = counts.sum(axis=0) > 0
    cells = anndata.AnnData(sp.csr_matrix(counts[:, seen].astype(np.float32)))
    cells.var_names = np.array([f"gene{i}" for i in range(len(seen))])[seen]
    cells.obs_names = [f"cell{i}" for i in range(cells.n_obs)]
    if total is not None:
        cells.obs["total_counts"] = total.astype(float)
    if batch is not None:
        cells.obs["batch"] = pd.Categorical(batch.astype(str))
    return cells


def log_normalised(cells: anndata.AnnData) -> anndata.AnnData:
    """log(1 + counts per 10,000): the values alone, without the depth."""
    total = cells.obs.get("total_counts")
    depth = np.asarray(cells.X.sum(axis=1)).ravel() if total is None else total.to_numpy()
    values = sp.diags(1e4 / np.maximum(depth, 1)) @ cells.X
    found = anndata.AnnData(sp.csr_matrix(values, dtype=np.float32).log1p())
    found.var_names, found.obs_names = cells.var_names, cells.obs_names
    if "batch" in cells.obs:
        found.obs["batch"] = cells.obs["batch"]
    return found


def network_of(cells: anndata.AnnData, regulators: list[str], **options: Any) -> pd.DataFrame:
    """Edges of a run; that none is significant is a result here, not a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyscesWarning)
        pysces.run_aracne(cells, regulators, **options)
    return cells.uns["aracne"]["network"]
