"""How many edges a run returns, and how many are right: the numbers of three pages of docs/.

``docs/how-many-edges.md``, ``docs/good-network.md`` and ``docs/counts.md``. Run with
``python benchmarks/how_many_edges.py [noise | batches | support | cells]``; all numbers come from
seeds. A million simulated pairs are used for p-values instead of ten.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

import pysces
from pysces.demo import simulate_cells

QUICK = {"n_null": 1_000_000}
EARLIER = {
    "estimator": "adaptive",
    "resampling": "subsample",
    "resample_pvalue": 1e-3,
    "min_support": 0.0,
}


def noise(seed: int, n: int = 1000, n_genes: int = 2000, *, batches: bool = False) -> Any:
    """Cells that differ in depth alone, and in batches if asked for; no gene regulates another."""
    rng = np.random.default_rng(seed)
    batch = rng.integers(0, 2, n)
    depth = 2500 * rng.lognormal(0.0, 0.6, n) * np.where(batches, np.exp(0.6 * batch), 1.0)
    level = np.tile(rng.normal(0.0, 1.5, n_genes), (2, 1))
    level[1] += 0.4 * rng.normal(size=n_genes) * batches
    share = np.exp(level)[batch]
    share /= share.sum(axis=1, keepdims=True)
    counts = rng.poisson(depth[:, None] * share * rng.gamma(5.0, 0.2, share.shape))
    cells = anndata.AnnData(sp.csr_matrix(counts.astype(np.float32)))
    cells.var_names = [f"gene{i}" for i in range(n_genes)]
    cells.obs_names = [f"cell{i}" for i in range(n)]
    cells.obs["batch"] = pd.Categorical(batch.astype(str))
    return cells


def log_normalised(cells: Any) -> Any:
    """log(1 + counts per 10,000), as Scanpy leaves them."""
    values = sp.diags(1e4 / np.asarray(cells.X.sum(axis=1)).ravel()) @ cells.X
    found = anndata.AnnData(sp.csr_matrix(values, dtype=np.float32).log1p(), obs=cells.obs)
    found.var_names = cells.var_names
    return found


def run(cells: Any, regulators: list[str] | None = None, **options: Any) -> dict[str, Any]:
    """Facts of one run."""
    cells = cells.copy()
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pysces.run_aracne(cells, regulators, **QUICK, **options)
    params, edges = cells.uns["aracne"]["facts"], cells.uns["aracne"]["network"]
    found = {
        "edges": len(edges),
        "% of pairs": 100 * params["share_of_pairs"],
        "regulators": params["n_regulators_kept"],
        "median regulon": params.get("median_regulon"),
        "median support": params.get("median_support"),
        "decoys per edge": params.get("decoy_share"),
        "stability": params["stability"],
    }
    if "truth" in cells.uns:
        found |= rightness(edges, cells)
    ours = [str(w.message).split(":")[0][:40] for w in caught if "pysces" in str(w.category)]
    return found | {"s": time.perf_counter() - start, "warnings": len(ours)}


def rightness(edges: pd.DataFrame, cells: Any) -> dict[str, float]:
    """Precision of the edges to genes that are no regulators, and recall."""
    true = set(zip(cells.uns["truth"]["source"], cells.uns["truth"]["target"], strict=True))
    genes = edges[~edges["target"].isin(cells.var_names[cells.var["regulator"]])]
    right = [edge in true for edge in zip(genes["source"], genes["target"], strict=True)]
    return {"precision": float(np.mean(right)), "recall": sum(right) / len(true)}


def show(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print a table."""
    print(f"\n## {title}\n")
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3g}".format), flush=True)


def depth_alone() -> None:
    """No regulation, unequal depth."""
    rows = {}
    for seed in range(3):
        cells = noise(seed)
        regulators = list(cells.var_names[:100])
        normalised = log_normalised(cells)
        rows[f"counts, seed {seed}"] = run(cells, regulators)
        rows[f"log-normalised, seed {seed}"] = run(normalised, regulators)
        rows[f"log-normalised, counts=False, seed {seed}"] = run(
            normalised, regulators, counts=False
        )
    rows["earlier defaults, log-normalised, seed 2"] = run(normalised, regulators, **EARLIER)
    show("Cells that differ in depth alone: 1,000 cells x 2,000 genes x 100 regulators", rows)


def two_batches() -> None:
    """No regulation, two batches of unlike depth and levels."""
    rows = {}
    for seed in range(2):
        cells = noise(seed, batches=True)
        regulators = list(cells.var_names[:100])
        rows[f"pooled, seed {seed}"] = run(cells, regulators)
        rows[f"batch_key, seed {seed}"] = run(cells, regulators, batch_key="batch")
    show("Two batches, no regulation: 1,000 cells x 2,000 genes x 100 regulators", rows)


def by_support() -> None:
    """Simulated blood cells: what each parameter does."""
    cells = simulate_cells()
    rows = {"default, batch_key": run(cells, batch_key="donor")}
    for least in (0.0, 0.25, 0.75, 0.9):
        rows[f"min_support={least:g}"] = run(cells, batch_key="donor", min_support=least)
    rows["without batch_key"] = run(cells)
    rows["dpi=False"] = run(cells, batch_key="donor", dpi=False)
    normalised = log_normalised(cells)
    normalised.uns["truth"], normalised.var = cells.uns["truth"], cells.var
    rows["log-normalised, batch_key"] = run(normalised, batch_key="donor")
    rows["log-normalised, counts=False"] = run(normalised, counts=False)
    rows["earlier defaults, log-normalised"] = run(normalised, **EARLIER)
    show("Simulated blood cells: 1,500 cells x 4,000 genes x 150 regulators", rows)


def by_cells() -> None:
    """More cells, more edges."""
    rows = {}
    for n in (200, 500, 1000, 3000):
        rows[f"{n} cells"] = run(simulate_cells(n), batch_key="donor")
    cells = simulate_cells()
    rows["T cells alone"] = run(cells[cells.obs["cell_type"] == "T"], batch_key="donor")
    show("Simulated blood cells, 4,000 genes x 150 regulators", rows)


PARTS = {"noise": depth_alone, "batches": two_batches, "support": by_support, "cells": by_cells}

if __name__ == "__main__":
    pysces.settings.verbosity = "silent"
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
