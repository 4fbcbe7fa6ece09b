"""Activities of cells that differ in depth alone, and what is kept of planted activity.

    python benchmarks/activities_given_depth.py                     depths drawn log-normal
    python benchmarks/activities_given_depth.py cells.h5ad          depths and levels of these cells
    python benchmarks/activities_given_depth.py cells.h5ad --quick  one seed, fewer methods

A file holds counts, cells x genes: .h5ad, or .npz of a sparse matrix as `scipy.sparse.save_npz`
writes it (`total_counts`, where it is among the arrays, is the depth). Prints three tables:
the share of random regulons whose activity differs between two groups of 400 cells, of which one
has half the depth (0.05 is right); the same of master regulators and pseudobulk; and how well
planted activity is told from its absence (area under the ROC curve).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import stats

import pysces

N_CELLS, N_REGULATORS, N_TARGETS = 800, 100, 60
NOISE = {"Poisson": None, "negative binomial, size 0.5": 0.5}
TARGETS = ("positive", "signed", "low", "high")
LOG = {"signature": "zscore", "enrichment": "area"}
METHODS: dict[str, tuple[bool, dict[str, Any]]] = {
    "log-normalised, zscore + area": (True, LOG),
    "counts, score": (False, {}),
    "log-normalised (recovered), score": (True, {}),
    "counts, residuals + area": (False, {"signature": "counts", "enrichment": "area"}),
    "counts, residuals + narnea": (False, {"signature": "counts", "enrichment": "narnea"}),
    "counts, residuals + mean": (False, {"signature": "counts", "enrichment": "mean"}),
    "counts, residuals + gsea": (
        False,
        {"signature": "counts", "enrichment": "gsea", "n_permutations": 50, "n_draws": 8},
    ),
}


def read(path: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Counts [cells genes] of genes seen in at least a tenth of the cells, and depths [cells]."""
    if path is None:
        rng = np.random.default_rng(0)
        depth = np.round(np.exp(rng.normal(7.7, 0.45, 1000)))
        share = rng.dirichlet(np.exp(rng.normal(0, 1.6, 6000)))
        return rng.poisson(depth[:, None] * share).astype(float), depth
    if path.suffix == ".npz":
        found = np.load(path)
        matrix = sp.csr_matrix(
            (found["data"], found["indices"], found["indptr"]), shape=found["shape"]
        )
        counts = matrix.toarray().astype(float)
        totals = found["total_counts"] if "total_counts" in found else counts.sum(axis=1)
    else:
        adata = anndata.read_h5ad(path)
        counts = np.asarray(adata.to_df(), dtype=float)
        totals = adata.obs.get("total_counts", pd.Series(counts.sum(axis=1)))
    return counts[:, (counts > 0).mean(axis=0) >= 0.1], np.asarray(totals, dtype=float)


def noise(
    rng: np.random.Generator, share: np.ndarray, depth: np.ndarray, size: float | None
) -> np.ndarray:
    """Counts that depend on the depth alone."""
    mean = depth[:, None] * share
    if size is not None:
        mean = mean * rng.gamma(size, 1 / size, mean.shape)
    return rng.poisson(mean).astype(float)


def cells_of(counts: np.ndarray, log: bool) -> anndata.AnnData:
    values = np.log1p(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 1e4)
    adata = anndata.AnnData((values if log else counts).astype(np.float32))
    adata.var_names = names(counts.shape[1])
    return adata


def names(n: int) -> list[str]:
    return [f"gene{i:05d}" for i in range(n)]


def network(rng: np.random.Generator, share: np.ndarray, kind: str) -> pd.DataFrame:
    """Random regulons: of any targets, signed, or of the least or most expressed quarter."""
    order, quarter = np.argsort(share), len(share) // 4
    among = {"low": order[:quarter], "high": order[-quarter:]}.get(kind, order)
    genes = np.array(names(len(share)))
    return pd.DataFrame(
        {
            "source": np.repeat([f"R{i:03d}" for i in range(N_REGULATORS)], N_TARGETS),
            "target": np.concatenate(
                [genes[rng.choice(among, N_TARGETS, replace=False)] for _ in range(N_REGULATORS)]
            ),
            "mor": rng.choice([-1.0, 1.0], N_REGULATORS * N_TARGETS) if kind == "signed" else 1.0,
        }
    )


def two_depths(
    seed: int, counts: np.ndarray, depth: np.ndarray
) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    """Random numbers, shares of genes, depths of 800 cells, and which have half the depth."""
    rng = np.random.default_rng(seed)
    half = np.arange(N_CELLS) < N_CELLS // 2
    drawn = rng.choice(depth, N_CELLS) * np.where(half, 0.5, 1.0)
    return rng, counts.sum(axis=0) / depth.sum(), drawn, half


def of_cells(counts: np.ndarray, depth: np.ndarray, seeds: list[int], methods: list[str]) -> None:
    rows = []
    for kind, size in NOISE.items():
        for targets in TARGETS:
            for seed in seeds:
                rng, share, drawn, half = two_depths(seed, counts, depth)
                made = noise(rng, share, drawn, size)
                edges = network(rng, share, targets)
                for method in methods:
                    log, options = METHODS[method]
                    adata = cells_of(made, log)
                    start = time.perf_counter()
                    pysces.run_viper(adata, edges, **options)
                    seconds = time.perf_counter() - start
                    z = adata.obsm["viper"].to_numpy()
                    p = stats.ttest_ind(z[half], z[~half]).pvalue
                    rows.append(
                        {
                            "method": method,
                            "noise": kind,
                            "targets": targets,
                            "p < 0.05": (p < 0.05).mean(),
                            "p < 1e-6": (p < 1e-6).mean(),
                            "sd, half depth": z[half].std(axis=0).mean(),
                            "sd, full depth": z[~half].std(axis=0).mean(),
                            "seconds": seconds,
                        }
                    )
    table = pd.DataFrame(rows)
    by = table.groupby(["noise", "targets", "method"], sort=False).mean()
    print("\nCells: share of regulators that differ between depths\n")
    print(by["p < 0.05"].unstack("method").round(3).T.to_string())
    print()
    print(table.groupby("method", sort=False).mean(numeric_only=True).round(3).to_string())


def of_groups(counts: np.ndarray, depth: np.ndarray, seeds: list[int]) -> None:
    rows = []
    for targets in TARGETS:
        for seed in seeds:
            rng, share, drawn, half = two_depths(seed, counts, depth)
            made, edges = noise(rng, share, drawn, 0.5), network(rng, share, targets)
            for log in (True, False):
                found = {"targets": targets, "data": "log-normalised" if log else "counts"}
                adata = cells_of(made, log)
                adata.obs["half"] = np.where(half, "half", "full")
                for n in (0, 200):
                    pysces.run_msviper(
                        adata,
                        "half",
                        "half",
                        network=edges,
                        n_permutations=n,
                        counts=False if log else "auto",
                        filter_genes=False,
                    )
                    p = adata.uns["msviper"]["results"]["pvalue"]
                    found[f"msVIPER, {n} permutations"] = (p < 0.05).mean()
                adata = cells_of(made, False)
                # 20 donors of 40 cells; those of the first half have half the depth
                adata.obs["donor"] = [f"donor{i // 40:02d}" for i in range(N_CELLS)]
                pooled = pysces.pseudobulk(adata, "donor")
                # X of pseudobulk is normalised again, so its counts are recovered
                pysces.run_viper(
                    pooled, edges, layer=None if log else "counts", **(LOG if log else {})
                )
                shallow = pooled.obs["donor"].astype(str).to_numpy() < "donor10"
                z = pooled.obsm["viper"].to_numpy()
                p = stats.ttest_ind(z[shallow], z[~shallow]).pvalue
                found["pseudobulk"] = (p < 0.05).mean()
                rows.append(found)
    print("\nGroups: share of regulators that differ between depths at p < 0.05\n")
    table = pd.DataFrame(rows).groupby(["data", "targets"], sort=False).mean()
    print(table.round(3).to_string())


def of_signal(counts: np.ndarray, depth: np.ndarray, seeds: list[int], methods: list[str]) -> None:
    """Targets of each regulator are thinned by a fifth in the half of the cells without it."""
    rows = []
    for targets in TARGETS:
        for seed in seeds:
            rng = np.random.default_rng(seed)
            edges = network(rng, counts.sum(axis=0), targets).iloc[: 20 * N_TARGETS]
            edges = edges.drop_duplicates("target")  # each gene has one regulator
            made, place = counts.copy(), {g: i for i, g in enumerate(names(counts.shape[1]))}
            active = {}
            for regulator, own in edges.groupby("source"):
                active[regulator] = rng.random(len(made)) < 0.5
                for gene, mode in zip(own["target"], own["mor"], strict=True):
                    thinned = active[regulator] != (mode > 0)
                    column = made[thinned, place[gene]].astype(np.int64)
                    made[thinned, place[gene]] = rng.binomial(column, 0.8)
            for method in methods:
                log, options = METHODS[method]
                adata = cells_of(made, log)
                pysces.run_viper(adata, edges, **options)
                found = adata.obsm["viper"]
                area = [
                    stats.mannwhitneyu(found.loc[on, r], found.loc[~on, r]).statistic
                    / (on.sum() * (~on).sum())
                    for r, on in active.items()
                    if r in found
                ]
                rows.append({"targets": targets, "method": method, "area": np.mean(area)})
    print("\nPlanted activity: area under the ROC curve, mean of regulators\n")
    table = pd.DataFrame(rows).groupby(["method", "targets"], sort=False)["area"].mean()
    print(table.unstack("targets").round(3).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, help="counts: .h5ad or .npz")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3, help="number of them")
    options = parser.parse_args()
    pysces.settings.verbosity = "silent"
    counts, depth = read(options.data)
    seeds = [0] if options.quick else list(range(options.seeds))
    methods = list(METHODS)[: 3 if options.quick else None]
    print(f"{len(counts)} cells x {counts.shape[1]} genes, {(counts > 0).mean():.0%} filled")
    of_cells(counts, depth, seeds, methods)
    of_groups(counts, depth, seeds)
    of_signal(counts, depth, seeds, methods)


if __name__ == "__main__":
    main()
