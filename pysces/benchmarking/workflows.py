"""The workflows that are timed from data to result: each is called as a user calls it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from pysces.benchmarking import inputs

if TYPE_CHECKING:
    from anndata import AnnData

# Engines agree on scores to this; networks and sums of counts are equal to the bit.
RTOL, ATOL = 1e-5, 1e-8
QUICK: dict[str, Any] = {"n_resamples": 10, "n_decoys": 20, "n_null": 10_000}


@dataclass(frozen=True)
class Workflow:
    """A call that takes ``engine=``, what it is timed on, and its result as a table."""

    call: Callable[..., Any]
    units: int
    unit: str
    size: str
    exact: bool


def infer_network(rung: int) -> Workflow:
    """10 subsamples of 200 samples, 20 decoys; a tenth of the genes are regulators.

    The null of 10,000 pairs is simulated before the clock starts: it is kept in a folder.
    """
    from pysces.aracne.infer_network import infer_network as function

    genes = 60 * 2**rung
    table, regulators, _ = inputs.expression(200, genes, genes // 10)

    def call(engine: str) -> pd.DataFrame:
        network = function(table, regulators, engine=engine, **QUICK)
        return network.to_dataframe()[["source", "target", "mi", "support", "qvalue"]]

    size = f"200 samples x {genes:,} genes, {len(regulators):,} regulators"
    return Workflow(call, len(regulators) * genes, "pairs", size, True)


def run_viper(rung: int) -> Workflow:
    """z-scores and aREA of 100 regulons of 50 targets among 1,000 genes."""
    from pysces.viper.run_viper import run_viper as function

    adata, network = _cells(64 * 4**rung)

    def call(engine: str) -> pd.DataFrame:
        function(adata, network, engine=engine)
        return adata.obsm["viper"]

    return Workflow(call, adata.n_obs, "cells", _size(adata), False)


def run_msviper(rung: int) -> Workflow:
    """One half of the cells against the other, 100 permutations of the cells."""
    from pysces.viper.groups.run_msviper import run_msviper as function

    adata, network = _cells(64 * 4**rung)
    adata.obs["half"] = pd.Categorical(np.where(np.arange(adata.n_obs) % 2, "a", "b"))

    def call(engine: str) -> pd.DataFrame:
        function(adata, "half", "a", network=network, n_permutations=100, engine=engine)
        found = adata.uns["msviper"]["results"].set_index("regulator").sort_index()
        return found[["es", "nes"]]

    return Workflow(call, adata.n_obs, "cells", _size(adata), False)


def metacells(rung: int) -> Workflow:
    """Sparse counts of 500 genes pooled by tens, principal components included."""
    from anndata import AnnData

    from pysces.samples.metacells import metacells as function

    cells = 200 * 4**rung
    rng = inputs.stream("metacells", cells)
    programme = rng.gamma(0.3, 1.0, size=(8, 500))
    rates = rng.dirichlet(np.full(8, 0.2), size=cells) @ programme
    counts = sparse.csr_matrix(rng.poisson(rates).astype(np.float32))
    adata = AnnData(counts)
    adata.obs_names = [f"C{k}" for k in range(cells)]

    def call(engine: str) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells left over are none of our business here
            pooled = function(adata, engine=engine)
        return np.asarray(pooled.to_df())

    return Workflow(call, cells, "cells", _size(adata), True)


def _cells(number: int) -> tuple[AnnData, pd.DataFrame]:
    from anndata import AnnData

    signature, network = inputs.signature_and_network(number, 1000, 100, 50)
    return AnnData(signature), network


def _size(adata: AnnData) -> str:
    return f"{adata.n_obs:,} cells x {adata.n_vars:,} genes"


def workflows() -> dict[str, Callable[[int], Workflow]]:
    """Every workflow by the name of the function that it calls.

    Examples
    --------
    >>> list(workflows())
    ['infer_network', 'run_viper', 'run_msviper', 'metacells']
    """
    return {made.__name__: made for made in (infer_network, run_viper, run_msviper, metacells)}


def differences(workflow: Workflow, ours: Any, theirs: Any) -> tuple[str, float]:
    """What is wrong with a result, or nothing, and the largest difference of its numbers."""
    labels = [_labels(result) for result in (ours, theirs)]
    if labels[0] != labels[1]:
        return "other rows, columns or names", float("inf")
    left, right = (_numbers(result) for result in (ours, theirs))
    if left.shape != right.shape:
        return f"shape {left.shape} instead of {right.shape}", float("inf")
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    if equal.all():
        return "", 0.0
    gap = float(np.max(np.nan_to_num(np.abs(left - right)[~equal], nan=np.inf)))
    if not workflow.exact and np.allclose(left, right, RTOL, ATOL, equal_nan=True):
        return "", gap
    return f"{np.count_nonzero(~equal)} of {left.size} values differ, by up to {gap:.3g}", gap


def _labels(result: Any) -> Any:
    if not isinstance(result, pd.DataFrame):
        return None
    words = result.select_dtypes(exclude="number").astype(str)
    return list(result.columns), list(result.index), words.to_numpy().tolist()


def _numbers(result: Any) -> np.ndarray:
    if isinstance(result, pd.DataFrame):
        result = result.select_dtypes(include="number")
    return np.asarray(result, dtype=np.float64)
